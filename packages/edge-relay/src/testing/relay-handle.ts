/** A relay that was started for a test, on whatever runtime. */

import type { Limits } from '../limits.ts'
import type { StoredEvent } from './engine-readers.ts'
import type { Recording } from './power-cut.ts'

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
  /** Notes what it does to its files. */
  readonly recording?: Recording | undefined
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
  /** When it is gone, with its exit code, `null` where a signal ended it; of relays that are processes. */
  readonly ended?: Promise<number | null>
  /** What it keeps its rooms in, where that is a process of its own. */
  readonly engine?: RelayEngine
  /** Sends a signal; resolves with the exit code, `null` where the signal ended it. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
}

/** An engine that can be killed under its relay. The relay's runtime starts it again. */
export interface RelayEngine {
  /** It keeps its files in here, at whatever depth. */
  readonly folder: string
  kill(): Promise<void>
  /** What it has, as its own client reads it, in the room's order. */
  read(room: string, type: string): Promise<StoredEvent[]>
}

/** The room that tests meet in. */
export const ROOM = '42'

/** Of that room. */
export function socketOf(url: string): string {
  return `${url.replace('http', 'ws')}/rooms/${ROOM}/socket`
}
