/** What the relays on one store tell each other of a room. */
import type { EventHeader } from '@crosstown/bus/protocol'

/** There is more in the room than there was. */
export const GREW = ''

/** Unpersisted events. */
export interface SignalledCast {
  readonly headers: readonly EventHeader[]
  readonly data: readonly string[]
}

export function signalText(cast: SignalledCast): string {
  return JSON.stringify(cast)
}

/** The cast in a signal; `undefined` where it has none, or is of a relay that speaks otherwise. */
export function signalIn(text: string): SignalledCast | undefined {
  if (text === GREW) return undefined
  try {
    const { headers, data } = JSON.parse(text) as Partial<SignalledCast>
    return Array.isArray(headers) && Array.isArray(data) ? { headers, data } : undefined
  } catch {
    return undefined
  }
}
