// A scenario in the making: chance, and what was chosen so far.
import { Random } from '@crosstown/bus/testing'
import type { Action, EventType, Fault, Slot, Work } from './actions.ts'

/** How long there is work and trouble, in virtual milliseconds. */
const DURATION_MS = 12_000

export class Scene {
  readonly random: Random
  readonly actions: Action[] = []
  readonly devices: number
  readonly slots: number[]

  /** Nodes of the relay. */
  nodes = 1

  /** Whether there are contexts whose log does not open. */
  readonly guests: boolean

  constructor(seed: number, guests: boolean) {
    this.guests = guests
    this.random = new Random(seed)
    this.devices = 1 + this.random.below(3)
    this.slots = Array.from({ length: this.devices }, () => 1 + this.random.below(3))
  }

  add(at: number, what: Work | Fault): void {
    this.actions.push({ at: Math.round(at), ...what })
  }

  time(): number {
    return this.random.between(200, DURATION_MS)
  }

  /** How long something goes on: mostly short, sometimes most of the run. */
  span(): number {
    return this.random.chance(0.3) ? this.random.between(1_000, 8_000) : this.random.between(5, 900)
  }

  device(): number {
    return this.random.below(this.devices)
  }

  slot(): Slot {
    const device = this.device()
    return { device, slot: this.random.below(this.slots[device] as number) }
  }

  node(): number {
    return this.random.below(this.nodes)
  }

  kind(slot: number): 'page' | 'worker' | 'service-worker' {
    if (slot === 0 || this.random.chance(0.7)) return 'page'
    return this.random.chance(0.7) ? 'worker' : 'service-worker'
  }

  open(at: number, where: Slot): void {
    // The first has a log, so that there is one.
    const guest = this.guests && where.slot > 0 && this.random.chance(0.6)
    const kind = this.kind(where.slot)
    this.add(at, { do: 'open', ...where, kind, ...(guest && { disk: false }) })
  }

  #type(forRoom: boolean): EventType {
    if (!forRoom || this.random.chance(0.6)) return 'fact.stated'
    return this.random.pick(['fact.asked', 'fact.asked', 'fact.cursed', 'secret.told'] as const)
  }

  /** Some events without a device. */
  posts(): void {
    const { random } = this
    const posts = random.chance(0.3) ? 1 + random.below(6) : 0
    for (let i = 0; i < posts; i++) {
      this.add(this.time(), {
        do: 'post',
        count: 1 + random.below(4),
        own: random.chance(0.7),
        type: this.#type(true),
      })
    }
  }

  /** Work on a few streams, on which contexts and devices compete. */
  streams(): void {
    const { random } = this
    const publishes = 6 + random.below(20)
    for (let i = 0; i < publishes; i++) {
      this.add(this.time(), {
        do: 'expect',
        ...this.slot(),
        stream: random.pick(['s', 's', 't'] as const),
        expects: random.pick(['head', 'head', 'head', 'none', 'exists', 'wrong', 'any'] as const),
        count: 1 + random.below(4),
        until: random.pick(['relayed', 'relayed', 'logged', 'accepted'] as const),
        together: random.chance(0.2),
      })
    }
  }

  /** Clients that compete for streams at whichever node, and readers of these. */
  puts(): void {
    const { random } = this
    const puts = 10 + random.below(40)
    for (let i = 0; i < puts; i++) {
      const at = this.time()
      const stream = random.pick(['h', 'h', 'i'] as const)
      // Often some at once.
      for (let k = 1 + random.below(3); k > 0; k--) {
        this.add(at + random.between(0, 40), {
          do: 'put',
          stream,
          expects: random.pick([
            'known',
            'known',
            'known',
            'known',
            'none',
            'exists',
            'any',
          ] as const),
          count: random.chance(0.2) ? 2 : 1,
          once: random.chance(0.1),
        })
      }
      if (random.chance(0.5)) this.add(at + random.between(0, 80), { do: 'look', stream })
    }
  }

  /** Requests, of which some are replied to. */
  asks(): void {
    const { random } = this
    const asks = 6 + random.below(20)
    for (let i = 0; i < asks; i++) {
      this.add(this.time(), {
        do: 'ask',
        ...this.slot(),
        about: random.pick([
          'fact.sure.s0',
          'fact.sure.s1',
          'fact.perhaps',
          'fact.perhaps',
          'fact.nobody',
        ] as const),
        scope: random.pick(['room', 'room', 'room', 'device', 'context'] as const),
      })
    }
  }

  work(): void {
    const { random } = this
    const publishes = 4 + random.below(16)
    for (let i = 0; i < publishes; i++) {
      const scope = random.chance(0.8) ? 'room' : random.pick(['device', 'context'] as const)
      const persist = scope !== 'context' && random.chance(0.92)
      const levels = !persist
        ? (['accepted'] as const)
        : scope === 'room'
          ? (['logged', 'logged', 'relayed', 'handled', 'accepted'] as const)
          : (['logged', 'handled'] as const)
      this.add(this.time(), {
        do: 'publish',
        ...this.slot(),
        count: random.chance(0.1) ? 1 + random.below(60) : 1 + random.below(4),
        scope,
        persist,
        until: random.pick(levels),
        together: persist && random.chance(0.15),
        type: this.#type(persist && scope === 'room'),
      })
    }
  }
}
