// Carries out a scenario on a test network.
import type { TestContext, TestDevice, TestNetwork } from '@crosstown/bus/testing'
import type { Action, Slot } from './actions.ts'
import { DurableWorkers } from './durable.ts'
import { GroupWorkers } from './groups.ts'
import { Histories } from './histories.ts'
import { type Instance, isOver, Ledger } from './ledger.ts'
import {
  canLead,
  clearPlace,
  NAME,
  openPlace,
  type Place,
  QUEUE_EVENTS,
  ROOM,
  SOME_TYPES,
} from './place.ts'
import { post } from './posts.ts'
import { readmit } from './readmit.ts'
import { Requesters } from './requests.ts'
import type { Scenario } from './scenario.ts'
import { Publishers } from './work.ts'

/** In which leadership passes on from a page that is frozen. */
const HAND_OVER_MS = 2_000
/** In which one is found out that is frozen and says nothing: two beats, and time to answer. */
const FIND_OUT_MS = 62_000
/** Who is signed in on all devices at first. */
const USER = 'ann'

type Of<Name extends Action['do']> = Extract<Action, { do: Name }>

export class Stage {
  readonly network: TestNetwork
  readonly ledger: Ledger = new Ledger()
  /** Names of devices that read only some types. */
  readonly partial: ReadonlySet<string>
  /** Events that a log may hold, where that is few. */
  readonly logEvents: number | undefined
  /** Whether sockets fell silent, which takes some minutes to find out. */
  readonly silent: boolean
  readonly #views: boolean
  /** Absent where there are no groups. */
  readonly groups: GroupWorkers | undefined
  /** Absent where there are no durable consumers. */
  readonly durable: DurableWorkers | undefined
  /** Absent where there are no requests. */
  readonly requests: Requesters | undefined
  readonly histories: Histories
  /** Whether contexts may lose sight of each other. */
  readonly unseen: boolean
  readonly #publishers: Publishers
  readonly #places = new Map<string, Place>()
  /** Who is signed in, where it is not the one it was at first. */
  readonly #users = new Map<TestDevice, string>()
  /** What was asked for and takes its time: closing, draining, copying. */
  readonly #running = new Map<Promise<unknown>, TestContext | undefined>()

  constructor(network: TestNetwork, scenario: Scenario) {
    const { actions, partial, logEvents, views = false, groups = false, seed } = scenario
    this.durable = scenario.durable ? new DurableWorkers(network, seed) : undefined
    this.requests = scenario.requests ? new Requesters(network, seed) : undefined
    this.unseen = actions.some((action) => action.do === 'tabs')
    this.groups = groups ? new GroupWorkers(network, seed) : undefined
    this.silent = actions.some(
      (action) => (action.do === 'cut' || action.do === 'nodeCut') && action.silently,
    )
    this.#views = views
    this.logEvents = logEvents
    this.network = network
    this.histories = new Histories(network, this.ledger)
    this.#publishers = new Publishers(this.ledger, () => network.now)
    this.partial = new Set(partial.map((device) => `d${device}`))
  }

  /** Buses of contexts that live. */
  get open(): readonly Place[] {
    return [...this.#places.values()]
  }

  /** Those with whom somebody is who has a log, and so a way to the relay. */
  get connected(): readonly Place[] {
    return this.open.filter(({ context, instance: { device, disk, memory } }) => {
      return context.alive && (disk || memory || device.contexts.some(({ hasDisk }) => hasDisk))
    })
  }

  /** Who of them the relay refuses. */
  get refused(): readonly Place[] {
    return this.open.filter(
      ({ bus, context }) => context.alive && bus.status.get().relay === 'refused',
    )
  }

  act(action: Action): void {
    switch (action.do) {
      case 'open':
        this.#open(action)
        return
      case 'publish':
        this.#publish(action)
        return
      case 'post':
        this.#follow(post(this.network, this.ledger, action))
        return
      case 'put':
        this.#follow(this.histories.put(action))
        return
      case 'look':
        this.#follow(this.histories.look(action))
        return
      case 'expect':
        this.#expect(action)
        return
      case 'ask':
        this.#ask(action)
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
          else this.#follow(context.close(), context)
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

  /** Waits for what the script began and did not wait for, but for what died with its context. */
  async rest(): Promise<void> {
    await this.network.until(() =>
      [...this.#running.values()].every((context) => context?.alive === false),
    )
  }

  /** Does what an application does where it is refused. Whether it had to. */
  async readmit(): Promise<boolean> {
    const { refused } = this
    await readmit(refused, {
      userOf: ({ instance }) => this.#userOf(instance.device),
      follow: (promise, context) => this.#follow(promise, context),
    })
    await this.rest()
    return refused.length > 0
  }

  #userOf(device: TestDevice): string {
    return this.#users.get(device) ?? USER
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
      case 'user':
        this.#users.set(this.#device(action), action.user)
        relay.drop(this.#device(action))
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
        relay.crash(action.node)
        return
      case 'relayDrain':
        this.#follow(relay.drain(action.node))
        return
      case 'relayStart':
        relay.start(action.node)
        return
      case 'nodeCut':
        relay.isolate(action.node, action.silently)
        return
      case 'nodeMend':
        relay.rejoin(action.node)
        return
      case 'storeCut':
        relay.link(action.node, action.silently ? 'silent' : 'refused')
        return
      case 'storeMend':
        relay.link(action.node, 'open')
        return
      case 'signals':
        relay.signals(action)
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
    if (!place) return
    place.disturbed += 1
    this.durable?.disturbed.add(place.instance)
  }

  /** Of the pages that go on running one must lead soon. */
  #freeze(where: Slot): void {
    const place = this.#at(where)
    if (!place) return
    const { device, name, context } = { ...place.instance, context: place.context }
    const others = this.open.filter((other) => other !== place && canLead(other, device))
    // A worker does not hear that it is frozen: that it leads no more is found out by its silence.
    const silent = this.open.some(
      (other) =>
        other.instance.device === device &&
        other.context.kind !== 'page' &&
        other.context.frozen &&
        other.bus.status.get().leader,
    )
    // Whoever waits for its turn begins to wait anew where the log is another one, or opened anew.
    const disturbances = (): number =>
      this.open.reduce(
        (sum, one) => (one.instance.device === device ? sum + one.disturbed : sum),
        device.disk(NAME, ROOM).lost,
      )
    this.#disturb(where)
    context.freeze()
    const before = disturbances()
    const hears = context.kind === 'page' && others.length > 0
    if (!hears || !device.disk(NAME, ROOM).isCalm) return
    this.network.after(silent ? FIND_OUT_MS : HAND_OVER_MS, () => {
      // The one that took the lead may be gone or frozen itself by then.
      const same = others.every((one) => canLead(one, device)) && disturbances() === before
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
    if (!place) return
    this.#follow(
      clearPlace(place).catch(() => {}),
      place.context,
    )
  }

  #cutPower({ device, lost }: Of<'power'>): void {
    const hit = this.#device({ device })
    this.ledger.cut.add(hit)
    for (const [key, { instance }] of this.#places) {
      if (instance.device !== hit) continue
      instance.left = true
      this.#places.delete(key)
    }
    this.#follow(hit.cutPower(lost))
  }

  #follow(promise: Promise<unknown>, context?: TestContext): void {
    this.#running.set(promise, context)
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

  #open({ device, slot, kind, disk = true }: Of<'open'>): void {
    if (this.#at({ device, slot })) return
    const on = this.#device({ device })
    const context = on.open(kind, { disk })
    const instance: Instance = {
      name: `d${device}/${slot}#${this.ledger.instances.length}`,
      device: on,
      context,
      live: [],
      all: [],
      disk,
      openedAt: this.network.now,
      errors: [],
      gaps: [],
      left: false,
    }
    this.ledger.instances.push(instance)
    const types = this.partial.has(on.origin.name) ? SOME_TYPES : undefined
    const { logEvents } = this
    const limits = {
      queueEvents: QUEUE_EVENTS,
      ...(logEvents === undefined ? undefined : { logEvents }),
    }
    const token = (): string => this.#userOf(on)
    const place = openPlace(
      context,
      instance,
      { token, ...(types && { types }), limits },
      this.#views,
    )
    this.groups?.join(place)
    this.durable?.join(place)
    this.requests?.respond(place, slot)
    if (slot === 0) this.#publishers.answer(place)
    this.#places.set(`${device}/${slot}`, place)
  }

  #ask(action: Of<'ask'>): void {
    const place = this.#at(action)
    if (place && !place.context.frozen) this.requests?.ask(place, action)
  }

  /** Whether contexts of this device came, went or stood still. */
  isDisturbed(device: TestDevice): boolean {
    const of = this.ledger.instances.filter((one) => one.device === device)
    return (
      this.unseen ||
      of.some(isOver) ||
      this.open.some(({ instance, disturbed }) => instance.device === device && disturbed > 0)
    )
  }

  #expect(action: Of<'expect'>): void {
    const place = this.#at(action)
    if (place && !place.context.frozen) void this.#publishers.expect(place, action)
  }

  #publish(action: Of<'publish'>): void {
    const place = this.#at(action)
    if (place && !place.context.frozen) this.#publishers.publish(place, action)
  }
}
