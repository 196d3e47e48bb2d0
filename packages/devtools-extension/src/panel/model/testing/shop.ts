/** The contexts of the capture: a shop in two tabs with workers, services, a phone, and a relay. */
import { type HelloFrame, INSPECT_VERSION, type SubscriptionInfo } from '@crosstown/bus/inspect'

export interface Cast {
  readonly peer: string
  readonly kind: HelloFrame['kind']
  readonly source: string
  readonly device: string
  readonly title?: string
  readonly url?: string
  readonly leads: boolean
  /** How far its device's wall clock is off, ms. */
  readonly skew: number
  /** Patterns it subscribes to. */
  readonly patterns: readonly string[]
  /** Its share of what is published. */
  readonly share: number
}

export const ROOM = 'shop-42'
export const RELAY_URL = 'ws://127.0.0.1:8787'

export const CASTS: readonly Cast[] = [
  {
    peer: 'tabA1b2C3d4E5',
    kind: 'page',
    source: 'page',
    device: 'laptop',
    title: 'Cart',
    url: 'http://localhost:5173/cart',
    leads: true,
    skew: 0,
    patterns: ['cart.*', 'order.**', 'stock.changed'],
    share: 5,
  },
  {
    peer: 'tabB9z8Y7x6W5',
    kind: 'page',
    source: 'page',
    device: 'laptop',
    title: 'Orders',
    url: 'http://localhost:5173/orders',
    leads: false,
    skew: 0,
    patterns: ['order.**', 'cart.item_added'],
    share: 3,
  },
  {
    peer: 'wrkC0a1b2c3d4',
    kind: 'worker',
    source: 'search',
    device: 'laptop',
    url: 'http://localhost:5173/assets/search.js',
    leads: false,
    skew: 0,
    patterns: ['stock.*', 'search.asked'],
    share: 1,
  },
  {
    peer: 'swkD5e6f7g8h9',
    kind: 'service-worker',
    source: 'service-worker',
    device: 'laptop',
    url: 'http://localhost:5173/service-worker.js',
    leads: false,
    skew: 0,
    patterns: ['order.shipped'],
    share: 1,
  },
  {
    peer: 'ordE1i2j3k4l5',
    kind: 'node',
    source: 'orders',
    device: 'orders-host',
    leads: true,
    skew: -38,
    patterns: ['order.placed', 'payment.*'],
    share: 3,
  },
  {
    peer: 'wreF6m7n8o9p0',
    kind: 'deno',
    source: 'warehouse',
    device: 'warehouse-host',
    leads: true,
    skew: 12,
    patterns: ['order.paid', 'stock.*'],
    share: 2,
  },
  {
    peer: 'phnG1q2r3s4t5',
    kind: 'page',
    source: 'page',
    device: 'phone',
    title: 'Cart',
    url: 'http://192.168.1.20:5173/cart',
    leads: true,
    skew: 1_840,
    patterns: ['cart.*', 'order.**'],
    share: 2,
  },
]

export const RELAY: Cast = {
  peer: `relay:${ROOM}`,
  kind: 'relay',
  source: 'relay',
  device: `relay:${ROOM}`,
  leads: false,
  skew: 3,
  patterns: [],
  share: 0,
}

/** What a type is followed by, by whom, and how often it is published of itself. */
export interface Line {
  readonly type: string
  readonly share: number
  readonly by: readonly string[]
  readonly leadsTo?: { readonly type: string; readonly by: string; readonly chance: number }
  readonly stream?: (n: number) => string
  readonly cast?: true
  readonly scope?: 'context' | 'device'
}

const order = (n: number) => `order-${n % 997}`
const cart = (n: number) => `cart-${n % 41}`

export const LINES: readonly Line[] = [
  { type: 'cart.item_added', share: 30, by: ['page'], stream: cart },
  { type: 'cart.item_removed', share: 8, by: ['page'], stream: cart },
  { type: 'cart.cleared', share: 1, by: ['page'], stream: cart, scope: 'device' },
  { type: 'pointer.moved', share: 14, by: ['page'], cast: true },
  { type: 'search.asked', share: 6, by: ['page'], scope: 'device' },
  { type: 'stock.changed', share: 12, by: ['warehouse'], stream: (n) => `sku-${n % 211}` },
  {
    type: 'metrics.sampled',
    share: 4,
    by: ['search', 'service-worker'],
    scope: 'context',
    cast: true,
  },
  {
    type: 'order.placed',
    share: 9,
    by: ['page'],
    stream: order,
    leadsTo: { type: 'order.paid', by: 'orders', chance: 0.92 },
  },
  {
    type: 'order.paid',
    share: 0,
    by: ['orders'],
    stream: order,
    leadsTo: { type: 'order.shipped', by: 'warehouse', chance: 0.85 },
  },
  {
    type: 'order.shipped',
    share: 0,
    by: ['warehouse'],
    stream: order,
    leadsTo: { type: 'order.notified', by: 'orders', chance: 0.5 },
  },
  { type: 'order.notified', share: 0, by: ['orders'], stream: order },
  { type: 'payment.failed', share: 2, by: ['orders'] },
]

export function subscriptionsOf(cast: Cast): SubscriptionInfo[] {
  return cast.patterns.map((pattern, index) => ({
    sub: index + 1,
    patterns: [pattern],
    kind: pattern === 'stock.*' ? 'loop' : pattern === 'order.**' ? 'view' : 'handler',
    at: 5 + index,
    ...(cast.kind === 'page' ? { site: `src/screens/cart.tsx:${20 + index * 7}:5` } : {}),
    calls: 0,
    failures: 0,
  }))
}

export function helloOf(cast: Cast, wall: number, monotonic: number): HelloFrame {
  const isRelay = cast.kind === 'relay'
  return {
    inspect: INSPECT_VERSION,
    frame: 'hello',
    peer: cast.peer,
    library: '0.1.0',
    bus: isRelay ? ROOM : 'shop',
    source: cast.source,
    kind: cast.kind,
    ...(cast.url === undefined ? {} : { url: cast.url }),
    ...(cast.title === undefined ? {} : { title: cast.title }),
    ...(isRelay ? {} : { log: `log-${cast.device}`, device: cast.device }),
    relay: { url: RELAY_URL, room: ROOM },
    now: [wall, monotonic],
    next: 0,
    oldest: 0,
    status: {
      relay: isRelay ? 'off' : 'online',
      rtt: cast.leads ? 8 : undefined,
      leader: cast.leads,
      log: { kind: 'disk', state: 'open', bytes: 48_213 },
      outbox: { pending: 0, refused: 0 },
      lead: { self: cast.leads, present: true },
      queued: 0,
    },
    subscriptions: subscriptionsOf(cast),
    views: cast.patterns.includes('order.**')
      ? [{ view: 1, patterns: ['order.**'], key: 'orders', version: 1 }]
      : [],
  }
}
