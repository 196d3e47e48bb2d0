// Durable consumers in a run: every context with a log subscribes to each, and what their handlers did.
import type { BusEvent } from '@crosstown/bus'
import { Random, type TestDevice, type TestNetwork } from '@crosstown/bus/testing'
import { type Instance, isOver } from './ledger.ts'
import type { Place } from './place.ts'

const ACK_WAIT_MS = 5_000
/** In which whatever was given is settled or lapses, over and over. */
const PATIENCE_MS = 600_000
const SLICE_MS = 5_000

/** The consumers of each device, and what each is for. */
export const CONSUMERS = [
  { durable: 'each', confirmed: false, orderBy: undefined },
  { durable: 'streams', confirmed: false, orderBy: 'stream' },
  { durable: 'confirmed', confirmed: true, orderBy: undefined },
] as const

/** One call of a handler. */
export interface DurableCall {
  readonly consumer: string
  readonly id: string
  readonly by: Instance
  readonly begun: number
  /** When it ended; absent while it runs, or where its context did before. */
  ended?: number
  outcome?: 'acked' | 'failed'
}

export class DurableWorkers {
  /** In the order in which they began; what ends counts the steps in between. */
  readonly calls: DurableCall[] = []
  /** Contexts that stood still, or whose log went: others may have gone on for them. */
  readonly disturbed: Set<Instance> = new Set()
  readonly #network: TestNetwork
  readonly #random: Random
  #steps = 0

  constructor(network: TestNetwork, seed: number) {
    this.#network = network
    this.#random = new Random(seed)
  }

  join({ bus, context, instance }: Place): void {
    if (!instance.disk) return
    for (const { durable, confirmed, orderBy } of CONSUMERS) {
      bus.subscribe(
        'fact.**',
        async (event: BusEvent, { signal }) => {
          this.#steps += 1
          const { id } = event
          const call: DurableCall = { consumer: durable, id, by: instance, begun: this.#steps }
          this.calls.push(call)
          const ended = (outcome: 'acked' | 'failed'): void => {
            this.#steps += 1
            call.ended = this.#steps
            call.outcome = outcome
          }
          try {
            const fate = this.#random.next()
            const ms = this.#random.between(0, this.#random.chance(0.1) ? 2_000 : 30)
            await new Promise<void>((resolve, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason))
              // One that hangs ends when its signal does.
              if (fate > 0.02) context.platform.timer(ms, resolve)
            })
            if (fate < 0.08) throw new Error('this time it fails')
            ended('acked')
          } catch (error) {
            ended('failed')
            throw error
          }
        },
        {
          durable,
          confirmed,
          orderBy,
          maxDeliver: Number.POSITIVE_INFINITY,
          ackWait: ACK_WAIT_MS,
          backoff: [ACK_WAIT_MS],
        },
      )
    }
  }

  /** Waits until every consumer is done with the log of its device, where a context is left to do it. */
  async rest(open: readonly Place[], eventsOf: EventsOf): Promise<void> {
    const end = this.#network.now + PATIENCE_MS
    const consuming = open.filter(({ instance }) => instance.disk && !isOver(instance))
    const devices = new Set(consuming.map(({ instance }) => instance.device))
    while (this.#network.now < end) {
      let left = false
      for (const device of devices) {
        const events = await eventsOf(device)
        left ||= CONSUMERS.some((consumer) => this.left(consumer, device, events).length > 0)
      }
      if (!left) return
      await this.#network.run(SLICE_MS)
    }
  }

  /** Events of a log that a consumer of its device is not done with. */
  left(
    { durable, confirmed }: (typeof CONSUMERS)[number],
    device: TestDevice,
    events: readonly ForConsumers[],
  ): string[] {
    const done = new Set<string>()
    for (const { consumer, id, by, outcome } of this.calls)
      if (consumer === durable && by.device === device && outcome === 'acked') done.add(id)
    return events.flatMap(({ id, header: { type, scope }, position }) => {
      const inRoom = position !== undefined && scope === undefined
      const isFor = type.startsWith('fact.') && (inRoom || !confirmed)
      return isFor && !done.has(id) ? [id] : []
    })
  }
}

/** An event of a log, as far as consumers are concerned. */
export interface ForConsumers {
  readonly id: string
  readonly header: { readonly type: string; readonly scope?: string; readonly stream?: string }
  readonly position: string | undefined
}

type EventsOf = (device: TestDevice) => Promise<readonly ForConsumers[]>
