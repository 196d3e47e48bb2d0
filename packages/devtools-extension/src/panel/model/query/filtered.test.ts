import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createHub } from '../hub.ts'
import { minimapOf } from '../minimap.ts'
import type { Filtered, Session } from '../model.ts'
import { makeCapture } from '../testing/capture.ts'
import { captureSources } from '../testing/capture-source.ts'
import { ManualTiming } from '../testing/manual-timing.ts'
import { StepSource } from '../testing/step-source.ts'
import { complete } from './complete.ts'
import { createFiltered } from './filtered.ts'

function load(events: number, seed = 1) {
  const capture = makeCapture({ events, seed })
  const timing = new ManualTiming(capture.end)
  const hub = createHub(captureSources(capture), { timing })
  timing.settle()
  return { capture, timing, hub, session: hub.session }
}

function rowsOf(filtered: Filtered): number[] {
  return Array.from({ length: filtered.length }, (_, index) => filtered.at(index)!.row)
}

function texts(session: Session, query: string): string[] {
  const filtered = createFiltered(session, query)
  return Array.from({ length: filtered.length }, (_, index) => {
    const row = filtered.at(index)!
    return row.kind === 'event' ? row.event.type : row.text
  })
}

const TERMS = [
  'type:order.**',
  'type:cart',
  'cart',
  '/stock|order/',
  'from:sw',
  'from:"tab 1"',
  'to:worker',
  'peer:phone',
  'via:tabs',
  'source:page',
  'stream:order-1*',
  'dur:>1ms',
  'latency:>5ms',
  'size:>500',
  'scope:device,context',
  'state:relayed',
  'state:pending,logged',
  'error:',
  'error:handler_failed',
  'drop:',
  'drop:where',
  'gap:',
  'is:note',
  'is:missing',
  'is:in',
  'is:unheard',
  'delivered:0',
  'after:2026-01-15T09:00:00.800Z',
  'before:2026-01-15T09:00:00.500Z',
  'nonsense:x',
]
const query = fc
  .array(fc.tuple(fc.constantFrom(...TERMS), fc.boolean()), { minLength: 1, maxLength: 3 })
  .map((terms) => terms.map(([term, not]) => (not ? `-${term}` : term)).join(' '))

test('what is filtered as it comes is what is filtered when all is there', () => {
  fc.assert(
    fc.property(query, fc.integer({ min: 1, max: 1e6 }), (text, seed) => {
      const capture = makeCapture({ events: 150, seed, burst: 8 })
      const timing = new ManualTiming(capture.end)
      const source = new StepSource(capture)
      const hub = createHub([source], { timing, limit: 120 })
      const filtered = createFiltered(hub.session, text)
      while (source.step(7)) timing.settle()
      timing.pass(2_000)
      const whole = createFiltered(hub.session, text)
      expect(rowsOf(filtered)).toEqual(rowsOf(whole))
      for (const [index, row] of rowsOf(whole).entries()) expect(filtered.indexOf(row)).toBe(index)
      expect(filtered.progress).toBe(1)
    }),
    { numRuns: 60 },
  )
})

test('a term and its opposite share all rows between them', () => {
  const { session } = load(1_500)
  const all = session.rows.next - session.rows.first
  for (const term of TERMS.filter((term) => !term.startsWith('nonsense'))) {
    const [some, others] = [createFiltered(session, term), createFiltered(session, `-${term}`)]
    expect(some.query.faults, term).toEqual([])
    expect(some.length + others.length, term).toBe(all)
  }
})

test('types are asked for as patterns, and as what is below them', () => {
  const { session } = load(1_000)
  const types = (query: string) => [...new Set(texts(session, query))].sort()
  expect(types('type:order')).toEqual([
    'order.notified',
    'order.paid',
    'order.placed',
    'order.shipped',
  ])
  expect(types('type:order.*')).toEqual(types('type:order'))
  expect(types('type:*.item_added')).toEqual(['cart.item_added'])
  expect(types('type:cart.item')).toEqual([])
  expect(types('type:cart*')).toEqual(['cart.cleared', 'cart.item_added', 'cart.item_removed'])
})

test('peers are asked for by name, kind, source and id', () => {
  const { session } = load(1_000)
  const publishers = (query: string) => {
    const filtered = createFiltered(session, query)
    const names = new Set<string>()
    for (let index = 0; index < filtered.length; index++) {
      const row = filtered.at(index)!
      if (row.kind === 'event') names.add(session.peers.get(row.publisher)!.name)
    }
    return [...names].sort()
  }
  expect(publishers('from:orders')).toEqual(['orders · node', 'tab 2 · Orders'])
  expect(publishers('from:node')).toEqual(['orders · node'])
  expect(publishers('from:sw')).toEqual(['service worker'])
  expect(publishers('from:="tab 1 · Cart"')).toEqual(['tab 1 · Cart'])
  expect(publishers('from:"tab 1","tab 3"')).toEqual(['tab 1 · Cart', 'tab 3 · Cart'])
  expect(publishers('from:phnG1q2r3s4t5')).toEqual(['tab 3 · Cart'])
})

test('causes, effects and conversations are asked for by an event of them', () => {
  const { session, capture } = load(1_000)
  const paid = capture.ids
    .map((id) => session.event(id)!)
    .find(({ event }) => event.type === 'order.paid')!
  const cause = paid.event.causationId!
  expect(rowsOf(createFiltered(session, `causedby:@${cause}`))).toEqual(
    session.effects(cause).map(({ row }) => row),
  )
  const chain = rowsOf(createFiltered(session, `chain:${paid.id}`))
  expect(chain.sort()).toEqual(
    session
      .conversation(cause)
      .map(({ row }) => row)
      .sort(),
  )
  expect(chain).toContain(session.event(cause)!.row)
})

test('values that cannot be understood are said, and let everything through', () => {
  const { session } = load(50)
  const all = session.rows.next - session.rows.first
  for (const text of ['dur:soon', 'size:big', 'after:yesterday', 'state:lost', 'is:it', 'via:']) {
    const filtered = createFiltered(session, text)
    expect(filtered.query.faults, text).toHaveLength(1)
    expect(filtered.length, text).toBe(all)
  }
  expect(createFiltered(session, 'dur:soon').query.faults).toEqual([
    { from: 4, to: 8, message: '“soon” is not a duration such as 50ms or 2s.' },
  ])
})

test('data is asked of the peers, and what they find comes into the list', async () => {
  const { session, capture, hub, timing } = load(60)
  const asked: string[] = []
  const found = capture.ids.slice(10, 13)
  const asking = {
    ...hub,
    ask: (peer: string, ask: { what: string }, options: { onPart?: (part: object) => void }) => {
      asked.push(`${peer} ${ask.what}`)
      if (ask.what === 'search' && peer === 'tabA1b2C3d4E5')
        options.onPart?.({ ids: found, searched: 60 })
      return Promise.resolve({})
    },
  } as unknown as typeof hub
  const filtered = createFiltered(session, 'data.sku:A1', asking)
  timing.settle()
  expect(rowsOf(filtered)).toEqual(found.map((id) => session.event(id)!.row).sort((a, b) => a - b))
  // The relay has no data to look at.
  expect(asked.filter((ask) => ask.endsWith('search'))).toHaveLength(7)
  filtered.setQuery('')
  expect(filtered.length).toBe(session.rows.next - session.rows.first)
})

test('the minimap counts what there is, what is let through, and what went wrong', () => {
  const { session } = load(2_000)
  const filtered = createFiltered(session, 'type:order.**')
  const { buckets, from, to } = minimapOf(session, filtered, 100)
  const sum = (key: keyof (typeof buckets)[number]) =>
    buckets.reduce((sum, bucket) => sum + bucket[key], 0)
  expect(sum('events')).toBe(createFiltered(session, 'is:event').length)
  expect(sum('matching')).toBe(filtered.length)
  expect(sum('errors')).toBe(createFiltered(session, 'error:').length)
  expect(sum('gaps')).toBe(createFiltered(session, 'gap:').length)
  expect(to).toBeGreaterThan(from)
})

test('completions are what there is, the most frequent first', () => {
  const { session } = load(800)
  const labels = (text: string, cursor = text.length) =>
    complete(text, cursor, session).options.map(({ label }) => label)
  expect(labels('')).toContain('type:')
  expect(labels('la')).toContain('latency:')
  expect(labels('type:cart.').slice(0, 2)).toEqual(['cart.**', 'cart.item_added'])
  expect(labels('from:')).toContain('tab 1 · Cart')
  expect(labels('from:ta').every((label) => label.includes('ta'))).toBe(true)
  expect(complete('from:ta', 7, session).options[0]!.insert).toBe('"tab 1 · Cart"')
  expect(labels('state:re')).toEqual(['relayed', 'refused'])
  expect(labels('-is:mi')).toEqual(['missing'])
  expect(labels('stream:order-').length).toBeGreaterThan(0)
  expect(labels('zzz')).toEqual([])
})

test('completions never throw, and stand where the cursor is', () => {
  const { session } = load(100)
  fc.assert(
    fc.property(fc.string({ maxLength: 30 }), fc.nat(30), (text, at) => {
      const cursor = Math.min(at, text.length)
      const { from, to } = complete(text, cursor, session)
      expect(from).toBeLessThanOrEqual(cursor)
      expect(to).toBeGreaterThanOrEqual(cursor)
      expect(to).toBeLessThanOrEqual(text.length)
    }),
    { numRuns: 500 },
  )
})
