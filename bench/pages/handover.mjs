// What tabs run that take turns at leading.
import { createBus, indexedDbLog, relayLink } from '@crosstown/bus'

const query = new URLSearchParams(location.search)
const bus = createBus({
  name: 'handover',
  log: indexedDbLog({ required: true }),
  relay: relayLink({ url: query.get('relay'), room: 'room' }),
})

let marked = 0
let tookOver = 0
const failures = []
addEventListener('unhandledrejection', ({ reason }) => failures.push(String(reason)))
addEventListener('error', ({ message }) => failures.push(message))

bus.leader.subscribe(({ self }) => {
  if (self) tookOver = performance.now()
})

/** Resolves when the status is as asked for. */
const until = (is) =>
  new Promise((resolve) => {
    const off = bus.status.subscribe((status) => {
      if (!is(status)) return
      resolve()
      queueMicrotask(() => off())
    })
  })

globalThis.bench = {
  leads: () => until(({ leader, relay }) => leader && relay === 'online'),
  follows: () => until(({ leader, relay }) => !leader && relay === 'online'),

  /** From now on the time counts until this tab leads. */
  mark() {
    marked = performance.now()
  },

  /** Milliseconds from `mark` until `bus.leader.get().self` was true. */
  async tookOver() {
    await globalThis.bench.leads()
    if (failures.length > 0) throw new Error(`the page reported: ${failures.join('; ')}`)
    if (!(tookOver > marked)) throw new Error('this tab led before the other one was gone')
    return tookOver - marked
  },
}
