/** Whether this device was taken offline, kept for tabs that open later. */
const key = (room: string): string => `crosstown-demo:offline:${room}`

export function wasOffline(room: string): boolean {
  try {
    return localStorage.getItem(key(room)) === 'yes'
  } catch {
    return false // storage is forbidden here: every page starts online
  }
}

export function rememberOffline(room: string, on: boolean): void {
  try {
    if (on) localStorage.setItem(key(room), 'yes')
    else localStorage.removeItem(key(room))
  } catch {
    // Then later tabs start online.
  }
}
