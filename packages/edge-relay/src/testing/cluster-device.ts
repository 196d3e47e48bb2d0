/** A device of a room that several relays serve: what it said, what it heard, and what it did for a group. */
import { type Ask, type Bus, createBus, isBusError, memoryLog, relayLink } from '@crosstown/bus'

type Town = {
  'said.word': { readonly by: string; readonly n: number }
  'job.new': { readonly job: string }
  'who.is': Ask<string, string>
}

/** What is heard, done and confirmed by all devices of a test. */
export interface Witness {
  /** Ids of events that were confirmed, and who said them as how many. */
  readonly confirmed: Map<string, string>
  /** How often each job was done, and at which attempts. */
  readonly done: Map<string, number[]>
}

export class ClusterBus {
  readonly name: string
  readonly bus: Bus<Town>
  readonly errors: unknown[] = []
  /** Words in the order in which they were heard. */
  readonly heard: string[] = []
  readonly #witness: Witness
  readonly #underWay = new Set<Promise<unknown>>()
  #said = 0

  /** @param port of the proxy that leads to a relay */
  constructor(name: string, port: number, witness: Witness) {
    this.name = name
    this.#witness = witness
    this.bus = createBus<Town>({
      name,
      source: name,
      log: memoryLog(),
      tabs: false,
      relay: relayLink({ url: `ws://127.0.0.1:${port}`, room: 'town' }),
      onError: (error) => {
        // What a network does is no fault; a fault is what this is here to find.
        if (!isBusError(error) || error.stage !== 'links') this.errors.push(error)
      },
      onGap: (gap) => this.errors.push(gap),
    })
    this.bus.presence.subscribe(() => {})
    this.bus.subscribe('said.word', ({ data }) => void this.heard.push(`${data.by} ${data.n}`))
  }

  /** Does jobs, as a member of the group of all who do. */
  work(): void {
    this.bus.subscribe(
      'job.new',
      ({ data: { job } }, { attempt }) => {
        const attempts = this.#witness.done.get(job)
        if (attempts) attempts.push(attempt)
        else this.#witness.done.set(job, [attempt])
      },
      { group: 'workers', ackWait: 600_000 },
    )
  }

  respond(): void {
    this.bus.respond('who.is', ({ data }) => `${this.name} to ${data}`)
  }

  /** Says so many words, and gives out as many jobs. */
  say(count: number): void {
    for (let i = 0; i < count; i++) {
      const n = ++this.#said
      this.#publish('said.word', { by: this.name, n }, `${this.name} ${n}`)
      this.#publish('job.new', { job: `${this.name} ${n}` }, `job of ${this.name} ${n}`)
    }
  }

  /** All that it said is confirmed. */
  async confirmed(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /** Whom it sees, itself included. */
  get sees(): string[] {
    return this.bus.presence
      .get()
      .map(({ source }) => source)
      .sort()
  }

  /** Ids of all that it has in the order of the room. */
  async log(): Promise<string[]> {
    const ids: string[] = []
    for await (const { id } of this.bus.replay({ order: 'room' })) ids.push(id)
    return ids
  }

  #publish<T extends 'said.word' | 'job.new'>(type: T, data: Town[T], what: string): void {
    const published = this.bus.publish(type, data as never, { until: 'relayed' }).then(
      ({ id }) => this.#witness.confirmed.set(id, what),
      (error: unknown) => this.errors.push(error),
    )
    this.#underWay.add(published)
    void published.finally(() => this.#underWay.delete(published))
  }
}
