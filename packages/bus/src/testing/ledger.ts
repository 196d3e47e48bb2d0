/** What was published on a test's bus, and who waits for more of it. */
import type { Entry } from '../batch/batch.ts'
import { abortError } from '../batch/ticket.ts'
import { decodeValue } from '../codec/codec.ts'
import { BusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import type { Platform } from '../platform.ts'
import { parsePatterns, typeMatcher } from '../protocol/pattern.ts'
import type { Patterns } from '../types.ts'

/** Which event is waited for, and how long. */
export interface WaitOptions<Event> {
  /** Only events for which this returns true. */
  readonly where?: ((event: Event) => boolean) | undefined
  /** The so-manieth of them, those that are recorded already counted. @default 1 */
  readonly count?: number | undefined
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds. @default 2000 */
  readonly timeout?: number | undefined
}

const PATIENCE_MS = 2_000
/** Types that a timeout tells of. */
const TOLD_TYPES = 20

interface Waiter {
  look(event: BusEvent): void
  reject(error: BusError): void
}

export class Ledger {
  readonly #platform: Platform
  #entries: Entry[] = []
  readonly #waiters = new Set<Waiter>()

  constructor(platform: Platform) {
    this.#platform = platform
  }

  readonly accepted = (entries: readonly Entry[]): void => {
    for (const entry of entries) {
      this.#entries.push(entry)
      for (const waiter of [...this.#waiters]) waiter.look(recorded(entry))
    }
  }

  published(patterns: Patterns<string> = '**'): BusEvent[] {
    return this.#matching(patterns).map(recorded)
  }

  count(patterns: Patterns<string> = '**'): number {
    return this.#matching(patterns).length
  }

  #matching(patterns: Patterns<string>): Entry[] {
    const matches = typeMatcher(parsePatterns(patterns))
    return this.#entries.filter(({ event }) => matches(event.type))
  }

  forget(): void {
    this.#entries = []
  }

  end(): void {
    const closed = new BusError('closed', 'the bus was closed while waitFor() waited')
    for (const waiter of this.#waiters) waiter.reject(closed)
  }

  async waitFor(
    patterns: Patterns<string>,
    options: WaitOptions<BusEvent> = {},
  ): Promise<BusEvent> {
    const { where = () => true, count = 1, signal, timeout = PATIENCE_MS } = options
    const matches = typeMatcher(parsePatterns(patterns))
    if (!(Number.isSafeInteger(count) && count > 0 && timeout >= 0))
      throw new BusError('invalid_options', 'waitFor: count from 1, timeout from 0')
    const platform = this.#platform
    const waited = `waitFor(${JSON.stringify(patterns)})`
    let found = 0
    // Whoever awaits something keeps the process, which timers of a bus do not.
    const release = platform.hold()
    const ends = [release]
    try {
      return await new Promise<BusEvent>((resolve, reject) => {
        const look = (event: BusEvent): void => {
          if (found < count && matches(event.type) && where(event) && ++found === count)
            resolve(event)
        }
        for (const entry of this.#entries) look(recorded(entry))
        if (found === count) return
        const waiter: Waiter = {
          reject,
          look(event) {
            try {
              look(event)
            } catch (error) {
              reject(error as Error)
            }
          },
        }
        this.#waiters.add(waiter)
        const abort = (): void => reject(abortError(signal as AbortSignal))
        const tooLate = (): void => {
          const what = `${waited}: ${found} of ${count} within ${timeout} ms; ${this.#summary()}`
          reject(new BusError('timeout', what))
        }
        if (signal?.aborted) abort()
        signal?.addEventListener('abort', abort, { once: true })
        ends.push(
          () => this.#waiters.delete(waiter),
          () => signal?.removeEventListener('abort', abort),
          platform.timer(timeout, tooLate),
        )
      })
    } finally {
      for (const end of ends) end()
    }
  }

  #summary(): string {
    const counts = new Map<string, number>()
    for (const { event } of this.#entries) counts.set(event.type, (counts.get(event.type) ?? 0) + 1)
    if (counts.size === 0) return 'nothing was published'
    const told = [...counts].slice(0, TOLD_TYPES).map(([type, count]) => `${type} × ${count}`)
    return `published: ${told.join(', ')}${counts.size > TOLD_TYPES ? ', …' : ''}`
  }
}

/** The event with its data as it was published, whatever became of the object since. */
function recorded({ event, headerText, dataText }: Entry): BusEvent {
  const { encoding } = JSON.parse(headerText) as { encoding?: 'devalue' }
  return { ...event, data: decodeValue(dataText, encoding, event) }
}
