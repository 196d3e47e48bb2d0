/**
 * A durable consumer as this context has it: waits for its turn, consumes in it, and waits again.
 * A page that is about to stand still lets go of its turn in the same task.
 */
import { BusError, isBusError, toBusError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import type { AskedTurn, ConsumerOptions, Consuming, Ending, Turn } from './consume.ts'
import type { ConsumerStats } from './types.ts'

/** Before a log that could not be had or used is tried again. */
const AGAIN_MS = 1_000

export class DurableConsumer {
  readonly #options: ConsumerOptions
  #turn: AskedTurn | undefined
  #released: (() => void) | undefined
  #holding: Turn | undefined
  #state: ConsumerStats['state'] = 'waiting'
  /** Set while the page stands still, or is about to. */
  #stands: PromiseWithResolvers<void> | undefined
  #began = false
  /** What consumes could not be loaded, which was told. */
  #missing = false
  #ended = false
  #serving: Promise<void> | undefined

  constructor(options: ConsumerOptions) {
    this.#options = options
  }

  start(): void {
    // Before its turn: by then the page may be offline, or of a release that is gone.
    this.#options.part.load().catch(() => {})
    this.#serving = this.#serve()
  }

  get stats(): ConsumerStats {
    const { name, given } = this.#options
    const none = { floor: 0, pending: 0, lag: 0, redelivered: 0, dead: 0 }
    const counts = this.#holding?.counts ?? none
    return { name, subscription: given.order, state: this.#state, ...counts }
  }

  /** The log has more. */
  wake(head?: number): void {
    this.#holding?.wake(head)
  }

  get patterns(): readonly string[] {
    return this.#options.given.patterns
  }

  get name(): string {
    return this.#options.name
  }

  /** Dead letters of it are to be given again. */
  redriven(): void {
    this.#holding?.redriven()
  }

  /** The page is about to stand still. */
  suspend(): void {
    this.#stands ??= Promise.withResolvers()
    void this.#letGo(true)
  }

  /** It moves again. */
  resume(): void {
    this.#stands?.resolve()
    this.#stands = undefined
  }

  /** Resolves when what ran has ended, and another context may go on. */
  async end(): Promise<void> {
    if (!this.#ended) {
      this.#ended = true
      this.#state = 'ended'
      this.resume()
      await this.#letGo(false)
      this.#options.given.end()
    }
    await this.#serving
  }

  async #letGo(atOnce: boolean): Promise<void> {
    const released = this.#released
    await this.#turn?.release(atOnce)
    released?.()
  }

  async #serve(): Promise<void> {
    let lost: Log | undefined
    while (!this.#ended) {
      if (this.#stands) await this.#stands.promise
      const log = await this.#openLog()
      if (!log || log === lost) await this.#pause()
      if (!log || this.#ended || this.#stands) continue
      // Where it consumed before and nothing is known of it, the log was cleared: all is new.
      const ending = await this.#consume(log, this.#began ? 'start' : this.#options.from)
      this.#began ||= this.#holding?.began === true
      if (ending === 'needs_upgrade' && !this.#ended) {
        // Others may know the version, and get the turn; this context never will.
        this.#state = 'needs_upgrade'
        return
      }
      lost = ending === 'lost' ? log : undefined
    }
  }

  async #openLog(): Promise<Log | undefined> {
    const { open, name, report } = this.#options
    try {
      const log = await open()
      if (log) return log
      const what = `durable consumer ${name} needs a log of its own: this context keeps its events with another`
      report(new BusError('unreachable', what, { stage: 'consume' }))
      this.#ended = true
    } catch (error) {
      // Why it did not open was told.
      if (isBusError(error, 'closed')) this.#ended = true
    }
    return undefined
  }

  #consume(log: Log, from: ConsumerOptions['from']): Promise<Ending> {
    const { name, report, takeTurn } = this.#options
    return new Promise((resolve) => {
      let ending: Ending = 'released'
      this.#state = 'waiting'
      this.#released = () => resolve('released')
      const lead = async (signal: AbortSignal): Promise<void> => {
        let holding: Turn | undefined
        try {
          const { transact } = this.#options
          const { Holding, transactionsOf, ...reading } = await this.#loaded()
          const transactions = transact && transactionsOf(transact)
          holding = new Holding({ ...this.#options, ...reading, from, transactions }, log)
          this.#holding = holding
          this.#state = 'running'
          ending = await holding.run(signal)
        } catch (error) {
          const reason = toBusError(error, 'log_failed', 'consuming failed', { stage: 'consume' })
          if (!this.#missing) report(reason)
          this.#missing = reason.code === 'unavailable'
          ending = 'lost'
        }
        if (this.#holding === holding) this.#state = 'waiting'
      }
      this.#turn = takeTurn(log, name, lead, () => resolve(ending))
    })
  }

  async #loaded(): Promise<Consuming> {
    const { part } = this.#options
    const module = part.now ?? (await part.load())
    this.#missing = false
    return module
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.platform.timer(AGAIN_MS, resolve))
  }
}
