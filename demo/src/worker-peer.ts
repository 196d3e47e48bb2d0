/** What this page knows of its service worker, which is a peer of the same bus. */
import { bus, room } from './bus.ts'
import type { Shop } from './events.ts'
import { createStore } from './store.ts'

export interface WorkerPeer {
  readonly state: 'starting' | 'ready' | 'unavailable'
  /** What it said last. */
  readonly counted: Shop['notification.counted'] | undefined
  /** How much it read from the log when it last woke, and had not counted before. */
  readonly caughtUp: number
  /** Milliseconds the last ping took; `waiting` while it is on its way. */
  readonly ping: number | 'waiting' | 'lost' | undefined
}

/** How long an answer may take: the browser may have to start the worker first. */
const PING_TIMEOUT_MS = 3_000
/** The worker is woken at most this often. */
const WAKE_EVERY_MS = 1_000

export const workerPeer = createStore<WorkerPeer>({
  state: 'starting',
  counted: undefined,
  caughtUp: 0,
  ping: undefined,
})
const update = (change: Partial<WorkerPeer>) => workerPeer.set({ ...workerPeer.get(), ...change })

const registering = register()
let waking: ReturnType<typeof setTimeout> | undefined

bus.subscribe(
  'notification.counted',
  ({ data }) => {
    const caughtUp = data.caughtUp > 0 ? data.caughtUp : workerPeer.get().caughtUp
    update({ state: 'ready', counted: data, caughtUp })
  },
  { from: { last: 1 } },
)

// The browser stops an idle worker, and no event of the bus starts it again; a message does. It
// then counts what it missed from the log.
bus.subscribe(['order.confirmed', 'order.failed', 'notification.seen'], () => {
  if (waking) return
  waking = setTimeout(() => {
    waking = undefined
    void wake()
  }, WAKE_EVERY_MS)
})

/** A worker for each room and device: both are in its script's address and in its scope. */
async function register(): Promise<ServiceWorkerRegistration | undefined> {
  const { serviceWorker } = navigator
  const { BASE_URL } = import.meta.env
  try {
    if (!serviceWorker) throw new Error('service workers need https or localhost')
    const query = new URLSearchParams({ room })
    const device = new URLSearchParams(location.search).get('device')
    if (device) query.set('device', device)
    const script = `${BASE_URL}service-worker.js?${query}`
    return await serviceWorker.register(script, {
      scope: `${BASE_URL}?${query}`,
      updateViaCache: 'none',
    })
  } catch (error) {
    console.warn('The shop goes on without its service worker:', error)
    update({ state: 'unavailable' })
    return undefined
  }
}

async function wake(): Promise<void> {
  const registration = await registering
  const worker = registration?.active ?? registration?.waiting ?? registration?.installing
  worker?.postMessage('wake')
}

/** Asks over the bus; the worker answers over the bus. */
export async function ping(): Promise<void> {
  if (workerPeer.get().ping === 'waiting') return
  update({ ping: 'waiting' })
  try {
    await wake()
    const signal = AbortSignal.timeout(PING_TIMEOUT_MS)
    const began = performance.now()
    await Promise.all([
      bus.once('demo.pong', { signal }),
      bus.publish('demo.ping', undefined, { scope: 'device', persist: false }),
    ])
    update({ ping: performance.now() - began })
  } catch {
    update({ ping: 'lost' })
  }
}

void wake()
