/**
 * Those who wait over HTTP for a room to grow. They have no connection and no state in the room:
 * each reads from the store, and is only woken when there is something to read.
 */

import { BusError } from '@crosstown/bus/protocol'
import type { Identity } from './auth.ts'
import type { Platform } from './platform.ts'
import type { RoomHead, RoomRecord } from './record.ts'

/** The last commit of a room, kept while somebody waits: most who are woken need nothing else. */
export interface Tail {
  /** The head after it. */
  readonly head: RoomHead
  readonly records: readonly RoomRecord[]
  /** What was made of its events, by place, for the next reader of the same. */
  readonly texts: Map<number, string>
}

/** A commit with more than this is read from the store, piece by piece. */
const TAIL_BYTES = 256 * 1024

/** All who wait, in all rooms of a relay. */
export class Readers {
  readonly #rooms = new Map<string, { readonly watches: Set<Watch>; tail?: Tail }>()
  readonly #platform: Platform
  #closing = false
  #ended: () => void = () => {}

  constructor(platform: Platform) {
    this.#platform = platform
  }

  /**
   * Watches a room, until the watch is stopped.
   *
   * @param onEnd called when the relay closes, or the room is another, with the time after which the
   * reader is to come back; the watch has to be stopped then
   * @throws {BusError} going_away
   */
  watch(room: string, identity: Identity, onEnd: (backMs: number) => void): Watch {
    if (this.#closing) throw new BusError('going_away', 'the relay is closing')
    let entry = this.#rooms.get(room)
    if (!entry) {
      entry = { watches: new Set() }
      this.#rooms.set(room, entry)
    }
    const { watches } = entry
    const watch = new Watch(this.#platform, identity, onEnd, () => {
      if (!watches.delete(watch) || watches.size > 0) return
      this.#rooms.delete(room)
      if (this.#rooms.size === 0) this.#ended()
    })
    watches.add(watch)
    return watch
  }

  /** How many wait now. */
  get size(): number {
    let size = 0
    for (const { watches } of this.#rooms.values()) size += watches.size
    return size
  }

  /** The room's last commit, as far as this process wrote it while somebody waited. */
  tail(room: string): Tail | undefined {
    return this.#rooms.get(room)?.tail
  }

  /** Records were committed to a room. */
  grew(room: string, records: readonly RoomRecord[], head: RoomHead): void {
    const entry = this.#rooms.get(room)
    if (!entry) return
    const bytes = records.reduce((sum, record) => sum + record.bytes, 0)
    if (bytes > TAIL_BYTES) delete entry.tail
    else entry.tail = { head, records, texts: new Map() }
    for (const watch of entry.watches) watch.wake()
  }

  /** There may be more in a room, of which this process knows nothing else. */
  stale(room: string | undefined): void {
    const entries = room === undefined ? [...this.#rooms.values()] : [this.#rooms.get(room)]
    for (const entry of entries) {
      if (!entry) continue
      delete entry.tail
      for (const watch of entry.watches) watch.wake()
    }
  }

  /** What they read of the room may be in it no more: they are to come back, and are then told. */
  restored(room: string, backMs: number): void {
    for (const watch of [...(this.#rooms.get(room)?.watches ?? [])]) watch.end(backMs)
  }

  /** Ends the watches of those whose token was called back; returns how many. */
  revoke(isRevoked: (identity: Identity) => boolean, backMs: number): number {
    const all = [...this.#rooms.values()].flatMap(({ watches }) => [...watches])
    const revoked = all.filter(({ identity }) => isRevoked(identity))
    for (const watch of revoked) watch.end(backMs)
    return revoked.length
  }

  /**
   * Ends every watch; resolves when the last one is stopped.
   *
   * @param backMs when a reader is to come back, of one that is so far in the row of all: 0 up to 1
   */
  async close(backMs: (share: number, count: number) => number): Promise<void> {
    this.#closing = true
    const all = [...this.#rooms.values()].flatMap(({ watches }) => [...watches])
    if (all.length === 0) return
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve
    })
    for (const [i, watch] of all.entries()) watch.end(backMs(i / all.length, all.length))
    await ended
  }
}

/** One reader's eye on a room. */
export class Watch {
  readonly identity: Identity
  readonly #platform: Platform
  readonly #onEnd: (backMs: number) => void
  readonly #onStop: () => void
  #grew = false
  #over = false
  #resolve: (() => void) | undefined

  constructor(
    platform: Platform,
    identity: Identity,
    onEnd: (backMs: number) => void,
    onStop: () => void,
  ) {
    this.#platform = platform
    this.identity = identity
    this.#onEnd = onEnd
    this.#onStop = onStop
  }

  /** Whether there is nothing more to wait for. */
  get over(): boolean {
    return this.#over
  }

  /**
   * Resolves when the room grew since this last resolved, after `ms` without that, and when the
   * watch is over; whether it grew.
   */
  async grown(ms: number): Promise<boolean> {
    if (!this.#grew && !this.#over) {
      await new Promise<void>((resolve) => {
        const stop = this.#platform.every(ms, () => this.#resolve?.())
        this.#resolve = () => {
          stop()
          resolve()
        }
      })
      this.#resolve = undefined
    }
    const grew = this.#grew
    this.#grew = false
    return grew
  }

  wake(): void {
    this.#grew = true
    this.#resolve?.()
  }

  /** Nothing more comes of this watch, but may of another one. */
  end(backMs: number): void {
    this.#over = true
    this.#resolve?.()
    this.#onEnd(backMs)
  }

  stop(): void {
    this.#over = true
    this.#resolve?.()
    this.#onStop()
  }
}
