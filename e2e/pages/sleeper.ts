/**
 * A service worker that the browser stops: `/sleeper.js?name=`. It tells by a fetch of
 * `/heard?count=` what it has heard, once that is so much, and by a lock that it runs.
 */
import { createBus, indexedDbLog } from '@crosstown/bus'

interface ServiceWorker {
  skipWaiting(): Promise<void>
  clients: { claim(): Promise<void> }
  addEventListener(type: string, listener: (event: FetchEvent) => void): void
}
interface FetchEvent {
  readonly request: Request
  waitUntil(promise: Promise<unknown>): void
  respondWith(response: Promise<Response>): void
}

const worker = globalThis as unknown as ServiceWorker
const boot = crypto.randomUUID()
void navigator.locks.request('sleeper runs', () => new Promise(() => {}))

const bus = createBus<{ counted: number }>({
  name: 'talk',
  source: 'sleeper',
  log: indexedDbLog({ required: true }),
})
const heard: number[] = []
let grown = Promise.withResolvers<void>()
bus.subscribe(
  'counted',
  (event) => {
    heard.push(event.data)
    grown.resolve()
    grown = Promise.withResolvers()
  },
  { from: 'start' },
)

async function answer(count: number): Promise<Response> {
  while (heard.length < count) await grown.promise
  return Response.json({ boot, heard, leads: bus.status.leader })
}

worker.addEventListener('install', () => void worker.skipWaiting())
worker.addEventListener('activate', (event) => event.waitUntil(worker.clients.claim()))
worker.addEventListener('fetch', (event) => {
  const { pathname, searchParams } = new URL(event.request.url)
  if (pathname === '/heard') event.respondWith(answer(Number(searchParams.get('count'))))
})
