/**
 * Trims rooms in the background: what is over the limits of the relay goes, the oldest first, in
 * steps that are short enough to be no pause for anybody. A room that grows is trimmed as it does; a
 * sweep over all rooms finds what only became too old.
 */
import type { Kept } from './keeping.ts'
import type { Limits } from './limits.ts'
import type { Platform } from './platform.ts'
import type { RoomRecord } from './record.ts'
import type { ReadLimit, Store } from './stores/store.ts'

/** What retention needs of its relay. */
export interface RetentionContext {
  readonly store: Store
  readonly limits: Limits
  /** How much of a room is kept. @default as the limits say */
  readonly keeps?: (room: string) => Kept
  readonly platform: Platform
  readonly report: (error: unknown, room?: string) => void
}

const DAY_MS = 86_400_000
const SWEEP_MS = 3_600_000
const SWEEP_PAGE = 100
/** What one step removes at most. */
const STEP: ReadLimit = { events: 2_000, bytes: 2 * 1024 * 1024 }
/** A room is trimmed each time it grew by this part of its limits: by so much it may be over them. */
const SLACK = 1 / 100

/** Keeps the rooms of one relay within its limits. */
export class Retention {
  readonly #context: RetentionContext
  /** What rooms grew by since they were last trimmed; absent for those not trimmed yet. */
  readonly #grown = new Map<string, { events: number; bytes: number }>()
  readonly #due = new Set<string>()
  #sweptMs: number | undefined
  /** The room after which the sweep goes on, while there is one. */
  #sweepAfter: string | undefined
  /** Whether deleted rooms may have left something. */
  #left = true
  #running: Promise<void> | undefined
  #stopped = false

  constructor(context: RetentionContext) {
    this.#context = context
  }

  /** Records were committed to a room. */
  grew(room: string, records: readonly RoomRecord[]): void {
    const { roomBytes, roomEvents } = this.keeps(room)
    const growth = this.#grown.get(room)
    if (growth) {
      for (const { headers, bytes } of records) {
        growth.events += headers.length
        growth.bytes += bytes
      }
      if (growth.events < roomEvents * SLACK && growth.bytes < roomBytes * SLACK) return
    }
    this.#grown.set(room, { events: 0, bytes: 0 })
    this.#due.add(room)
    this.#run()
  }

  /** Nobody in this process needs the room any more. */
  forget(room: string): void {
    this.#grown.delete(room)
  }

  /** A room was deleted: what it left is to be removed. */
  purge(): void {
    this.#left = true
    this.#run()
  }

  /** Begins a sweep over all rooms where one is due. */
  tick(nowMs: number): void {
    if (this.#sweptMs !== undefined && nowMs - this.#sweptMs < SWEEP_MS) return
    this.#sweptMs = nowMs
    this.#left = true
    this.#sweepAfter = ''
    this.#run()
  }

  /** Whether a step is under way, or to be done next. */
  get busy(): boolean {
    return this.#running !== undefined
  }

  /** Ends; resolves when no step is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  #run(): void {
    if (this.#stopped) return
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined
    })
  }

  async #work(): Promise<void> {
    const { report } = this.#context
    while (!this.#stopped) {
      const [room] = this.#due
      if (room === undefined && !this.#left && this.#sweepAfter === undefined) return
      if (room !== undefined) this.#due.delete(room)
      try {
        if (room === undefined && this.#sweepAfter === undefined) await this.#purge()
        else if (room === undefined) await this.#nextPage(this.#sweepAfter as string)
        else await this.#trim(room)
      } catch (error) {
        // The next growth, or the next sweep, tries again.
        this.#sweepAfter = undefined
        this.#left = false
        report(error, room)
      }
    }
  }

  /** Also of rooms that were deleted before this process began. */
  async #purge(): Promise<void> {
    this.#left = await this.#context.store.purge(STEP)
    await this.#pause()
  }

  async #nextPage(after: string): Promise<void> {
    const rooms = await this.#context.store.rooms(after, SWEEP_PAGE)
    for (const room of rooms) this.#due.add(room)
    this.#sweepAfter = rooms.at(-1)
    await this.#pause()
  }

  async #trim(room: string): Promise<void> {
    const { platform, store } = this.#context
    const { roomBytes, roomDays, roomEvents } = this.keeps(room)
    while (!this.#stopped) {
      const since = platform.now() - roomDays * DAY_MS
      const keep = { events: roomEvents, bytes: roomBytes, since }
      if (!(await store.trim(room, keep, STEP))) return
      await this.#pause()
    }
  }

  /** How much of a room is kept. */
  keeps(room: string): Kept {
    const { keeps, limits } = this.#context
    return keeps ? keeps(room) : limits
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#context.platform.soon(resolve))
  }
}
