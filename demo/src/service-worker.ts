/**
 * The service worker of one room: a peer of the same bus. It counts what a customer has not looked
 * at, whether a page is open or not. The browser stops it when it is idle; when it runs again it
 * reads from the log what it did not hear.
 */
import { createBus, relayLink } from '@crosstown/bus'
import type { Shop } from './events.ts'
import { applyToNotifications, NO_NOTIFICATIONS, NOTIFICATION_TYPES } from './notifications.ts'
import { busNameFrom, relayUrl, roomFrom } from './room.ts'

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

// The same name, room and log as the page's bus. A service worker never leads, so it opens no
// connection of its own.
const bus = createBus<Shop>({
  name: busNameFrom(location.search),
  relay: relayLink({ url: relayUrl(location), room: roomFrom(location.search) }),
})

/** Reads from the log what was missed, and counts on from there. */
async function count(): Promise<void> {
  let said = NO_NOTIFICATIONS
  let never = true
  for await (const { data } of bus.replay({ pattern: 'notification.counted', from: { last: 1 } })) {
    said = data
    never = false
  }
  const view = bus.project(NOTIFICATION_TYPES, applyToNotifications, NO_NOTIFICATIONS, {
    key: 'notifications',
  })
  await view.ready
  let asleep = true
  view.subscribe((now) => {
    const caughtUp = asleep ? now.total - said.total : 0
    asleep = false
    if (now.total === said.total && now.unread === said.unread && !never) return
    said = now
    never = false
    // In the log, the next start finds how far this one came.
    void bus.publish('notification.counted', { ...now, caughtUp }, { scope: 'device' })
  })
}

const counting = count()

bus.subscribe('demo.ping', (_event, ctx) =>
  ctx.publish('demo.pong', undefined, { scope: 'device', persist: false }),
)

// A message of a page wakes it, and keeps it awake until it has read what it missed.
worker.addEventListener('message', (event) => (event as ExtendableEvent).waitUntil(counting))
worker.addEventListener('install', () => void worker.skipWaiting())
worker.addEventListener('activate', (event) => {
  ;(event as ExtendableEvent).waitUntil(worker.clients.claim())
})
