/** Calls of a handler for the same events, until one succeeds or none is left. */
import { BusError } from '../errors.ts'
import type { Platform } from '../platform.ts'
import type { Delivery } from './dispatch.ts'
import { backoffMs, type Handling } from './options.ts'

/** What the dispatcher does with each call. */
export interface Calls {
  /** Calls the handler; `signal` is what it is given, the subscription's where it is absent. */
  readonly call: (
    deliveries: readonly Delivery[],
    attempt: number,
    signal: (() => AbortSignal) | undefined,
  ) => unknown
  /** The subscription's. */
  readonly signal: () => AbortSignal
  /** The handler is called again. */
  readonly retried: (deliveries: readonly Delivery[], attempt: number) => void
  /** An attempt failed. */
  readonly failed: (deliveries: readonly Delivery[]) => void
}

export interface Outcome {
  readonly failure: { readonly reason: unknown } | undefined
  /** How long the last call took. */
  readonly ms: number
}

/** Events that are being handled. */
interface Work {
  readonly deliveries: readonly Delivery[]
  calls: number
  began: number
}

export class Attempts {
  readonly #handling: Handling
  readonly #platform: Pick<Platform, 'monotonic' | 'random' | 'timer'>
  readonly #calls: Calls
  /** Ends the pauses before the next attempts. */
  readonly #pauses = new Set<() => void>()
  #ended = false

  constructor(
    handling: Handling,
    platform: Pick<Platform, 'monotonic' | 'random' | 'timer'>,
    calls: Calls,
  ) {
    this.#handling = handling
    this.#platform = platform
    this.#calls = calls
  }

  /** The first call is made before this returns. */
  async make(deliveries: readonly Delivery[]): Promise<Outcome> {
    const { attempts, backoff } = this.#handling
    const platform = this.#platform
    const work: Work = { deliveries, calls: 0, began: platform.monotonic() }
    for (let attempt = 1; ; attempt++) {
      let failure: Outcome['failure']
      try {
        await this.#guarded(work)
      } catch (reason) {
        failure = { reason: isOpenCircuit(reason) ? circuitOpen(deliveries, reason) : reason }
        this.#calls.failed(deliveries)
      }
      const ms = platform.monotonic() - work.began
      if (!failure || attempt >= attempts || this.#ended) return { failure, ms }
      await this.#pause(backoffMs(backoff, attempt, () => platform.random()))
      if (this.#ended) return { failure, ms }
    }
  }

  /** No further attempt is made. */
  end(): void {
    this.#ended = true
    for (const go of this.#pauses) go()
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        cancel()
        this.#pauses.delete(go)
        resolve()
      }
      const cancel = this.#platform.timer(ms, go)
      this.#pauses.add(go)
    })
  }

  #guarded(work: Work): unknown {
    const { policy } = this.#handling
    if (!policy) return this.#call(work)
    return policy.execute((context) => this.#call(work, context?.signal), this.#calls.signal())
  }

  #call(work: Work, given?: AbortSignal): unknown {
    const { deliveries } = work
    work.calls += 1
    work.began = this.#platform.monotonic()
    if (work.calls > 1) this.#calls.retried(deliveries, work.calls)
    const { timeout } = this.#handling
    if (timeout > 0) return this.#limited(work, timeout, given)
    const signal = given && (() => AbortSignal.any([this.#calls.signal(), given]))
    return this.#calls.call(deliveries, work.calls, signal)
  }

  async #limited(
    { deliveries, calls }: Work,
    timeout: number,
    given: AbortSignal | undefined,
  ): Promise<unknown> {
    const controller = new AbortController()
    let cancel = (): void => {}
    const late = new Promise<never>((_, reject) => {
      cancel = this.#platform.timer(timeout, () => {
        const what = `a handler took longer than ${timeout} ms`
        const error = new BusError('timeout', what, aboutFirst(deliveries))
        // First, so that a handler that rejects because of its signal comes too late.
        reject(error)
        controller.abort(error)
      })
    })
    const signal = (): AbortSignal => {
      const all = [this.#calls.signal(), controller.signal]
      return AbortSignal.any(given ? [...all, given] : all)
    }
    try {
      return await Promise.race([this.#calls.call(deliveries, calls, signal), late])
    } finally {
      cancel()
    }
  }
}

/** What a breaker throws while it lets nothing through: Cockatiel's, or one that says the same. */
function isOpenCircuit(error: unknown): boolean {
  return (error as { isBrokenCircuitError?: unknown } | undefined)?.isBrokenCircuitError === true
}

function circuitOpen(deliveries: readonly Delivery[], cause: unknown): BusError {
  const what = 'the circuit breaker of a handler is open'
  return new BusError('circuit_open', what, { ...aboutFirst(deliveries), cause })
}

function aboutFirst([first]: readonly Delivery[]): object {
  return { stage: 'dispatch', eventId: first?.event.id, eventType: first?.event.type }
}
