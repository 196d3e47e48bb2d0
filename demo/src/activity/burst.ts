/** Events by the thousand, and how fast they arrive: here, in other tabs, on other devices. */
import { bus } from '../bus.ts'
import { createStore } from '../store.ts'

/** What this page sent. Times are milliseconds since its beginning. */
export interface Sent {
  readonly of: number
  readonly published: number
  readonly loggedAfter: number | undefined
  readonly relayedAfter: number | undefined
}

/** What this page heard of a burst, whoever sent it. */
export interface Heard {
  readonly run: string
  readonly from: 'self' | 'device' | 'room'
  readonly of: number
  readonly count: number
  /** Milliseconds from the first event heard to the last. */
  readonly ms: number
}

/** So many are published in one task, so that the page stays alive. */
const SLICE = 1_000
const MAX_RUNS = 4

export const sent = createStore<Sent | undefined>(undefined)
export const heard = createStore<readonly Heard[]>([])

let changing: readonly Heard[] = []
let frame = 0
const began = new Map<string, number>()

bus.subscribe('load.sent', ({ data: { run, of } }, { origin }) => {
  const now = performance.now()
  if (!began.has(run)) began.set(run, now)
  const before = changing.find((one) => one.run === run)
  const ms = now - (began.get(run) ?? now)
  const after: Heard = { run, from: origin, of, count: (before?.count ?? 0) + 1, ms }
  changing = before
    ? changing.map((one) => (one === before ? after : one))
    : [after, ...changing].slice(0, MAX_RUNS)
  if (frame) return
  frame = requestAnimationFrame(() => {
    frame = 0
    heard.set(changing)
  })
})

export async function burst(of: number): Promise<void> {
  const run = crypto.randomUUID()
  const start = performance.now()
  let state: Sent = { of, published: 0, loggedAfter: undefined, relayedAfter: undefined }
  const say = (change: Partial<Sent>): void => {
    state = { ...state, ...change }
    sent.set(state)
  }
  say({})
  let logged: Promise<unknown> = Promise.resolve()
  for (let index = 0; index < of; index++) {
    logged = bus.publish('load.sent', { run, index, of })
    if ((index + 1) % SLICE === 0 || index + 1 === of) {
      say({ published: index + 1 })
      await new Promise((resolve) => requestAnimationFrame(resolve))
    }
  }
  await logged
  say({ loggedAfter: performance.now() - start })
  await bus.flush({ until: 'relayed' })
  say({ relayedAfter: performance.now() - start })
}
