/** How this device is connected, in words. Pure. */
import type { StatusSnapshot } from '@crosstown/bus'

export type Tone = 'good' | 'busy' | 'warn' | 'bad'

export interface Connection {
  readonly tone: Tone
  /** One or two words. */
  readonly name: string
  readonly sentence: string
  /** Whether it needs attention: events wait, or are kept worse than they should be. */
  readonly trouble: boolean
}

export function connectionOf(
  { relay, lastError }: Pick<StatusSnapshot, 'relay' | 'lastError'>,
  paused: boolean,
  room: string,
): Connection {
  if (paused) {
    const sentence =
      'This device works offline. Its tabs still share everything; the rest follows on return.'
    return { tone: 'warn', name: 'Offline', sentence, trouble: false }
  }
  switch (relay) {
    case 'online': {
      const sentence = `Every tab, device and service in the room ${room} has the same events.`
      return { tone: 'good', name: 'Online', sentence, trouble: false }
    }
    case 'connecting':
      return {
        tone: 'busy',
        name: 'Connecting',
        sentence: 'Connecting to the relay.',
        trouble: false,
      }
    case 'offline': {
      const sentence =
        'The relay cannot be reached. Shop on: this device keeps what you do and keeps trying.'
      return { tone: 'warn', name: 'No relay', sentence, trouble: true }
    }
    case 'refused': {
      const why = lastError ? ` (${lastError.code})` : ''
      const sentence = `The relay refuses this device${why}. What you do stays on this device.`
      return { tone: 'bad', name: 'Refused', sentence, trouble: true }
    }
    case 'off':
      return {
        tone: 'warn',
        name: 'No relay',
        sentence: 'There is no relay: the cart is shared on this device only.',
        trouble: true,
      }
  }
}

/** What is wrong with the log, if something is. */
export function logTrouble({ kind, state }: StatusSnapshot['log']): string | undefined {
  if (state !== 'open' || kind !== 'memory') return undefined
  return 'This browser gives the shop no place to keep things: what you do ends with this tab, but for what the room has.'
}

export const LOG_NAMES = { disk: 'On disk', memory: 'In memory', none: 'None' } as const

export function bytesText(count: number): string {
  if (count < 1_000) return `${count} B`
  return count < 1_000_000 ? `${(count / 1_000).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`
}

export function waitingText(pending: number): string {
  if (pending === 0) return 'Nothing waits to be sent.'
  return pending === 1 ? '1 event waits to be sent.' : `${pending} events wait to be sent.`
}
