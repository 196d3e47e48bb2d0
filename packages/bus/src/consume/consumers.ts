/** The durable consumers of a bus. */
import type { Given } from '../dispatch/dispatch.ts'
import { BusError, isBusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import type { DurableOptions, ReadFrom, Transact, TransactOptions } from '../types.ts'
import type { ConsumeOptions } from './consume.ts'
import { DurableConsumer } from './consumer.ts'
import { assertName, settlingOf } from './options.ts'
import type { ConsumerStats } from './types.ts'

export interface ConsumersOptions<Handler> extends ConsumeOptions {
  readonly hasLog: boolean
  /** Makes the subscription that a consumer gives its events. */
  readonly give: (
    patterns: unknown,
    handler: Handler,
    where: ((event: BusEvent) => boolean) | undefined,
  ) => Given
  readonly isName: (text: string) => boolean
  /** @throws {BusError} invalid_options */
  readonly assertFrom: (from: ReadFrom, confirmed: boolean) => void
}

export class Consumers<Handler> {
  readonly #options: ConsumersOptions<Handler>
  readonly #all = new Set<DurableConsumer>()
  #unfollow: (() => void)[] | undefined

  constructor(options: ConsumersOptions<Handler>) {
    this.#options = options
  }

  /** @throws {BusError} invalid_options, invalid_pattern, unreachable */
  subscribe(patterns: unknown, handler: Handler, options: DurableOptions<BusEvent>): () => void {
    const { hasLog, hasRelay, platform, part, give, isName, assertFrom, onRedriven } = this.#options
    const { signal, where, from = 'start', confirmed = false, policy } = options
    const name = assertName(options.durable, 'durable', isName)
    const settling = settlingOf(
      // One at a time, in whatever order.
      'transact' in options ? { concurrency: 1, ...options } : options,
      'durable',
    )
    if (policy !== undefined && typeof policy?.execute !== 'function')
      invalid('policy: has execute(fn)')
    const { transact } = options as Partial<TransactOptions<BusEvent, Transact>>
    if (transact && settling.concurrency > 1)
      invalid('concurrency: with transact, one event at a time')
    if (transact) part.now?.transactionsOf(transact)
    if (!hasLog) refuse('durable needs a log, and this bus has none')
    if (confirmed && !hasRelay) refuse('confirmed needs a relay, and this bus has none')
    assertFrom(from, confirmed)
    const given = give(patterns, handler, where)
    const consumer = new DurableConsumer({
      ...this.#options,
      name,
      given,
      settling,
      confirmed,
      // What is published from now on, also before the log is open.
      from: from === 'now' ? new Date(platform.now()) : from,
      filtered: where !== undefined,
      policy,
      transact,
    })
    const end = (): void => {
      signal?.removeEventListener('abort', end)
      void consumer.end().then(() => this.#all.delete(consumer))
    }
    this.#all.add(consumer)
    if (signal?.aborted) {
      end()
      return end
    }
    signal?.addEventListener('abort', end, { once: true })
    this.#unfollow ??= [
      this.#followPage(),
      onRedriven((names) => {
        for (const one of this.#all) if (names.includes(one.name)) one.redriven()
      }),
    ]
    if (transact && !part.now) {
      const wrong = (error: BusError): void => {
        if (isBusError(error, 'invalid_options')) {
          this.#options.report(error)
          end()
        }
      }
      part
        .load()
        .then(({ transactionsOf }) => void transactionsOf(transact))
        .catch(wrong)
    }
    consumer.start()
    return end
  }

  #followPage(): () => void {
    return this.#options.platform.lifecycle.on((change) => {
      if (change === 'freeze' || change === 'pagehide') for (const one of this.#all) one.suspend()
      else if (change === 'resume' || change === 'pageshow')
        for (const one of this.#all) one.resume()
    })
  }

  /** The log has more, up to record number `head` where that is known. */
  wake(head?: number): void {
    for (const consumer of this.#all) consumer.wake(head)
  }

  /** The same, with what each is for. */
  get asked(): (ConsumerStats & { readonly patterns: readonly string[] })[] {
    return [...this.#all].map(({ stats, patterns }) => ({ ...stats, patterns }))
  }

  get stats(): ConsumerStats[] {
    return [...this.#all].map(({ stats }) => stats)
  }

  /** Ends all of them; resolves when what ran has ended, and is written. */
  async close(): Promise<void> {
    for (const end of this.#unfollow ?? []) end()
    await Promise.all([...this.#all].map((consumer) => consumer.end()))
  }
}

function invalid(what: string): never {
  throw new BusError('invalid_options', `subscribe: ${what}`, { stage: 'consume' })
}

function refuse(what: string): never {
  throw new BusError('unreachable', `subscribe: ${what}`, { stage: 'consume' })
}
