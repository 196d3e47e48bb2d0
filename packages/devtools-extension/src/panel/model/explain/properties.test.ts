/** Whatever was captured, no conclusion contradicts it. */
import type { InspectRecord } from '@crosstown/bus/inspect'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { LedgerEntry, Session, Step } from '../model.ts'
import { explainEvent, explainSubscription, explainType, ledgerOf, sequenceOf } from './index.ts'
import { captured, header, type Told, told } from './testing/sessions.ts'

const ABSENT: ReadonlySet<LedgerEntry['outcome']> = new Set([
  'missing',
  'waiting',
  'offline',
  'no_right',
  'wrong_scope',
])

function check(session: Session, id: string): void {
  const steps = Map.groupBy(session.steps(id), ({ peer }) => peer)
  const ledger = ledgerOf(session, id)
  expect(new Set(ledger.map(({ peer }) => peer)).size).toBe(ledger.length)
  for (const entry of ledger) {
    const here = steps.get(entry.peer) ?? []
    readable(entry.why)
    expect(entry.after ?? 0).toBeGreaterThanOrEqual(0)
    if (session.peers.get(entry.peer)?.hello.kind === 'relay') continue
    const did = (is: Step['is']): Step[] => here.filter((step) => step.is === is)
    const failed = did('failed').filter(({ sub }) => sub !== undefined)
    const came = did('received').length + did('handled').length + failed.length
    if (came > 0) expect(ABSENT.has(entry.outcome), entry.why).toBe(false)
    if (did('handled').length > 0 && failed.length === 0)
      expect(['handled', 'late', 'duplicate', 'dropped']).toContain(entry.outcome)
    if (entry.outcome === 'handled') expect(did('handled').length).toBeGreaterThan(0)
    if (entry.outcome === 'failed') expect(failed.length).toBeGreaterThan(0)
    if (entry.outcome === 'filtered') expect(did('filtered').length).toBeGreaterThan(0)
    if (entry.outcome === 'duplicate') expect(did('dropped').length).toBeGreaterThan(0)
  }
  // Whoever had it to a handler is in it.
  for (const [peer, here] of steps) {
    if (!session.peers.has(peer) || session.event(id) === undefined) continue
    if (here.some(({ is }) => is === 'handled' || is === 'received'))
      expect(ledger.map((entry) => entry.peer)).toContain(peer)
  }
  const explained = explainEvent(session, id)
  readable(explained.headline)
  for (const { text } of explained.findings) readable(text)
  const { lanes, messages, bars } = sequenceOf(session, [id])
  for (const { sent, arrived, ms, from, to } of messages) {
    expect(arrived).toBeGreaterThanOrEqual(sent)
    expect(ms).toBeGreaterThanOrEqual(0)
    expect(lanes[from] && lanes[to]).toBeDefined()
  }
  for (const { lane, from, to } of bars) {
    expect(lanes[lane]).toBeDefined()
    expect(to).toBeGreaterThanOrEqual(from)
  }
}

/** A sentence or more, of which nothing was left out. */
function readable(text: string): void {
  expect(text).toMatch(/[.?]$/)
  // What a handler threw is its own words.
  expect(text.replace(/“.*?”/g, '')).not.toMatch(/undefined|NaN|Infinity|\[object| {2}| \(\)|\?\?/)
}

it('of captures with all kinds of trouble', () => {
  for (const seed of [1, 2]) {
    const { session, ids } = captured(250, seed)
    for (const id of ids) {
      check(session, id)
      // The row counts what the ledger names.
      const expected = ledgerOf(session, id).filter((entry) => entry.expected)
      const row = session.event(id)
      if (row) expect(expected).toHaveLength(row.expected)
    }
    for (const type of [...session.types.keys(), 'no.such', 'order.*', '**', 'not a type']) {
      const { headline, findings } = explainType(session, type)
      for (const text of [headline, ...findings.map(({ text }) => text)]) readable(text)
    }
    for (const [peer, { subscriptions }] of session.peers) {
      for (const sub of [...subscriptions.keys(), 99]) {
        const { headline, findings } = explainSubscription(session, peer, sub)
        for (const text of [headline, ...findings.map(({ text }) => text)]) readable(text)
      }
    }
  }
})

const IDS = ['pubA-1', 'pubA-2', 'tabB-1']
const at = fc.double({ min: 0, max: 9_000, noNaN: true })
const ids = fc.constantFrom(...IDS).map((id) => [id])
const sub = fc.constantFrom(1, 2, 3)
const via = fc.constantFrom('tabs', 'relay', 'log', 'link')
const ms = fc.double({ min: 0, max: 500, noNaN: true })
const event = fc
  .record({
    id: fc.constantFrom(...IDS),
    type: fc.constantFrom('order.placed', 'order.paid', 'ordre.placed'),
    scope: fc.constantFrom(undefined, 'context', 'device'),
    persist: fc.constantFrom(undefined, false),
    causationId: fc.constantFrom(undefined, ...IDS),
  })
  .map(({ id, ...more }) => header(id, JSON.parse(JSON.stringify(more))))
const device = fc.constantFrom('laptop', 'phone')

const record = fc.oneof(
  fc.record({ is: fc.constant('published'), at, events: event.map((one) => [one]) }),
  fc.record({ is: fc.constant('committed'), at, batch: fc.nat(9), ids, ms }),
  fc.record({ is: fc.constant('posted'), at, via, ids, bytes: fc.nat(9), to: device }),
  fc.record({ is: fc.constant('confirmed'), at, ids }),
  fc.record({
    is: fc.constant('received'),
    at,
    via,
    origin: fc.constantFrom('device', 'room', 'past'),
    ids,
  }),
  fc.record({ is: fc.constant('matched'), at, ids, subs: fc.uniqueArray(sub) }),
  fc.record({ is: fc.constant('handled'), at, sub, ids, ms: ms.map((one) => [one]) }),
  fc.record({
    is: fc.constant('failed'),
    at,
    sub,
    ids,
    stage: fc.constant('dispatch'),
    code: fc.constant('handler_failed'),
    message: fc.constantFrom('', 'no'),
  }),
  fc.record({
    is: fc.constant('refused'),
    at,
    ids,
    code: fc.constantFrom('forbidden', 'conflict', 'closed'),
    final: fc.boolean(),
  }),
  fc.record({
    is: fc.constant('dropped'),
    at,
    ids,
    count: fc.constant(1),
    to: device,
    why: fc.constantFrom(
      'overflow',
      'offline',
      'no_right',
      'withdrawn',
      'closed',
      'fault',
      'duplicate',
      'unwanted',
    ),
  }),
  fc.record({
    is: fc.constant('filtered'),
    at,
    sub,
    ids,
    why: fc.constantFrom('where', 'ended', 'known'),
  }),
  fc.record({ is: fc.constant('unsubscribed'), at, sub }),
  fc.record({ is: fc.constant('life'), at, state: fc.constantFrom('frozen', 'resumed') }),
) as fc.Arbitrary<InspectRecord>

it('of records in any order, of peers that tell anything', () => {
  const records = fc.array(record, { maxLength: 12 })
  const subscriptions = fc.array(
    fc.record({
      patterns: fc.constantFrom(['order.*'], ['order.placed'], ['order.plcaed'], ['**']),
      kind: fc.constantFrom('handler', 'once', 'loop', 'view'),
      at: fc.double({ min: -10, max: 9_000, noNaN: true }),
    }),
    { maxLength: 3 },
  )
  const peers = fc.tuple(
    ...['pubA', 'tabB', 'phnC'].map((peer) =>
      fc.record({
        peer: fc.constant(peer),
        device: peer === 'phnC' ? fc.constant('phone') : fc.constant('laptop'),
        subscriptions,
        records,
      }),
    ),
    fc.record({ peer: fc.constant('relay:r:1'), kind: fc.constant('relay'), records }),
  ) as fc.Arbitrary<Told[]>
  fc.assert(
    fc.property(peers, (all) => {
      const session = told(all)
      expect(session.malformed.reasons).toEqual([])
      for (const id of IDS) check(session, id)
    }),
    { numRuns: 400 },
  )
})
