/** What this page knows of its service worker, which is a peer of the same bus. */
import { bus, room } from './bus.ts'
import { createStore } from './store.ts'

export interface WorkerPeer {
  readonly state: 'starting' | 'ready' | 'unavailable'
  readonly heard: number | undefined
  /** Milliseconds the last ping took; `waiting` while it is on its way. */
  readonly ping: number | 'waiting' | 'lost' | undefined
}

/** How long an answer may take: the browser may have to start the worker first. */
const PING_TIMEOUT_MS = 3_000
/** The worker is woken at most this often. */
const WAKE_EVERY_MS = 1_000

export const workerPeer = createStore<WorkerPeer>({
  state: 'starting',
  heard: undefined,
  ping: undefined,
})
const update = (change: Partial<WorkerPeer>) => workerPeer.set({ ...workerPeer.get(), ...change })

const registering = register()
let waking: ReturnType<typeof setTimeout> | undefined

bus.subscribe('demo.heard', ({ data }) => update({ state: 'ready', heard: data.count }))

// The browser stops an idle worker, and no event of the bus starts it again; a message does. It
// then counts what it missed from the log.
bus.subscribe(['cart.*', 'order.*'], () => {
  if (waking) return
  waking = setTimeout(() => {
    waking = undefined
    void wake()
  }, WAKE_EVERY_MS)
})

/** A worker for each room: the room is in its script's address and in its scope. */
async function register(): Promise<ServiceWorkerRegistration | undefined> {
  const { serviceWorker } = navigator
  const { BASE_URL } = import.meta.env
  try {
    if (!serviceWorker) throw new Error('service workers need https or localhost')
    const query = `?room=${encodeURIComponent(room)}`
    const script = `${BASE_URL}service-worker.js${query}`
    return await serviceWorker.register(script, {
      scope: `${BASE_URL}${query}`,
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
  const worker = registration?.active ?? registration?.installing
  worker?.postMessage('wake')
}

/** Asks over the bus; the worker answers over the bus. */
export async function ping(): Promise<void> {
  if (workerPeer.get().ping === 'waiting') return
  update({ ping: 'waiting' })
  try {
    const signal = AbortSignal.timeout(PING_TIMEOUT_MS)
    await Promise.all([bus.once('demo.heard', { signal }), wake()])
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

// A worker that was there before this page says what it has heard.
void wake()
