import { describe, expect, test } from 'vitest'
import type { RoomState } from '../log/log.ts'
import { emptyRoomState } from '../log/room-state.ts'
import type { WelcomeFrame } from '../protocol/frames.ts'
import { type Held, reconcile } from './reconcile.ts'

const READS = JSON.stringify([['**'], undefined])

/** A log that was at place 9 of epoch `e` and had batch 5 confirmed. */
const JOINED: RoomState = {
  ...emptyRoomState(),
  cursor: 'e.9.c9',
  older: ['e.8.c8', 'e.4.c4'],
  liveAfter: 2,
  subject: 'u',
  reads: READS,
  confirmed: { batch: 5, id: 'p-5' },
  terms: [
    [3, 'three'],
    [4, 'four'],
  ],
  term: 4,
  pending: 0,
  pendingBytes: 0,
}

function held(change: Partial<Held> = {}): Held {
  const room = change.room ?? JOINED
  return { room, terms: room.terms, knowsTaken: true, types: undefined, ...change }
}

function welcome(change: Partial<WelcomeFrame> = {}): WelcomeFrame {
  return {
    frame: 'welcome',
    version: 1,
    subject: 'u',
    rights: { publish: ['**'], subscribe: ['**'] },
    taken: { batch: 5, id: 'p-5' },
    term: [4, 'four'],
    epoch: 'e',
    head: 'e.12.c12',
    from: 'e.9.c9',
    recovered: true,
    limits: { frameBytes: 1, batchEvents: 1, heartbeatMs: 1 },
    durability: 'disk',
    ...change,
  } as WelcomeFrame
}

function goOn(heldChange: Partial<Held> = {}, welcomeChange: Partial<WelcomeFrame> = {}) {
  const verdict = reconcile(held(heldChange), welcome(welcomeChange))
  if (verdict.do !== 'goOn') throw new Error(`verdict: ${verdict.do}`)
  return verdict
}

const NEW_LOG: RoomState = {
  ...emptyRoomState(),
  terms: [[1, 'one']],
  term: 1,
  pending: 0,
  pendingBytes: 0,
}

describe('going on', () => {
  test('from the cursor: nothing is cut, nothing is missing, what waits goes out', () => {
    expect(goOn()).toEqual({
      do: 'goOn',
      liveAfter: 2,
      reads: READS,
      confirmed: { batch: 5, id: 'p-5' },
      cut: undefined,
      gap: undefined,
      send: 'now',
    })
  })

  test('a new log: what the room has already is past, and what waits goes out', () => {
    const { taken: _, ...fresh } = welcome({ from: 'e.0.0', term: [1, 'one'] })
    expect(reconcile(held({ room: NEW_LOG }), fresh)).toMatchObject({
      liveAfter: 12,
      cut: undefined,
      gap: undefined,
      send: 'now',
    })
  })

  test('a relay that took more than was heard of: that is confirmed by the stream', () => {
    const taken = { batch: 8, id: 'p-8' }
    expect(goOn({}, { taken })).toMatchObject({ confirmed: taken, send: 'now', gap: undefined })
  })

  test('history trimmed under a sleeping device: a gap with its range, and positions stay true', () => {
    expect(goOn({}, { recovered: false, reason: 'trimmed', from: 'e.11.c11' })).toMatchObject({
      cut: undefined,
      gap: { reason: 'trimmed', lost: 'e.9.c9', from: 'e.11.c11' },
    })
  })

  test('a restored room that trimmed where it has the same: positions above that are cut, not above where it goes on', () => {
    const trimmed = { recovered: false, reason: 'restored', from: 'e.20.c20' } as const
    expect(goOn({}, { ...trimmed, common: 'e.4.c4' })).toMatchObject({
      cut: { epoch: 'e', place: 4 },
      gap: { reason: 'restored', lost: 'e.9.c9', from: 'e.20.c20' },
    })
  })

  test('a restored room: positions above the one it knows are cut, and the kept pair moves back', () => {
    const taken = { batch: 3, id: 'p-3' }
    const verdict = goOn({}, { recovered: false, reason: 'restored', from: 'e.4.c4', taken })
    expect(verdict).toMatchObject({
      confirmed: taken,
      cut: { epoch: 'e', place: 4 },
      gap: { reason: 'restored', lost: 'e.9.c9', from: 'e.4.c4' },
      send: 'now',
    })
  })

  test('a room restored to before this device came: own events go out at the head only', () => {
    const { taken: _, term: __, ...old } = welcome({ recovered: false, from: 'e.0.0' })
    expect(reconcile(held(), old)).toMatchObject({
      do: 'goOn',
      confirmed: undefined,
      cut: { epoch: 'e', place: 0 },
      send: 'atHead',
    })
  })

  test('a restored room, after a fork that may not read all: what went out under the old id is asked for', () => {
    const types = ['a.*']
    const room = { ...JOINED, forked: 6, reads: JSON.stringify([['**'], types]) }
    const restored = { recovered: false, reason: 'restored', from: 'e.4.c4' } as const
    expect(goOn({ room, types }, restored).send).toBe('anew')
    const cut = { epoch: 'e', record: 7, place: 4 }
    expect(goOn({ room: { ...room, cuts: [cut] }, types }).send).toBe('anew')
    const rights = { publish: ['**'], subscribe: ['a.*'] }
    expect(goOn({ room }, { ...restored, rights }).send).toBe('anew')
  })

  test('whoever reads all, or never forked, or asked since the room was restored, goes on as it is', () => {
    const types = ['a.*']
    const room = { ...JOINED, forked: 6 }
    const restored = { recovered: false, reason: 'restored', from: 'e.4.c4' } as const
    expect(goOn({ room }, restored).send).toBe('now')
    expect(goOn({ types }, restored).send).toBe('now')
    expect(goOn({ room, types }).send).toBe('now')
    const cut = { epoch: 'e', record: 6, place: 4 }
    expect(goOn({ room: { ...room, cuts: [cut] }, types }).send).toBe('now')
    const { taken: _, ...unknown } = welcome(restored)
    expect(reconcile(held({ room, types }), unknown)).toMatchObject({ send: 'atHead' })
  })

  test('a room made anew: no position holds, and all that is new in it is live', () => {
    const anew = { epoch: 'f', from: 'f.0.0', head: 'f.3.c', recovered: false } as const
    const { taken: _, term: __, ...frame } = welcome({ ...anew, reason: 'new_epoch' })
    expect(reconcile(held(), frame)).toMatchObject({
      liveAfter: 0,
      cut: { epoch: 'e', place: 0 },
      gap: { reason: 'new_epoch', lost: 'e.9.c9', from: 'f.0.0' },
      send: 'atHead',
    })
  })

  const before = (subscribe: readonly string[], types: readonly string[] | null) => ({
    ...JOINED,
    reads: JSON.stringify([subscribe, types]),
  })
  const now = (subscribe: string[]) => ({ rights: { publish: [], subscribe } })

  test.each([
    ['rights', before(['a.*'], null), now(['**']), undefined],
    ['one right more', before(['a.*'], null), now(['a.*', 'b']), undefined],
    ['another right', before(['a.**'], null), now(['b.**']), undefined],
    ['types', before(['**'], ['a', 'b']), {}, ['a', 'b', 'c']],
    ['all types', before(['**'], ['a']), {}, undefined],
  ])('%s that were not there before leave a hole behind the cursor', (_, room, change, types) => {
    expect(goOn({ room, types }, change).gap).toEqual({ reason: 'rights_changed', from: 'e.9.c9' })
  })

  test.each([
    ['fewer rights', before(['**'], null), now(['order.**']), undefined],
    ['no rights', before(['**'], null), now([]), undefined],
    ['the same rights in another order', before(['a', 'b'], null), now(['b', 'a']), undefined],
    ['rights said otherwise', before(['*'], null), now(['**']), undefined],
    ['fewer types', before(['**'], null), {}, ['a']],
    ['one type of several', before(['**'], ['a.*', 'b']), {}, ['a.x']],
  ])('%s than before leave no hole: there is nothing that was hidden', (_, room, change, types) => {
    expect(goOn({ room, types }, change).gap).toBe(undefined)
  })
})

describe('forks', () => {
  test('the last batch the relay took is not in this log', () => {
    const taken = { batch: 6, id: 'lost-6' }
    expect(reconcile(held({ knowsTaken: false }), welcome({ taken }))).toEqual({ do: 'fork' })
  })

  test('somebody else led under this identity since', () => {
    expect(reconcile(held(), welcome({ term: [5, 'other'] })).do).toBe('fork')
    expect(reconcile(held(), welcome({ term: [4, 'other'] })).do).toBe('fork')
    expect(reconcile(held(), welcome({ term: [3, 'other'] })).do).toBe('fork')
  })

  test('a term before the last one welcomed is that of a restored relay', () => {
    expect(reconcile(held(), welcome({ term: [2, 'two'] })).do).toBe('goOn')
  })

  test('a term of this log that was not welcomed yet is its own', () => {
    expect(reconcile(held(), welcome({ term: [3, 'three'] })).do).toBe('goOn')
  })
})

test('another subject is refused before anything else is looked at', () => {
  const verdict = reconcile(held({ knowsTaken: false }), welcome({ subject: 'v' }))
  expect(verdict).toMatchObject({ do: 'refuse', error: { code: 'subject_changed' } })
})
