/**
 * What stands between the dispatcher and a handler with options: events wait for their turn in
 * order, a few are handled at once, and what fails is tried again. A plain handler has none.
 */
import { BusError } from '../errors.ts'
import type { Platform } from '../platform.ts'
import { Attempts, type Calls } from './attempts.ts'
import type { Calling, Delivery, Waits } from './dispatch.ts'
import { Fifo } from './fifo.ts'
import type { Handling } from './options.ts'

/**
 * Events that wait at most beyond a full buffer that blocks: those of other contexts cannot be made
 * to wait, and own ones that nobody awaits do not.
 */
export const MAX_BEYOND = 10_000

/** What becomes of deliveries, for who counts and reports it. */
export interface Told extends Calling {
  /** There was no room; `tell` where nobody was told since there was. */
  readonly dropped: (delivery: Delivery, error: BusError, tell: boolean) => void
  /** Did not get its turn before the subscription ended. */
  readonly unheard: (delivery: Delivery) => void
}

export interface QueueOptions extends Calls, Told {
  readonly handling: Handling
  readonly platform: Pick<Platform, 'monotonic' | 'random' | 'timer'>
  /** All of this bus. */
  readonly queues: Set<HandlerQueue>
}

/** A delivery, and who waits for it. */
interface Item {
  readonly delivery: Delivery
  /** When it came; 0 where nobody asks. */
  readonly at: number
  settle: ((error?: { readonly reason: unknown }) => void) | undefined
  /** Tells its publisher that it is in the buffer. */
  entered: (() => void) | undefined
}

export class HandlerQueue {
  readonly #options: QueueOptions
  readonly #attempts: Attempts
  readonly #waiting = new Fifo<Item>()
  /** Those that the buffer has no room for, of one that blocks. */
  readonly #beyond = new Fifo<Item>()
  readonly #running = new Set<readonly Item[]>()
  /** Who waits for room in the buffer. */
  #rooms: (() => void)[] = []
  /** Its running handlers that wait for room in another queue: from here to there. */
  readonly #holding = new Set<readonly [HandlerQueue, HandlerQueue]>()
  #cancel: (() => void) | undefined
  #overflowing = false
  #ended = false

  constructor(options: QueueOptions) {
    this.#options = options
    this.#attempts = new Attempts(options.handling, options.platform, options)
    options.queues.add(this)
  }

  get handling(): Handling {
    return this.#options.handling
  }

  /** Whether events are handed over several at a time. */
  get batches(): boolean {
    return this.#options.handling.batch
  }

  /** Whether publishers wait where the buffer is full. */
  get blocks(): boolean {
    return this.#options.handling.overflow === 'block'
  }

  /** Events that wait. */
  get waiting(): number {
    return this.#waiting.length + this.#beyond.length
  }

  /** Calls that run. */
  get running(): number {
    return this.#running.size
  }

  /** Whether one event more would be lost. */
  get isFull(): boolean {
    return this.#beyond.length >= MAX_BEYOND
  }

  /** Resolves when the buffer has room; `undefined` where it has. */
  room(): Promise<void> | undefined {
    if (this.#ended || this.#hasRoom) return undefined
    return new Promise((resolve) => this.#rooms.push(resolve))
  }

  take(delivery: Delivery, waits?: Waits): void {
    const { platform, handling } = this.#options
    const at = handling.batch ? platform.monotonic() : 0
    const item: Item = { delivery, at, settle: undefined, entered: undefined }
    if (waits?.handled) waits.handled.push(settled(item))
    if (this.#ended) {
      this.#unheard(item)
      return
    }
    if (!this.#hasRoom) {
      this.#overflow(item, waits)
      return
    }
    this.#waiting.push(item)
    this.#pump()
  }

  /** What waits is not handled any more; what runs may end. */
  end(): void {
    this.#ended = true
    this.#options.queues.delete(this)
    this.#cancel?.()
    for (const item of [...this.#waiting.empty(), ...this.#beyond.empty()]) this.#unheard(item)
    this.#attempts.end()
    this.#makeRoom()
  }

  #unheard(item: Item): void {
    this.#options.unheard(item.delivery)
    item.settle?.()
    item.entered?.()
  }

  /** Of an event that a call may begin with at once, no buffer is asked: it may hold none at all. */
  get #hasRoom(): boolean {
    const { buffer, concurrency } = this.#options.handling
    const { length } = this.#waiting
    return length < buffer || (length === 0 && this.#running.size < concurrency)
  }

  #overflow(item: Item, waits: Waits | undefined): void {
    const { overflow } = this.#options.handling
    if (overflow === 'block' && !this.isFull) {
      if (waits?.hold) this.#hold(item, waits)
      this.#beyond.push(item)
      return
    }
    const oldest = overflow === 'drop-oldest' ? this.#waiting.shift() : undefined
    if (oldest) this.#waiting.push(item)
    this.#drop(oldest ?? item)
  }

  /** Its publisher waits, unless he is a handler that this one waits for: neither would ever end. */
  #hold(item: Item, waits: Waits): void {
    const { causationId } = item.delivery.event
    const by = [...this.#options.queues].filter((queue) => queue.#isRunning(causationId))
    if (by.some((queue) => this.#waitsFor(queue))) return
    const held: [HandlerQueue, HandlerQueue][] = by.map((queue) => [queue, this])
    for (const edge of held) edge[0].#holding.add(edge)
    const entered = (): void => {
      for (const edge of held) edge[0].#holding.delete(edge)
    }
    const room = new Promise<void>((resolve) => (item.entered = resolve))
    waits.hold?.(room.then(entered))
  }

  /** Whether a handler here waits for room in that queue, or in one that does; or it is that queue. */
  #waitsFor(target: HandlerQueue, seen: Set<HandlerQueue> = new Set()): boolean {
    if (this === target) return true
    seen.add(this)
    return [...this.#holding].some(([, next]) => !seen.has(next) && next.#waitsFor(target, seen))
  }

  #drop(item: Item): void {
    const { handling, dropped } = this.#options
    const { id, type } = item.delivery.event
    const what = `the buffer of ${handling.buffer} events is full (${handling.overflow})`
    const about = { stage: 'dispatch', eventId: id, eventType: type } as const
    const error = new BusError('buffer_overflow', what, about)
    dropped(item.delivery, error, !this.#overflowing || handling.overflow === 'error')
    this.#overflowing = true
    item.settle?.({ reason: error })
  }

  #isRunning(id: string | undefined): boolean {
    if (id === undefined) return false
    for (const items of this.#running)
      if (items.some(({ delivery }) => delivery.event.id === id)) return true
    return false
  }

  /** Starts what can start, in order. */
  #pump(): void {
    const { concurrency, size } = this.#options.handling
    while (this.#waiting.length > 0 && this.#running.size < concurrency && this.#isDue()) {
      const items: Item[] = []
      while (items.length < size && this.#waiting.length > 0)
        items.push(this.#waiting.shift() as Item)
      this.#running.add(items)
      this.#makeRoom()
      void this.#handle(items)
    }
  }

  /** Whether a batch is full, or its first event waited long enough; sees to it that it is called then. */
  #isDue(): boolean {
    const { handling, platform } = this.#options
    if (this.#waiting.length >= handling.size) return true
    const left = (this.#waiting.first as Item).at + handling.ms - platform.monotonic()
    if (left <= 0) return true
    this.#cancel ??= platform.timer(left, () => {
      this.#cancel = undefined
      this.#pump()
    })
    return false
  }

  #makeRoom(): void {
    while (this.#hasRoom && this.#beyond.length > 0) {
      const item = this.#beyond.shift() as Item
      item.entered?.()
      this.#waiting.push(item)
    }
    if (!this.#hasRoom && !this.#ended) return
    this.#overflowing = false
    for (const go of this.#rooms.splice(0)) go()
  }

  async #handle(items: readonly Item[]): Promise<void> {
    const { handled, gaveUp } = this.#options
    const deliveries = items.map(({ delivery }) => delivery)
    const outcome = await this.#attempts.make(deliveries)
    const { failure, ms } = outcome
    this.#running.delete(items)
    if (failure) gaveUp(deliveries, failure.reason, ms)
    else handled(deliveries, ms)
    for (const { settle } of items) settle?.(failure)
    if (this.#ended) return
    this.#makeRoom()
    this.#pump()
  }
}

/** The promise of an item; what rejects it is told where it happens, too. */
function settled(item: Item): Promise<unknown> {
  const promise = new Promise<void>((resolve, reject) => {
    item.settle = (error) => (error ? reject(error.reason) : resolve())
  })
  promise.catch(() => {})
  return promise
}
