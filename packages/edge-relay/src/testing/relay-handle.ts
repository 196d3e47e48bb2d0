/** A relay that was started for a test, on whatever runtime. */

import type { Limits } from '../limits.ts'

/** How a relay is started. */
export interface Flags {
  /** A path; what is kept there outlives the relay. @default kept in memory */
  readonly file?: string
  /** A module whose default export is the auth function. */
  readonly auth?: string
  /** Of the relay, where its rooms are objects. */
  readonly limits?: Partial<Limits>
  /** More of `crosstown-relay serve`, for relays that are processes. */
  readonly args?: readonly string[]
}

/** One relay that serves. */
export interface RelayProcessHandle {
  readonly url: string
  /** Of room `42`. */
  readonly socket: string
  /** All it has written so far, to where it logs; empty where that cannot be read. */
  output(): string
  /** Of rooms that can be put out of memory: see `WorkerHandle`. */
  evict?(webSockets?: 'hibernate' | 'close'): Promise<boolean>
  /** Sends a signal; resolves with the exit code, `null` where the signal ended it. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
}

/** The room that tests meet in. */
export const ROOM = '42'

/** Of that room. */
export function socketOf(url: string): string {
  return `${url.replace('http', 'ws')}/rooms/${ROOM}/socket`
}
