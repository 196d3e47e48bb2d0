/**
 * One call of a handler that settles its event: what it returns, throws and says through `ctx`, and
 * what becomes of it when it says nothing in time.
 */
import { BusError } from '../errors.ts'
import type { Platform } from '../platform.ts'
import type { Policy } from '../types.ts'
import { isMs } from './options.ts'
import type { Outcome } from './settlement.ts'
import type { Settle } from './types.ts'

export interface CallOptions {
  readonly platform: Pick<Platform, 'timer'>
  /** Milliseconds in which it has to be settled. */
  readonly waitMs: number
  readonly policy: Policy | undefined
  /** Calls the handler. */
  readonly run: (settle: Settle, signal: () => AbortSignal) => unknown
  /**
   * Told how it ended, once; and once more where it is acknowledged after it lapsed: that counts still.
   */
  readonly settled: (outcome: Outcome) => void
  /** The handler needs more time. */
  readonly progress?: () => void
  /** The handler returned or threw, or its promise settled: its call runs no longer. */
  readonly ended: () => void
}

export class Call implements Settle {
  readonly #options: CallOptions
  #controller: AbortController | undefined
  #aborted: BusError | undefined
  #outcome: Outcome | undefined
  #cancel: () => void = () => {}

  constructor(options: CallOptions) {
    this.#options = options
  }

  /** Calls the handler before it returns. */
  begin(): void {
    this.#wait()
    void this.#run()
  }

  /** Does not call the handler: the event is not its any more. */
  skip(): void {
    this.#outcome = { is: 'ack' }
    this.#options.ended()
  }

  async #run(): Promise<void> {
    const { policy, run, ended } = this.#options
    let called = false
    const call = (signal?: AbortSignal): unknown => {
      called = true
      return run(
        this,
        signal ? () => AbortSignal.any([signal, this.#signal()]) : () => this.#signal(),
      )
    }
    try {
      await (policy ? policy.execute((context) => call(context?.signal), this.#signal()) : call())
      this.#settle({ is: 'ack' })
    } catch (error) {
      this.#settle({ is: 'threw', error, called })
    }
    ended()
  }

  ack(): void {
    this.#settle({ is: 'ack' })
  }

  nak(delayMs?: number): void {
    this.#settle({ is: 'nak', delayMs: isMs(delayMs, 0) ? delayMs : undefined })
  }

  term(reason?: string): void {
    this.#settle({ is: 'term', reason })
  }

  inProgress(): void {
    if (this.#outcome) return
    this.#wait()
    this.#options.progress?.()
  }

  /** Asks the handler to end; what it says still counts. */
  stop(reason: BusError): void {
    this.#abort(reason)
  }

  /** Nobody waits for it any more: the consumer ended, or is another context's. */
  abandon(reason: BusError): void {
    this.#outcome = { is: 'ack' }
    this.#cancel()
    this.#abort(reason)
  }

  #wait(): void {
    this.#cancel()
    const { platform, waitMs } = this.#options
    this.#cancel = platform.timer(waitMs, () => {
      this.#settle({ is: 'lapsed' })
      const what = `nothing was said of an event within ${waitMs} ms`
      this.#abort(new BusError('timeout', what, { stage: 'consume' }))
    })
  }

  #settle(outcome: Outcome): void {
    const before = this.#outcome
    if (before && (before.is !== 'lapsed' || outcome.is !== 'ack')) return
    this.#outcome = outcome
    this.#cancel()
    this.#options.settled(outcome)
  }

  #abort(reason: BusError): void {
    this.#aborted ??= reason
    this.#controller?.abort(reason)
  }

  /** Made only when a handler looks at it. */
  #signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#aborted) this.#controller.abort(this.#aborted)
    return this.#controller.signal
  }
}
