/**
 * A context without a log, whose persisted events are kept in another one's: it submits them to a
 * host, one batch at a time, and again after silence, until the host says that they are in its log.
 *
 *   seeking ──host──► submitted ──taken──► next
 *      ▲                 │  └──declined──► rejected, next
 *      └────silence──────┘        patience ended: rejected, next
 *
 * What was submitted for one log is never submitted for another, where it would be a second time.
 */
import { BusError } from '../errors.ts'
import { type EventHeader, parseId } from '../event.ts'
import type { Encoded } from '../log/log.ts'
import {
  type DeclinedFrame,
  type HostFrame,
  NO_LOG,
  type TakenFrame,
} from '../protocol/link-frames.ts'
import type { Guest, GuestOptions, Way } from './sync.ts'

/** Silence after which a submission is sent again, doubled each time up to the longest. */
const AGAIN_MS = 1_000
const MAX_AGAIN_MS = 8_000
/** How long a submission waits for its host. */
const PATIENCE_MS = 30_000

interface Submission {
  readonly headers: readonly EventHeader[]
  readonly data: readonly string[]
  readonly last: number
  readonly result: PromiseWithResolvers<number | undefined>
  /** The log for which it was sent: it may be in there. */
  log: string | undefined
  /** The hosts it was sent to: only where there is one its word is the last. */
  readonly hosts: Set<string>
  tries: number
  /** By when it must be taken, by the monotonic clock. */
  readonly until: number
}

export class Submitter implements Guest {
  readonly #options: GuestOptions
  readonly #queue: Submission[] = []
  #host: (HostFrame & { readonly way: Way }) | undefined
  #cancel: (() => void) | undefined
  /** Keeps the process alive while something waits. */
  #release: (() => void) | undefined
  #closed = false

  constructor(options: GuestOptions) {
    this.#options = options
  }

  get host(): string | undefined {
    return this.#host?.log
  }

  submit(entries: readonly Encoded[]): Promise<number | undefined> {
    const result = Promise.withResolvers<number | undefined>()
    this.#release ??= this.#options.platform.hold()
    const headers = entries.map(({ headerText }) => JSON.parse(headerText) as EventHeader)
    this.#queue.push({
      headers,
      data: entries.map(({ dataText }) => dataText),
      last: parseId(headers.at(-1)?.id ?? '')[1],
      result,
      log: undefined,
      hosts: new Set(),
      tries: 0,
      until: this.#options.platform.monotonic() + PATIENCE_MS,
    })
    if (this.#closed) this.#end(closedError())
    else if (this.#queue.length === 1) this.#go()
    return result.promise
  }

  hosted(frame: HostFrame, way: Way): void {
    if (frame.log === NO_LOG) {
      if (!this.#host && this.#options.alone()) this.#goAlone()
      return
    }
    const renewed = this.#host?.prefix === frame.prefix && this.#host.log !== frame.log
    // One that answered stays the host, until it is silent.
    if (this.#host && !renewed) return
    const current = this.#queue[0]
    // Another log is no place for what may be in the first already.
    const elsewhere = current?.log !== undefined && current.log !== frame.log
    if (elsewhere && !renewed) return
    this.#host = { ...frame, way }
    if (elsewhere) this.#end(clearedError())
    else this.#go()
  }

  taken({ log, prefix, last, batch }: TakenFrame): void {
    const current = this.#queue[0]
    if (!this.#concerns(current, log, prefix, last)) return
    this.#options.silent(false)
    this.#settle()
    current.result.resolve(batch)
    this.#next()
  }

  declined({ log, by, prefix, last, code }: DeclinedFrame): void {
    const current = this.#queue[0]
    if (!this.#concerns(current, log, prefix, last) || this.#host?.prefix !== by) return
    this.#options.silent(false)
    this.#settle()
    const what = 'the context that keeps the log did not take the event'
    const declined = new BusError(code, what, { stage: 'sync' })
    // Another one that was asked may have taken it, and may still.
    current.result.reject(current.hosts.size > 1 ? silentError(declined) : declined)
    this.#next()
  }

  #concerns(
    current: Submission | undefined,
    log: string,
    prefix: string,
    last: number,
  ): current is Submission {
    return prefix === this.#options.prefix && current?.last === last && current.log === log
  }

  #go(): void {
    const { platform, seek, prefix, alone } = this.#options
    const current = this.#queue[0]
    if (!current) return
    this.#cancel?.()
    const left = current.until - platform.monotonic()
    if (left <= 0) {
      this.#end(silentError())
      return
    }
    const host = this.#host
    if (host) {
      current.log = host.log
      current.hosts.add(host.prefix)
      current.tries += 1
      const { headers: events, data } = current
      host.way.send({ frame: 'submit', log: NO_LOG, to: host.prefix, prefix, events }, data)
    } else if (alone()) {
      this.#goAlone()
      return
    } else seek()
    const wait = Math.min(AGAIN_MS * 2 ** Math.max(0, current.tries - 1), MAX_AGAIN_MS, left)
    this.#cancel = platform.timer(wait, () => this.#silent())
  }

  /** The host may be gone, and another one there: who is there answers. */
  #silent(): void {
    this.#host = undefined
    const { seek, platform, silent } = this.#options
    const current = this.#queue[0]
    if (!current) return
    silent(true)
    if (current.until <= platform.monotonic()) {
      this.#end(silentError())
      return
    }
    current.tries += 1
    seek()
    const wait = Math.min(AGAIN_MS, current.until - platform.monotonic())
    this.#cancel = platform.timer(wait, () => this.#go())
  }

  #goAlone(): void {
    for (const { result } of this.#queue.splice(0)) result.resolve(0)
    this.#settle()
    this.#rest()
    this.#options.silent(false)
  }

  #settle(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** Ends the submission that waits, and goes on with the next. */
  #end(error: BusError): void {
    this.#settle()
    this.#queue[0]?.result.reject(error)
    this.#next()
  }

  #next(): void {
    this.#queue.shift()
    if (this.#queue.length === 0) this.#rest()
    else if (this.#closed) this.#end(closedError())
    else this.#go()
  }

  /** Nothing waits any more. */
  #rest(): void {
    this.#release?.()
    this.#release = undefined
  }

  close(): void {
    this.#closed = true
    if (this.#queue.length > 0) this.#end(closedError())
  }
}

function silentError(cause?: BusError): BusError {
  const what = 'no context that keeps a log answered: whether the event is in one is not known'
  return new BusError('unavailable', what, { stage: 'sync', cause })
}

function clearedError(): BusError {
  const what = 'the log was cleared before the event was in it'
  return new BusError('log_cleared', what, { stage: 'log' })
}

function closedError(): BusError {
  return new BusError('closed', 'the bus was closed')
}
