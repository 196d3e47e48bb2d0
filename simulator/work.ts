// The work of a run: events of every kind, each entered into the account before it is published.
import type { BusEvent } from '@crosstown/bus'
import type { Work } from './actions.ts'
import { isOver, type Ledger } from './ledger.ts'
import { type Place, PRISTINE } from './place.ts'

export class Publishers {
  readonly #ledger: Ledger
  readonly #now: () => number
  #bursts = 0

  constructor(ledger: Ledger, now: () => number) {
    this.#ledger = ledger
    this.#now = now
  }

  /** From now on the bus answers events that ask, so that they are causes. */
  answer({ bus, instance }: Place): void {
    bus.subscribe('fact.asked', (_, context) => {
      if (context.replaying || isOver(instance)) return
      const publication = this.#ledger.publication(instance, {
        type: 'fact.answered',
        scope: 'room',
        persist: true,
        until: 'logged',
        burst: this.#bursts++,
        at: this.#now(),
      })
      const { key, persist, type } = publication
      const answer = context.publish(type, { key, persist, mark: PRISTINE })
      this.#ledger.follow(publication, answer)
    })
  }

  /** Reads a stream, and then publishes a chain of events that expect it to be as it was read. */
  async expect(
    { bus, context, instance }: Place,
    { stream, expects, count, until, together }: Extract<Work, { do: 'expect' }>,
  ): Promise<void> {
    // A context without a log has nothing to read, and nothing to expect.
    const events = await bus.loadStream(stream).catch(() => undefined)
    if (!events || context.frozen || isOver(instance)) return
    // What waits has no revision yet, and comes after all that has one.
    const newest = Math.max(0, ...events.map(({ revision = 0 }) => revision))
    const waiting = events.filter(({ revision, position }) => !revision && !position).length
    const first = newest + waiting + (expects === 'wrong' ? 7 : 0)
    const burst = this.#bursts++
    const made = Array.from({ length: count }, (_, i) => {
      const word = expects === 'head' || expects === 'wrong' ? first + i : expects
      const expectedRevision = expects === 'none' && i > 0 ? i : word
      const publication = this.#ledger.publication(instance, {
        type: 'fact.counted',
        scope: 'room',
        persist: true,
        until,
        burst,
        at: this.#now(),
      })
      const data = { key: publication.key, persist: true, mark: PRISTINE }
      return { publication, data, options: { stream, expectedRevision } }
    })
    if (!together) {
      for (const { publication, data, options } of made) {
        const { type } = publication
        this.#ledger.follow(publication, bus.publish(type, data, { ...options, until }))
      }
      return
    }
    const entries = made.map(({ data, options }) => ({ type: 'fact.counted', data, ...options }))
    const all = bus.publishBatch(entries, { until })
    made.forEach(({ publication }, i) => {
      const one = all.then((batch) => batch[i] as BusEvent)
      this.#ledger.follow(publication, one)
    })
  }

  publish({ bus, instance }: Place, work: Extract<Work, { do: 'publish' }>): void {
    const { scope, persist, until, type, together } = work
    const options = { scope, persist, until }
    let burst = this.#bursts++
    const made = Array.from({ length: work.count }, () => {
      if (together) burst = this.#bursts++
      const what = { type, burst, at: this.#now(), ...options }
      const publication = this.#ledger.publication(instance, what)
      return { publication, data: { key: publication.key, persist, mark: PRISTINE } }
    })
    if (!together) {
      for (const { publication, data } of made) {
        this.#ledger.follow(publication, bus.publish(type, data, options))
        // It was encoded when it was published: what its publisher does then is nobody's concern.
        data.mark = 'changed'
      }
      return
    }
    const entries = made.map(({ data }) => ({ type, data, scope, persist }))
    const all = bus.publishBatch(entries, { until })
    for (const { data } of made) data.mark = 'changed'
    made.forEach(({ publication }, i) => {
      const one = all.then((events) => events[i] as BusEvent)
      this.#ledger.follow(publication, one)
    })
  }
}
