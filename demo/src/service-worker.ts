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

let notifications = NO_NOTIFICATIONS

async function catchUp(): Promise<void> {
  let counted: Shop['notification.counted'] | undefined
  for await (const { data } of bus.replay({ pattern: 'notification.counted', from: { last: 1 } })) {
    counted = data
  }
  let next = 0
  for await (const event of bus.replay({ pattern: NOTIFICATION_TYPES })) {
    notifications = applyToNotifications(notifications, event)
    next = (event.offset ?? 0) + 1
  }
  const { total, unread } = notifications
  if (counted?.total !== total || counted.unread !== unread)
    await say(total - (counted?.total ?? 0))
  bus.subscribe(
    NOTIFICATION_TYPES,
    async (event) => {
      notifications = applyToNotifications(notifications, event)
      await say(0)
    },
    { from: next },
  )
}

/** For the tabs of this device. It is in the log, where the next start finds how far this one came. */
const say = (caughtUp: number) =>
  bus.publish('notification.counted', { ...notifications, caughtUp }, { scope: 'device' })

const caughtUp = catchUp()

bus.subscribe('demo.ping', (_event, ctx) =>
  ctx.publish('demo.pong', undefined, { scope: 'device', persist: false }),
)

// A message of a page wakes it, and keeps it awake until it has read what it missed.
worker.addEventListener('message', (event) => (event as ExtendableEvent).waitUntil(caughtUp))
worker.addEventListener('install', () => void worker.skipWaiting())
worker.addEventListener('activate', (event) => {
  ;(event as ExtendableEvent).waitUntil(worker.clients.claim())
})
