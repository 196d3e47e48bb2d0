/** What this browser remembers for pages that open later; nothing, where storage is forbidden. */
const offlineKey = (busName: string, room: string): string =>
  `crosstown-demo:offline:${busName}:${room}`

export const THEME_KEY = 'crosstown-demo:theme'

export const wasOffline = (busName: string, room: string): boolean =>
  read(offlineKey(busName, room)) === 'yes'

export const rememberOffline = (busName: string, room: string, on: boolean): void =>
  write(offlineKey(busName, room), on ? 'yes' : undefined)

export const rememberedTheme = (): string | undefined => read(THEME_KEY)

export const rememberTheme = (theme: string): void => write(THEME_KEY, theme)

function read(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined
  } catch {
    return undefined
  }
}

function write(key: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch {
    // Then it holds for this page.
  }
}
