/**
 * A shop, told in frames: two tabs, a worker and a service worker of one browser, a phone, a service
 * on Node, and their relay. What views are tried on: everything in it has a name and a reason.
 */
import {
  type BatchFrame,
  type HelloFrame,
  INSPECT_VERSION,
  type InspectedEvent,
  type InspectRecord,
  type PeerId,
  type PeerStatus,
  packIds,
  type SubscriptionInfo,
} from '@crosstown/bus/inspect'

export const ROOM = 'demo'
export const RELAY_ID: PeerId = `relay:${ROOM}`
/** When the story begins, by the wall clock of the browser. */
export const BEGIN = Date.UTC(2026, 6, 28, 12, 0, 0)

export interface Cast {
  readonly id: PeerId
  readonly kind: HelloFrame['kind']
  readonly source: string
  readonly title?: string
  readonly log?: string
  readonly device: string
  readonly leads?: boolean
  /** Its monotonic clock at the beginning. */
  readonly monotonic: number
  /** Its wall clock against the browser's, ms. */
  readonly ahead?: number
  readonly subscriptions?: readonly Pick<SubscriptionInfo, 'patterns' | 'kind' | 'where' | 'site'>[]
  readonly views?: HelloFrame['views']
  readonly rtt?: number
  readonly relay?: PeerStatus['relay']
}

const handler = (patterns: string[], site: string) => ({ patterns, kind: 'handler', site }) as const

export const CAST: readonly Cast[] = [
  {
    id: 'tabAaaaaaaa',
    kind: 'page',
    source: 'page',
    title: 'Cart',
    log: 'log-browser',
    device: 'device-browser',
    leads: true,
    monotonic: 5_000,
    rtt: 34,
    relay: 'online',
    subscriptions: [
      handler(['cart.*'], 'http://127.0.0.1:5173/src/cart.ts:12:7'),
      handler(['order.confirmed'], 'http://127.0.0.1:5173/src/orders.ts:31:5'),
      handler(['stock.**'], 'http://127.0.0.1:5173/src/stock.ts:8:3'),
    ],
    views: [
      { view: 1, patterns: ['cart.*'], key: 'cart', version: 1 },
      { view: 2, patterns: ['order.**'], version: 1 },
    ],
  },
  {
    id: 'tabBbbbbbbb',
    kind: 'page',
    source: 'page',
    title: 'Orders',
    log: 'log-browser',
    device: 'device-browser',
    monotonic: 1_200,
    subscriptions: [
      handler(['order.*'], 'http://127.0.0.1:5173/src/orders.ts:31:5'),
      {
        ...handler(['cart.item_added'], 'http://127.0.0.1:5173/src/badge.ts:4:3'),
        where: true,
      },
      handler(['cart.itemAdded'], 'http://127.0.0.1:5173/src/legacy.ts:19:3'),
    ],
  },
  {
    id: 'workCccccccc',
    kind: 'worker',
    source: 'search',
    log: 'log-browser',
    device: 'device-browser',
    monotonic: 900,
    subscriptions: [handler(['stock.reserved'], 'http://127.0.0.1:5173/src/worker.ts:3:1')],
  },
  {
    id: 'servDddddddd',
    kind: 'service-worker',
    source: 'service-worker',
    log: 'log-browser',
    device: 'device-browser',
    monotonic: 300,
    subscriptions: [handler(['order.confirmed'], 'http://127.0.0.1:5173/sw.js:40:9')],
  },
  {
    id: 'phonEeeeeeee',
    kind: 'page',
    source: 'page',
    title: 'Shop on a phone',
    log: 'log-phone',
    device: 'device-phone',
    leads: true,
    monotonic: 80_000,
    rtt: 68,
    relay: 'online',
    subscriptions: [handler(['order.*', 'cart.*'], 'https://shop.example/app.js:1:88412')],
  },
  {
    id: 'nodeFfffffff',
    kind: 'node',
    source: 'orders',
    log: 'log-orders',
    device: 'device-orders',
    leads: true,
    monotonic: 9_000_000,
    rtt: 2.1,
    relay: 'online',
    subscriptions: [
      handler(['order.placed'], '/srv/orders/main.ts:22:3'),
      handler(['payment.*'], '/srv/orders/main.ts:48:3'),
    ],
  },
  {
    id: RELAY_ID,
    kind: 'relay',
    source: 'relay',
    device: RELAY_ID,
    monotonic: 4_000_000,
  },
]

const STATUS: PeerStatus = {
  relay: 'off',
  rtt: undefined,
  leader: false,
  log: { kind: 'disk', state: 'open', bytes: 0 },
  outbox: { pending: 0, refused: 0 },
  lead: { self: false, present: true },
  queued: 0,
}

export function helloOf(cast: Cast, next = 0, changed: Partial<HelloFrame> = {}): HelloFrame {
  const { id, kind, source, title, log, device, leads, monotonic, ahead = 0 } = cast
  const server = kind === 'node' || kind === 'relay'
  return {
    inspect: INSPECT_VERSION,
    frame: 'hello',
    peer: id,
    library: '0.1.0',
    bus: 'shop',
    source,
    kind,
    ...(!server && { url: `http://127.0.0.1:5173/${(title ?? source).toLowerCase()}` }),
    ...(title && { title }),
    ...(log && { log, relay: { url: 'ws://127.0.0.1:8787', room: ROOM } }),
    device,
    now: [BEGIN + ahead, monotonic],
    next,
    oldest: 0,
    status: {
      ...STATUS,
      relay: cast.relay ?? (leads ? 'online' : 'off'),
      rtt: cast.rtt,
      leader: Boolean(leads),
      log: kind === 'relay' ? { kind: 'none', state: 'closed', bytes: 0 } : STATUS.log,
      lead: { self: Boolean(leads), present: kind !== 'relay' },
    },
    subscriptions: (cast.subscriptions ?? []).map((one, i) => ({
      ...one,
      sub: i + 1,
      at: monotonic,
      calls: 0,
      failures: 0,
    })),
    views: cast.views ?? [],
    ...changed,
  }
}

type Unnumbered = InspectRecord extends infer One
  ? One extends unknown
    ? Omit<One, 'at'>
    : never
  : never

/** Writes what happens, and gives it as frames in the order of time. */
export class Teller {
  readonly #records: { peer: PeerId; ms: number; record: InspectRecord }[] = []
  readonly #next = new Map<PeerId, number>()
  readonly #counters = new Map<PeerId, number>()
  readonly #offsets = new Map<string, number>()

  /** @param ms since the beginning, by the browser's clock */
  tell(peer: PeerId, ms: number, what: Unnumbered): void {
    const cast = castOf(peer)
    const at = Math.round((cast.monotonic + ms) * 1000) / 1000
    this.#records.push({ peer, ms, record: { at, ...what } as InspectRecord })
  }

  publish(
    peer: PeerId,
    ms: number,
    type: string,
    more: Partial<InspectedEvent> & { readonly cause?: InspectedEvent } = {},
  ): InspectedEvent {
    const cast = castOf(peer)
    const counter = (this.#counters.get(peer) ?? 0) + 1
    this.#counters.set(peer, counter)
    const { cause, ...rest } = more
    const event: InspectedEvent = {
      id: `${peer}-${counter}`,
      type,
      source: cast.source,
      time: BEGIN + ms + (cast.ahead ?? 0),
      bytes: 180 + type.length * 3,
      ...(cause && { causationId: cause.id, correlationId: cause.correlationId ?? cause.id }),
      ...rest,
    }
    this.tell(peer, ms, { is: 'published', events: [event] })
    return event
  }

  commit(peer: PeerId, ms: number, event: InspectedEvent, took = 0.8): void {
    const log = castOf(peer).log ?? ''
    const batch = (this.#offsets.get(log) ?? 0) + 1
    this.#offsets.set(log, batch)
    this.tell(peer, ms, { is: 'committed', batch, ids: packIds([event.id]), ms: took })
  }

  /** Over a link from one to another; the time it takes is `took`. */
  hop(
    from: PeerId,
    to: PeerId,
    ms: number,
    event: InspectedEvent,
    via: 'tabs' | 'relay',
    took: number,
  ): number {
    const ids = packIds([event.id])
    const post = { is: 'posted', via, ids, bytes: event.bytes } as const
    this.tell(from, ms, from === RELAY_ID ? { ...post, to: castOf(to).device } : post)
    this.receive(to, ms + took, event, via, via === 'relay' ? 'room' : 'device', from)
    return ms + took
  }

  receive(
    to: PeerId,
    ms: number,
    event: InspectedEvent,
    via: 'tabs' | 'relay' | 'log',
    origin: 'device' | 'room' | 'past',
    from: PeerId,
  ): void {
    this.tell(to, ms, {
      is: 'received',
      via,
      origin,
      ids: packIds([event.id]),
      events: [event],
      from,
    })
  }

  handle(
    peer: PeerId,
    ms: number,
    event: InspectedEvent,
    sub: number,
    took: number,
    fails?: string,
  ): number {
    const ids = packIds([event.id])
    this.tell(peer, ms, { is: 'matched', ids, subs: [sub] })
    if (fails === undefined) this.tell(peer, ms + took, { is: 'handled', sub, ids, ms: [took] })
    else
      this.tell(peer, ms + took, {
        is: 'failed',
        sub,
        ids,
        stage: 'dispatch',
        code: 'handler_failed',
        message: fails,
        ms: took,
      })
    return ms + took
  }

  /** One batch for each peer and each record run of its, in the order of time; what was told is forgotten. */
  frames(): BatchFrame[] {
    const records = this.#records.splice(0).sort((a, b) => a.ms - b.ms)
    const frames: BatchFrame[] = []
    let run: { peer: PeerId; first: number; records: InspectRecord[] } | undefined
    for (const { peer, record } of records) {
      const first = this.#next.get(peer) ?? 0
      this.#next.set(peer, first + 1)
      if (run?.peer === peer && run.records.length < 500) {
        run.records.push(record)
        continue
      }
      run = { peer, first, records: [record] }
      frames.push({ inspect: INSPECT_VERSION, frame: 'batch', ...run })
    }
    return frames
  }
}

export function castOf(peer: PeerId): Cast {
  const cast = CAST.find(({ id }) => id === peer)
  if (!cast) throw new Error(`nobody in the story is ${peer}`)
  return cast
}

const [TAB_A, TAB_B, WORKER, SW, PHONE, NODE] = CAST.map(({ id }) => id) as [
  PeerId,
  PeerId,
  PeerId,
  PeerId,
  PeerId,
  PeerId,
]

/** A purchase: from a click in a tab over the relay to a service, and back to everybody. */
export function purchase(teller: Teller, t: number): InspectedEvent {
  const added = teller.publish(TAB_A, t, 'cart.item_added', { stream: 'cart-7' })
  teller.commit(TAB_A, t + 0.9, added)
  teller.handle(TAB_A, t + 0.2, added, 1, 1.4)
  teller.hop(TAB_A, TAB_B, t + 1, added, 'tabs', 0.7)
  teller.tell(TAB_B, t + 1.8, { is: 'matched', ids: packIds([added.id]), subs: [2] })
  teller.tell(TAB_B, t + 1.9, { is: 'filtered', sub: 2, ids: packIds([added.id]), why: 'where' })
  teller.hop(TAB_A, WORKER, t + 1, added, 'tabs', 0.9)

  const placed = teller.publish(TAB_A, t + 40, 'order.placed', { stream: 'order-42', cause: added })
  teller.commit(TAB_A, t + 41, placed)
  teller.hop(TAB_A, TAB_B, t + 41, placed, 'tabs', 0.6)
  teller.handle(TAB_B, t + 41.8, placed, 1, 0.4)
  let at = teller.hop(TAB_A, RELAY_ID, t + 41.2, placed, 'relay', 16.8)
  at = teller.hop(RELAY_ID, NODE, at + 0.4, placed, 'relay', 1.3)
  at = teller.handle(NODE, at + 0.1, placed, 1, 22)

  const taken = teller.publish(NODE, at - 1, 'payment.taken', { cause: placed })
  teller.commit(NODE, at, taken)
  teller.handle(NODE, at + 0.2, taken, 2, 3)
  const reserved = teller.publish(NODE, at + 1, 'stock.reserved', { cause: placed })
  teller.commit(NODE, at + 2, reserved)
  const confirmed = teller.publish(NODE, at + 2.6, 'order.confirmed', {
    cause: taken,
    stream: 'order-42',
  })
  teller.commit(NODE, at + 3, confirmed)
  for (const [event, wait] of [
    [reserved, 3.2],
    [confirmed, 3.9],
  ] as const) {
    const there = teller.hop(NODE, RELAY_ID, at + wait, event, 'relay', 1.2)
    const back = teller.hop(RELAY_ID, TAB_A, there + 0.3, event, 'relay', 17)
    const phone = teller.hop(RELAY_ID, PHONE, there + 0.3, event, 'relay', 35)
    for (const tab of [TAB_B, WORKER, SW]) teller.hop(TAB_A, tab, back + 1.1, event, 'tabs', 0.8)
    if (event === reserved) {
      teller.handle(TAB_A, back + 1, event, 3, 0.6)
      teller.handle(WORKER, back + 2, event, 1, 54)
    } else {
      teller.handle(TAB_A, back + 1, event, 2, 2)
      teller.handle(
        TAB_B,
        back + 2,
        event,
        1,
        0.9,
        "Cannot read properties of undefined (reading 'total')",
      )
      teller.handle(SW, back + 2.2, event, 1, 6)
      teller.handle(PHONE, phone + 0.2, event, 1, 4)
    }
  }
  return added
}

/** What goes wrong: an event the relay refuses, one dropped, one nobody hears. */
export function trouble(teller: Teller, t: number): void {
  const refused = teller.publish(TAB_B, t, 'admin.price_changed')
  teller.commit(TAB_B, t + 1, refused)
  teller.hop(TAB_B, TAB_A, t + 1, refused, 'tabs', 0.7)
  teller.tell(TAB_A, t + 2, {
    is: 'posted',
    via: 'relay',
    ids: packIds([refused.id]),
    bytes: refused.bytes,
  })
  teller.tell(TAB_A, t + 40, {
    is: 'refused',
    ids: packIds([refused.id]),
    code: 'forbidden',
    final: true,
  })
  const typing = teller.publish(PHONE, t + 5, 'cart.typing', { persist: false, scope: 'device' })
  teller.tell(PHONE, t + 5.2, {
    is: 'dropped',
    ids: packIds([typing.id]),
    count: 1,
    why: 'offline',
  })
  const lonely = teller.publish(TAB_A, t + 60, 'cart.cleared', { scope: 'context', persist: false })
  teller.tell(TAB_A, t + 60.1, { is: 'matched', ids: packIds([lonely.id]), subs: [1] })
  teller.handle(TAB_A, t + 60.2, lonely, 1, 0.3)
}
