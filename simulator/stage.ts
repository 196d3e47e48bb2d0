// Carries out a scenario on a test network.
import type { Bus, BusEvent } from '@crosstown/bus'
import type { TestContext, TestDevice, TestNetwork } from '@crosstown/bus/testing'
import type { Action, Slot } from './actions.ts'
import { type Heard, type Instance, isOver, Ledger } from './ledger.ts'

/** The one bus name and room of a run. */
export const NAME = 'app'
export const ROOM = 'room'

interface Data {
  readonly key: string
  readonly persist: boolean
  /** Changed right after the event was published. */
  mark: string
}

/** What `mark` is when an event is published. */
export const PRISTINE = 'as published'
/** In which leadership passes on from a page that is frozen. */
const HAND_OVER_MS = 2_000
/** What a device reads that reads only some. */
export const SOME_TYPES: readonly string[] = ['fact.stated', 'fact.cursed']
/** Events that may wait for a log at most. */
export const QUEUE_EVENTS = 40

type AnyBus = Bus<Record<string, Data>>

interface Place {
  /** How often it was hidden, shown, frozen. */
  disturbed: number
  readonly context: TestContext
  readonly bus: AnyBus
  readonly instance: Instance
}

type Of<Name extends Action['do']> = Extract<Action, { do: Name }>

export class Stage {
  readonly network: TestNetwork
  readonly ledger: Ledger = new Ledger()
  readonly #places = new Map<string, Place>()
  /** What was asked for and takes its time: closing, draining, copying. */
  #bursts = 0
  readonly #running = new Set<Promise<unknown>>()

  /** Names of devices that read only some types. */
  readonly partial: ReadonlySet<string>

  constructor(network: TestNetwork, partial: readonly number[]) {
    this.network = network
    this.partial = new Set(partial.map((device) => `d${device}`))
  }

  /** Buses of contexts that live. */
  get open(): readonly Place[] {
    return [...this.#places.values()]
  }

  act(action: Action): void {
    switch (action.do) {
      case 'open':
        this.#open(action)
        return
      case 'publish':
        this.#publish(action)
        return
      case 'crash':
        this.#leave(action, (place) => place.context.crash())
        return
      case 'reload':
        this.#leave(action, ({ context }) => {
          if (!context.frozen) context.lifecycle.change('pagehide', false)
          context.crash()
        })
        return
      case 'close':
        this.#leave(action, ({ context }) => {
          if (context.frozen) context.crash()
          else this.#follow(context.close())
        })
        return
      case 'freeze':
        this.#freeze(action)
        return
      case 'thaw':
        this.#at(action)?.context.thaw()
        return
      case 'hide':
      case 'show':
        this.#at(action)?.context.show(action.do === 'show')
        this.#disturb(action)
        return
      case 'cache':
        this.#at(action)?.context.cache()
        this.#disturb(action)
        return
      case 'uncache':
        this.#at(action)?.context.thaw()
        return
      case 'clear':
        this.#clear(action)
        return
      default:
        this.#trouble(action)
    }
  }

  /** Waits for what the script began and did not wait for. */
  async rest(): Promise<void> {
    while (this.#running.size > 0) await this.network.until(Promise.all(this.#running))
  }

  #trouble(action: Exclude<Action, Slot>): void {
    const { network, ledger } = this
    const { relay } = network
    switch (action.do) {
      case 'cut':
        network.partition(this.#device(action), { silently: action.silently })
        return
      case 'mend':
        relay.mend(this.#device(action))
        return
      case 'drop':
        relay.drop(this.#device(action))
        return
      case 'tabs':
        this.#device(action).channels.faults = action
        return
      case 'calmTabs':
        this.#device(action).channels.calm()
        return
      case 'disk':
        this.#device(action).disk(NAME, ROOM).faults = action
        return
      case 'calmDisk':
        this.#device(action).disk(NAME, ROOM).calm()
        return
      case 'wipe':
        this.#device(action).disk(NAME, ROOM).clear()
        return
      case 'disconnect':
        this.#device(action).disk(NAME, ROOM).disconnect()
        return
      case 'power':
        this.#cutPower(action)
        return
      case 'clock':
        this.#device(action).clockOffset += action.ms
        return
      case 'clone':
        this.#clone(action)
        return
      case 'relayCrash':
        relay.crash()
        return
      case 'relayDrain':
        this.#follow(relay.drain())
        return
      case 'relayStart':
        relay.start()
        return
      case 'relayFail':
        relay.fail(action.probability)
        return
      case 'relayRestore':
        ledger.losses += 1
        this.#follow(relay.restore(Math.max(0, relay.writes - action.lost)))
        return
      case 'relayWipe':
        ledger.losses += 1
        relay.wipe()
    }
  }

  /** A profile is copied where there was none. */
  #clone({ device, to }: Of<'clone'>): void {
    const copy = this.#device({ device: to })
    if (copy.disks.length === 0) this.#follow(copy.copyFrom(this.#device({ device })))
  }

  #disturb(where: Slot): void {
    const place = this.#at(where)
    if (place) place.disturbed += 1
  }

  /** Of the pages that go on running one must lead soon. */
  #freeze(where: Slot): void {
    const place = this.#at(where)
    if (!place) return
    const { device, name, context } = { ...place.instance, context: place.context }
    const others = this.open.filter((other) => other !== place && canLead(other, device))
    const disturbed = others.map((other) => other.disturbed)
    this.#disturb(where)
    context.freeze()
    const hears = context.kind === 'page' && others.length > 0
    if (!hears || !device.disk(NAME, ROOM).isCalm) return
    this.network.after(HAND_OVER_MS, () => {
      const same = others.some((other, i) => {
        return canLead(other, device) && other.disturbed === disturbed[i]
      })
      if (!context.frozen || !same || !device.disk(NAME, ROOM).isCalm) return
      const leads = this.open.some(
        (other) =>
          other.instance.device === device &&
          !other.context.frozen &&
          other.bus.status.get().leader,
      )
      if (!leads) this.ledger.violations.push(`leadership: nobody leads since ${name} was frozen`)
    })
  }

  /** Fails where the log cannot be cleared just now, as it says. */
  #clear(where: Slot): void {
    const place = this.#at(where)
    if (place) this.#follow(place.bus.clear().catch(() => {}))
  }

  #cutPower({ device, lost }: Of<'power'>): void {
    const hit = this.#device({ device })
    for (const [key, { instance }] of this.#places) {
      if (instance.device !== hit) continue
      instance.left = true
      this.#places.delete(key)
    }
    this.#follow(hit.cutPower(lost))
  }

  #follow(promise: Promise<unknown>): void {
    this.#running.add(promise)
    promise
      .catch((error) => this.ledger.violations.push(`the script failed: ${String(error)}`))
      .finally(() => this.#running.delete(promise))
  }

  #device({ device }: { readonly device: number }): TestDevice {
    return this.network.device(`d${device}`)
  }

  #at({ device, slot }: Slot): Place | undefined {
    const place = this.#places.get(`${device}/${slot}`)
    return place?.context.alive ? place : undefined
  }

  #leave(where: Slot, leave: (place: Place) => void): void {
    const place = this.#at(where)
    if (!place) return
    this.#places.delete(`${where.device}/${where.slot}`)
    place.instance.left = true
    leave(place)
  }

  #open({ device, slot, kind }: Of<'open'>): void {
    const at = `${device}/${slot}`
    if (this.#at({ device, slot })) return
    const on = this.#device({ device })
    const context = on.open(kind)
    const instance: Instance = {
      name: `d${device}/${slot}#${this.ledger.instances.length}`,
      device: on,
      context,
      live: [],
      all: [],
      openedAt: this.network.now,
      errors: [],
      gaps: [],
      left: false,
    }
    this.ledger.instances.push(instance)
    const bus: AnyBus = context.createBus({
      name: NAME,
      room: ROOM,
      ...(this.partial.has(on.origin.name) ? { types: SOME_TYPES } : undefined),
      source: instance.name,
      limits: { queueEvents: QUEUE_EVENTS },
      onError: (error) => instance.errors.push(error),
      onGap: (gap) => instance.gaps.push(gap),
    })
    bus.subscribe('fact.cursed', () => {
      throw new Error('cursed')
    })
    bus.subscribe('**', (event, { origin }) => void instance.live.push(heard(event, origin)))
    bus.subscribe('**', (event, { origin }) => void instance.all.push(heard(event, origin)), {
      from: 'start',
    })
    if (slot === 0) this.#answer(bus, instance)
    bus.status.subscribe(({ log }) => {
      if (log.state === 'open') void this.#ready(instance)
    })
    this.#places.set(at, { disturbed: 0, context, bus, instance })
  }

  /** From which record on it hears everything; anew where it got another log. */
  async #ready(instance: Instance): Promise<void> {
    const { logId, head } = await instance.device.disk(NAME, ROOM).log.state()
    if (instance.logId === logId) return
    instance.logId = logId
    instance.ready = head.batch
  }

  /** Events that others cause. */
  #answer(bus: AnyBus, instance: Instance): void {
    bus.subscribe('fact.asked', (_, context) => {
      if (context.replaying || isOver(instance)) return
      const publication = this.ledger.publication(instance, {
        type: 'fact.answered',
        scope: 'room',
        persist: true,
        until: 'logged',
        burst: this.#bursts++,
        at: this.network.now,
      })
      const { key, persist, type } = publication
      const answer = context.publish(type, { key, persist, mark: PRISTINE })
      this.ledger.follow(publication, answer)
    })
  }

  #publish(action: Of<'publish'>): void {
    const place = this.#at(action)
    if (!place || place.context.frozen) return
    const { bus, instance } = place
    const { scope, persist, until, type } = action
    const options = { scope, persist, until }
    let burst = this.#bursts++
    const made = Array.from({ length: action.count }, () => {
      if (action.together) burst = this.#bursts++
      const publication = this.ledger.publication(instance, {
        type,
        burst,
        at: this.network.now,
        ...options,
      })
      return { publication, data: { key: publication.key, persist, mark: PRISTINE } }
    })
    if (!action.together) {
      for (const { publication, data } of made) {
        this.ledger.follow(publication, bus.publish(type, data, options))
        // It was encoded when it was published: what its publisher does then is nobody's concern.
        data.mark = 'changed'
      }
      return
    }
    const entries = made.map(({ data }) => ({ type, data, scope, persist }))
    const all = bus.publishBatch(entries, { until })
    for (const { data } of made) data.mark = 'changed'
    made.forEach(({ publication }, i) => {
      this.ledger.follow(
        publication,
        all.then((events) => events[i] as BusEvent),
      )
    })
  }
}

/** A page that people see, whose log is open. */
function canLead({ context, instance, bus }: Place, device: TestDevice): boolean {
  return (
    instance.device === device &&
    context.alive &&
    !context.frozen &&
    context.lifecycle.visibility() === 'visible' &&
    bus.status.get().log.state === 'open'
  )
}

function heard({ id, data, scope, type }: BusEvent, origin: string): Heard {
  if (type.startsWith('$')) return { id, key: '', persist: true, scope, pristine: true }
  const { key, persist, mark } = data as Data
  return { id, key, persist, scope, pristine: origin === 'self' || mark === PRISTINE }
}
