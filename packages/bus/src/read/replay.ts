/**
 * A replay: events of the log, one after the other, up to the head that was found. It reads as far
 * as the loop asks, and when the loop ends, by itself or by its signal, nothing is left open.
 */
import type { Incoming } from '../dispatch/dispatch.ts'
import { BusError, toBusError } from '../errors.ts'
import type { BusEvent, EventHeader } from '../event.ts'
import type { Log } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import { parsePatterns, typeMatcher } from '../protocol/pattern.ts'
import type { ReplayOptions } from '../types.ts'
import { parseBound, unreadable } from './bound.ts'
import { Pace } from './pace.ts'
import { inDeviceOrder, inRoomOrder, type Portion } from './selection.ts'
import { steadyLog } from './steady-log.ts'

export interface ReplaySource {
  readonly platform: Platform
  /** Opens the log, where there is one. */
  readonly open: () => Promise<Log | undefined>
  readonly hasLog: boolean
  readonly hasRelay: boolean
  /** Whether events of the type are for this context at all. @default all are */
  readonly hears?: (type: string) => boolean
  /** Decodes an event; `undefined` for one that is damaged and was reported. */
  readonly decode: (event: Incoming) => BusEvent | undefined
  /** Calls back when the bus closes; the returned function takes that back. */
  readonly onClose: (run: () => void) => () => void
  readonly report: (error: BusError) => void
}

type Options = ReplayOptions<string>
type Result = IteratorResult<BusEvent, undefined>

/** Of so many steps, `onProgress` hears. */
const PROGRESS_STEPS = 100

/** @throws {BusError} invalid_options, invalid_pattern, unreachable, closed */
export function replay(options: Options, source: ReplaySource): Replay {
  const { from = 'start', to = 'now', order = 'device', speed = 'instant', limit } = options
  parseBound(from)
  parseBound(to, 'to')
  if (order !== 'device' && order !== 'room') throw invalid("order must be 'device' or 'room'")
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0))
    throw invalid('limit must be a whole number')
  const factor = speed === 'original' ? 1 : speed
  if (factor !== 'instant' && !(Number.isFinite(factor) && factor > 0))
    throw invalid("speed must be 'instant', 'original' or a number above 0")
  const matches = matcherOf(options, source.hears)
  if (!source.hasLog) throw unreadable()
  const select = (): AsyncGenerator<Portion, void, void> => {
    const log = steadyLog(source.open)
    const selection = { from, to, matches }
    // Without a relay there is no room: its order is that of the device.
    return order === 'room' && source.hasRelay
      ? inRoomOrder(log, selection, source.report)
      : inDeviceOrder(log, selection, source.hasRelay, source.report)
  }
  const pace = factor === 'instant' ? undefined : new Pace(source.platform, factor)
  return new Replay(select, options, source, pace)
}

function matcherOf(
  options: Options,
  hears: (type: string) => boolean = () => true,
): (header: EventHeader) => boolean {
  const { pattern = '**', stream, correlationId } = options
  const ofType = typeMatcher(parsePatterns(pattern))
  return (header) =>
    (stream === undefined || header.stream === stream) &&
    (correlationId === undefined || (header.correlationId ?? header.id) === correlationId) &&
    ofType(header.type) &&
    hears(header.type)
}

function invalid(what: string): BusError {
  return new BusError('invalid_options', `replay: ${what}`, { stage: 'read' })
}

class Replay implements AsyncIterableIterator<BusEvent, undefined>, AsyncDisposable {
  readonly #source: ReplaySource
  readonly #select: () => AsyncGenerator<Portion, void, void>
  readonly #pace: Pace | undefined
  readonly #signal: AbortSignal | undefined
  readonly #onProgress: Options['onProgress']
  #left: number
  #portions: AsyncGenerator<Portion, void, void> | undefined
  #portion: Portion | undefined
  /** The next event of the portion. */
  #next = 0
  #given = 0
  #told = -1
  #ended = false
  #failure: BusError | undefined
  /** The step that is under way, for those asked for before it is done. */
  #step: Promise<unknown> | undefined
  #interrupt: (() => void) | undefined
  #forget: (() => void) | undefined

  constructor(
    select: () => AsyncGenerator<Portion, void, void>,
    { limit = Number.POSITIVE_INFINITY, signal, onProgress }: Options,
    source: ReplaySource,
    pace: Pace | undefined,
  ) {
    this.#select = select
    this.#left = limit
    this.#signal = signal
    this.#onProgress = onProgress
    this.#source = source
    this.#pace = pace
    // Nothing is held for a replay that nobody reads, but a bus that is closed says so now.
    source.onClose(() => {})()
  }

  next(): Promise<Result> {
    if (this.#step === undefined && this.#pace === undefined) {
      const value = this.#ready()
      if (value) return Promise.resolve({ done: false, value })
    }
    const step: Promise<Result> = (this.#step ?? Promise.resolve()).then(() => this.#advance())
    const done = (): void => {
      if (this.#step === settled) this.#step = undefined
    }
    const settled: Promise<void> = step.then(done, done)
    this.#step = settled
    return step
  }

  async return(): Promise<Result> {
    this.#end()
    return DONE
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next event, where it was read already. */
  #ready(): BusEvent | undefined {
    const events = this.#portion?.events ?? []
    while (!this.#ended && this.#left > 0 && this.#next < events.length) {
      const event = this.#source.decode(events[this.#next++] as Incoming)
      if (!event) continue
      this.#left -= 1
      this.#given += 1
      return event
    }
    return undefined
  }

  async #advance(): Promise<Result> {
    try {
      this.#begin()
      while (!this.#ended) {
        await this.#rest()
        const value = this.#ready()
        if (value) return { done: false, value }
        if (this.#ended) break
        if (this.#left === 0 || !(await this.#read())) this.#finish()
      }
    } catch (error) {
      this.#end()
      throw toBusError(error, 'log_failed', 'the log could not be read', { stage: 'read' })
    }
    const failure = this.#failure
    this.#failure = undefined
    if (failure) throw failure
    return DONE
  }

  #begin(): void {
    if (this.#portions || this.#ended) return
    if (this.#signal?.aborted) {
      this.#end()
      return
    }
    const abort = (): void => this.#end()
    const forget = this.#source.onClose(() =>
      this.#end(new BusError('closed', 'the bus was closed while its log was replayed')),
    )
    this.#signal?.addEventListener('abort', abort, { once: true })
    this.#forget = () => {
      forget()
      this.#signal?.removeEventListener('abort', abort)
    }
    this.#portions = this.#select()
  }

  /** Waits until the next event is due. */
  async #rest(): Promise<void> {
    const { events, time } = this.#portion ?? { events: [], time: 0 }
    if (this.#next < events.length) await this.#pace?.until(time)
  }

  /** Reads on; false where there is nothing left. Whoever ends the replay need not wait for the log. */
  async #read(): Promise<boolean> {
    const before = this.#portion
    if (before) this.#progress(before.done, before.total)
    const portions = this.#portions as AsyncGenerator<Portion, void, void>
    const interrupted = new Promise<undefined>((resolve) => {
      this.#interrupt = () => resolve(undefined)
    })
    const read = await Promise.race([portions.next(), interrupted])
    this.#interrupt = undefined
    if (read === undefined) return true
    if (read.done) return false
    if (before && before.clock !== read.value.clock) this.#pace?.restart()
    this.#portion = read.value
    this.#next = 0
    return true
  }

  /** The end that was meant. */
  #finish(): void {
    const { total } = this.#portion ?? { total: 0 }
    this.#end()
    this.#tell(total, total)
  }

  #progress(done: number, total: number): void {
    const step = Math.floor((done / total) * PROGRESS_STEPS)
    if (step === this.#told || done === total) return
    this.#told = step
    this.#tell(done, total)
  }

  #tell(done: number, total: number): void {
    try {
      this.#onProgress?.({ done, total, events: this.#given })
    } catch (cause) {
      const what = 'onProgress of a replay threw'
      this.#source.report(new BusError('handler_failed', what, { stage: 'read', cause }))
    }
  }

  #end(failure?: BusError): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = failure
    this.#portion = undefined
    this.#forget?.()
    this.#pace?.stop()
    this.#interrupt?.()
    // What is being read ends by itself; nobody hears of it any more.
    this.#portions?.return().catch(() => {})
  }
}

const DONE: Result = { done: true, value: undefined }
