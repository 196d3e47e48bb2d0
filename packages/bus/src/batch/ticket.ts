import { BusError, type BusErrorCode, isBusError, toBusError } from '../errors.ts'
import type { Until } from '../types.ts'

/**
 * The promise of one `publish` or `publishBatch`: what level it waits for, and what settles it.
 * It settles once; whatever comes after is ignored.
 */
export interface Ticket {
  readonly until: Until
  /** Whether the level was asked for by name: then less does not do. */
  readonly named: boolean
  /** Promises of this context's handlers, gathered only where somebody waits for them. */
  readonly handled: Promise<unknown>[] | undefined
  /** Makes it resolve only after `room`, which never rejects: a handler has no room for the event. */
  hold?(room: Promise<void>): void
  resolve(): void
  reject(error: unknown): void
}

/** Called with a rejection that nobody awaits. */
export type ReportUnhandled = (error: BusError) => void

/**
 * A promise that knows whether somebody awaits it. A failed publish that nobody awaits must be
 * told once, and must not end a Node process as an unhandled rejection: both need to know.
 */
class WatchedPromise<T> extends Promise<T> {
  // Derived promises are plain ones: what a caller builds on top is the caller's to handle.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  watched = false

  // biome-ignore lint/suspicious/noThenProperty: overriding it is how an await is seen
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.watched = true
    return super.then(onFulfilled, onRejected)
  }

  /** Handles the rejection without counting as somebody who awaits it. */
  silence(): void {
    super.then(undefined, ignore)
  }
}

function ignore(): void {}

/** What all tickets of a bus share. */
export interface TicketContext {
  /** Runs a macrotask later, so that an `await` in the same task is seen. */
  readonly later: (run: () => void) => void
  readonly report: ReportUnhandled
}

export interface TicketOptions<T> extends TicketContext {
  readonly until: Until
  /** @default false */
  readonly named?: boolean
  readonly signal?: AbortSignal | undefined
  /** What the promise resolves with. */
  readonly value: () => T
}

/** A ticket and its promise. */
export function createTicket<T>(options: TicketOptions<T>): {
  ticket: Ticket
  promise: Promise<T>
} {
  const ticket = new ValueTicket(options)
  return { ticket, promise: ticket.promise }
}

/** Filled by {@link capture}: one executor for all promises, instead of a closure for each. */
let resolveCaptured: (value: never) => void
let rejectCaptured: (error: unknown) => void
function capture(resolve: (value: never) => void, reject: (error: unknown) => void): void {
  resolveCaptured = resolve
  rejectCaptured = reject
}

/** A ticket that resolves with `result`, which is set once there is an event. */
export class PublishTicket<T> implements Ticket {
  readonly until: Until
  readonly named: boolean
  readonly handled: Promise<unknown>[] | undefined
  readonly promise: Promise<T>
  result: T | undefined
  readonly #context: TicketContext
  /** Absent once it is settled. */
  #resolve: ((value: T) => void) | undefined
  #reject: ((error: unknown) => void) | undefined
  #forget: (() => void) | undefined
  #rooms: Promise<void>[] | undefined

  constructor(until: Until, context: TicketContext, signal?: AbortSignal, named = false) {
    this.until = until
    this.named = named
    this.handled = until === 'handled' ? [] : undefined
    this.#context = context
    this.result = undefined
    this.promise = new WatchedPromise<T>(capture as never)
    this.#resolve = resolveCaptured as (value: T) => void
    this.#reject = rejectCaptured
    this.#forget = undefined
    this.#rooms = undefined
    if (signal) this.#heed(signal)
  }

  hold(room: Promise<void>): void {
    this.#rooms ??= []
    this.#rooms.push(room)
  }

  resolve(): void {
    const resolve = this.#resolve
    if (!resolve) return
    if (this.#rooms) {
      this.#waitForRooms(this.#rooms)
      return
    }
    this.#done()
    resolve(this.value())
  }

  /** The events of a `publishBatch` share a ticket, which is resolved once for each of them. */
  #waitForRooms(rooms: Promise<void>[]): void {
    const waited = rooms.length
    void Promise.all(rooms).then(() => {
      if (this.#rooms?.length === waited) this.#rooms = undefined
      this.resolve()
    })
  }

  reject(error: unknown): void {
    const reject = this.#reject
    if (!reject) return
    this.#done()
    const promise = this.promise as WatchedPromise<T>
    promise.silence()
    reject(error)
    const { later, report } = this.#context
    later(() => {
      if (!promise.watched) report(toBusError(error, 'log_failed', 'publish failed'))
    })
  }

  protected value(): T {
    return this.result as T
  }

  #done(): void {
    this.#resolve = undefined
    this.#reject = undefined
    this.#forget?.()
  }

  #heed(signal: AbortSignal): void {
    const abort = (): void => this.reject(abortError(signal))
    if (signal.aborted) {
      abort()
      return
    }
    signal.addEventListener('abort', abort, { once: true })
    this.#forget = () => signal.removeEventListener('abort', abort)
  }
}

/** A ticket that asks for its value when it resolves. */
class ValueTicket<T> extends PublishTicket<T> {
  readonly #value: () => T

  constructor(options: TicketOptions<T>) {
    super(options.until, options, options.signal, options.named)
    this.#value = options.value
  }

  protected override value(): T {
    return this.#value()
  }
}

/** A promise of something else, under the same rules. */
export function follow<T>(
  followed: Promise<T>,
  context: TicketContext & Pick<TicketOptions<T>, 'signal'>,
): Promise<T> {
  let result: T
  const { ticket, promise } = createTicket<T>({
    ...context,
    until: 'accepted',
    value: () => result,
  })
  followed.then(
    (value) => {
      result = value
      ticket.resolve()
    },
    (error: unknown) => ticket.reject(error),
  )
  return promise
}

/** For all who wait for nothing: what fails later is told by `onError` where it fails. */
export const ACCEPTED: Ticket = {
  until: 'accepted',
  named: false,
  handled: undefined,
  resolve() {},
  reject() {},
}

/** A promise that is rejected already, under the same rules. */
export function rejectedTicket<T>(
  error: BusError,
  later: (run: () => void) => void,
  report: ReportUnhandled,
): Promise<T> {
  const { ticket, promise } = createTicket<T>({
    until: 'accepted',
    value: () => undefined as T,
    later,
    report,
  })
  ticket.reject(error)
  return promise
}

/** Settles a ticket whose level is `handled` once the log and the handlers are through. */
export async function settleHandled(ticket: Ticket): Promise<void> {
  const errors: unknown[] = []
  for (const result of await Promise.allSettled(ticket.handled ?? [])) {
    if (result.status === 'rejected') errors.push(result.reason)
  }
  if (errors.length === 0) ticket.resolve()
  else ticket.reject(handlerErrors(errors))
}

/** Where nothing but a full buffer, a timeout or an open breaker was in the way, that is the code. */
function handlerErrors(errors: readonly unknown[]): BusError {
  const what = `${errors.length} handler(s) of the event failed`
  const [code = 'handler_failed', ...others] = new Set(errors.map(codeOf))
  return new BusError(others.length > 0 ? 'handler_failed' : code, what, {
    stage: 'dispatch',
    cause: new AggregateError(errors, what),
  })
}

const OF_HANDLING: ReadonlySet<BusErrorCode> = new Set([
  'buffer_overflow',
  'timeout',
  'circuit_open',
])

function codeOf(error: unknown): BusErrorCode {
  const ours = isBusError(error) && error.stage === 'dispatch' && OF_HANDLING.has(error.code)
  return ours ? error.code : 'handler_failed'
}

export function abortError(signal: AbortSignal): BusError {
  const reason: unknown = signal.reason
  const timedOut = reason instanceof Error && reason.name === 'TimeoutError'
  return timedOut
    ? new BusError('timeout', 'the wait took longer than its signal allows', { cause: reason })
    : new BusError('aborted', 'the wait was ended by its signal', { cause: reason })
}
