/** A device of a kill run: a real bus with a log on disk, which publishes for as long as it is let. */
import { type Bus, createBus, isBusError, relayLink } from '@crosstown/bus'
import { sqliteLog } from '@crosstown/bus/log/sqlite'
import type { Random } from '@crosstown/bus/testing'

/** What an event says: who published it, and as how many. */
export interface Said {
  readonly by: string
  readonly n: number
  readonly text: string
}

/** An event where it was read. */
export interface Seen {
  readonly id: string
  readonly position?: string | undefined
  readonly said: Said
}

type Load = { 'load.said': Said; 'load.ended': null }

/** Events that may wait for the relay before the device publishes more. */
const UNDER_WAY = 150
/** Events of one device: where the relay is never killed, the run has to end, too. */
const MOST = 20_000

export class KillDevice {
  readonly name: string
  readonly bus: Bus<Load>
  /** All it was asked to publish, in order. */
  readonly said: Said[] = []
  /** Of these, the ones that the relay confirmed, by id. */
  readonly confirmed: Map<string, Seen> = new Map()
  readonly failures: unknown[] = []
  /** Resolves when it has heard the end of the load. */
  readonly ended: Promise<unknown>
  readonly #random: Random
  readonly #underWay = new Set<Promise<unknown>>()

  constructor(name: string, url: string, folder: string, random: Random) {
    this.name = name
    this.#random = random
    this.bus = createBus<Load>({
      name,
      tabs: false,
      // The device itself is not killed: what it promises is not what is tried here.
      log: sqliteLog(`${folder}/${name}.log.db`, { durability: 'relaxed' }),
      relay: relayLink({ url, room: '42' }),
      onError: (error) => {
        // It waited at the gate for as long as workerd held on to the room, or the relay told it that
        // its engine is gone; it tries again.
        const isPassing = isBusError(error, 'timeout') || isBusError(error, 'unavailable')
        if (!isPassing || error.stage !== 'links') this.failures.push(error)
      },
      onGap: (gap) => this.failures.push(gap),
    })
    this.ended = this.bus.once('load.ended')
    // Of a run that failed nobody waits for it.
    this.ended.catch(() => {})
  }

  /** Publishes in bursts, one after the other is in its log, until it is told to stop. */
  async publishUntil(stopped: () => boolean): Promise<void> {
    while (!stopped()) {
      if (this.said.length > MOST) throw new Error(`${this.name} has published all it may`)
      const count = 1 + this.#random.below(20)
      if (this.#random.chance(0.3)) this.#publishTogether(count)
      else for (let i = 0; i < count; i++) this.#publishTogether(1)
      await this.bus.flush({ until: 'logged' })
      while (this.#underWay.size > UNDER_WAY) await Promise.race(this.#underWay)
    }
    await Promise.all(this.#underWay)
  }

  /** The log, in the order of the room or in its own. */
  async read(order: 'room' | 'device'): Promise<Seen[]> {
    const seen: Seen[] = []
    for await (const { id, position, data } of this.bus.replay({ order, pattern: 'load.said' }))
      seen.push({ id, position, said: data })
    return seen
  }

  #publishTogether(count: number): void {
    const drafts = Array.from({ length: count }, () => {
      const text = this.#random.text(1 + this.#random.below(200))
      const said: Said = { by: this.name, n: this.said.length, text }
      this.said.push(said)
      return { type: 'load.said' as const, data: said }
    })
    const published = this.bus.publishBatch(drafts, { until: 'relayed' }).then(
      (events) => {
        for (const [i, { id, position }] of events.entries())
          this.confirmed.set(id, { id, position, said: (drafts[i] as { data: Said }).data })
      },
      (error: unknown) => this.failures.push(error),
    )
    this.#underWay.add(published)
    void published.finally(() => this.#underWay.delete(published))
  }
}
