import { expect, test } from 'vitest'
import { createHub } from './hub.ts'
import { createFiltered } from './query/filtered.ts'
import { makeCapture } from './testing/capture.ts'
import { captureSources } from './testing/capture-source.ts'
import { ManualTiming } from './testing/manual-timing.ts'

function load(events: number, seed = 1) {
  const capture = makeCapture({ events, seed })
  const timing = new ManualTiming(capture.end)
  const sources = captureSources(capture)
  const hub = createHub(sources, { timing })
  timing.settle()
  return { capture, timing, sources, hub, session: hub.session }
}

test('a capture becomes rows, each event one', () => {
  const { session, capture, sources } = load(2_000)
  expect(sources.every(({ done }) => done)).toBe(true)
  expect(session.malformed).toEqual({ count: 0, reasons: [] })
  expect(createFiltered(session, 'is:event').length).toBe(2_000)
  expect(capture.ids.filter((id) => session.event(id) === undefined)).toEqual([])
})

test('peers have short names of their own', () => {
  const { session } = load(100)
  expect([...session.peers.values()].map(({ name }) => name)).toEqual([
    'tab 1 · Cart',
    'tab 2 · Orders',
    'worker 1 · search',
    'service worker',
    'orders · node',
    'warehouse · deno',
    'tab 3 · Cart',
    'relay',
  ])
})

test('clocks of other devices are told by the messages between them', () => {
  const { session } = load(2_000)
  const skew = (name: string) => {
    const peer = [...session.peers.values()].find((peer) => peer.name === name)!
    return peer.skew
  }
  expect(skew('tab 1 · Cart')).toEqual({ ms: 0, uncertainty: 1.002 })
  for (const [name, off] of [
    ['orders · node', -38],
    ['warehouse · deno', 12],
    ['tab 3 · Cart', 1_840],
    ['relay', 3],
  ] as const) {
    const { ms, uncertainty } = skew(name)
    expect(Math.abs(ms - off), name).toBeLessThanOrEqual(uncertainty)
    expect(uncertainty, name).toBeLessThan(20)
  }
})

test('what somebody can read is told at once; of more than that, listeners hear five times a second', () => {
  const timing = new ManualTiming()
  const hub = createHub([], { timing })
  const { session } = hub
  const told: number[] = []
  session.subscribe(() => told.push(session.rows.next))
  const goOn = (rows: number) => {
    for (let tick = 0; tick < 100; tick++) {
      for (let n = 0; n < rows; n++) hub.mark('')
      timing.pass(10)
    }
  }
  goOn(1)
  expect(told).toHaveLength(100)
  told.length = 0
  // From the first moment to the last.
  goOn(60)
  expect(told).toHaveLength(6)
  timing.pass(200)
  expect(told.at(-1)).toBe(session.rows.next)
})
