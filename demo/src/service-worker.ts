/**
 * The service worker of one room: a peer of the same bus. The bus is made at the top level, so a
 * worker that the browser stopped is a peer again as soon as it is started; it then reads from the
 * log what it did not hear.
 */
import { createBus, relayLink } from '@crosstown/bus'
import type { Shop } from './bus.ts'
import { relayUrl, roomFrom } from './room.ts'

/** What is used of ServiceWorkerGlobalScope; the types of a page do not have it. */
interface WorkerScope extends EventTarget {
  skipWaiting(): Promise<void>
  readonly clients: { claim(): Promise<void> }
}
interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void
}
const worker = globalThis as unknown as WorkerScope
const { location } = globalThis

/** Changes of the count within this time go out as one event. */
const ANNOUNCE_AFTER_MS = 100

// The same name, room and log as the page's bus. A service worker never leads, so it opens no
// connection of its own.
const bus = createBus<Shop>({
  name: 'shop',
  relay: relayLink({ url: relayUrl(location), room: roomFrom(location.search) }),
})

const toTabs = { scope: 'device', persist: false } as const
let heard = 0
let confirmed = 0
let announcing: ReturnType<typeof setTimeout> | undefined

function announce(): void {
  if (announcing) return
  announcing = setTimeout(() => {
    announcing = undefined
    void bus.publish('demo.heard', { count: heard }, toTabs)
  }, ANNOUNCE_AFTER_MS)
}

bus.subscribe(
  ['cart.*', 'order.*'],
  () => {
    heard += 1
    announce()
  },
  { from: 'start' },
)

bus.subscribe(
  'order.confirmed',
  (_event, ctx) => {
    confirmed += 1
    if (ctx.replaying) return
    return ctx.publish('notification.counted', { count: confirmed }, { scope: 'device' })
  },
  { from: 'start' },
)

bus.subscribe('demo.ping', (_event, ctx) =>
  ctx.publish('demo.pong', { source: bus.source }, toTabs),
)

announce()
worker.addEventListener('message', announce)
worker.addEventListener('install', () => void worker.skipWaiting())
worker.addEventListener('activate', (event) => {
  ;(event as ExtendableEvent).waitUntil(worker.clients.claim())
})
