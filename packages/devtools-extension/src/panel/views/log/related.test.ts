import { expect, test } from 'vitest'
import type { EventRow, Session } from '../../model/model.ts'
import { causes, chainNeighbour, effects } from './related.ts'

/** A session of events and what each names as its cause. */
function sessionOf(...events: readonly (readonly [id: string, cause?: string])[]): Session {
  const rows = events.map(
    ([id, causationId], row): EventRow => ({
      row,
      kind: 'event',
      id,
      event: {
        id,
        type: 'a.b',
        source: 's',
        time: 0,
        bytes: 1,
        ...(causationId !== undefined && { causationId }),
      },
      ms: row,
      publisher: 'a',
      direction: 'out',
      delivered: 0,
      expected: 0,
      unknown: 0,
      state: 'logged',
      failures: 0,
      drops: 0,
    }),
  )
  const session: Pick<Session, 'event' | 'effects'> = {
    event: (id) => rows.find((row) => row.id === id),
    effects: (id) => rows.filter((row) => row.event.causationId === id),
  }
  return session as Session
}

const tree = sessionOf(['root', 'unknown'], ['a', 'root'], ['b', 'root'], ['c', 'a'], ['d', 'c'])
const row = (id: string, session = tree) => session.event(id) as EventRow
const ids = (rows: readonly EventRow[]) => rows.map(({ id }) => id)

test('causes go up to what is known, effects down to what nothing came of', () => {
  expect(ids(causes(tree, row('d')))).toEqual(['c', 'a', 'root'])
  expect(causes(tree, row('root'))).toEqual([])
  expect(ids(effects(tree, row('root')))).toEqual(['a', 'b', 'c', 'd'])
})

test('the chain is walked depth first, and back by causes', () => {
  const walk: string[] = []
  for (let at: EventRow | undefined = row('root'); at; at = chainNeighbour(tree, at, 'on'))
    walk.push(at.id)
  expect(walk).toEqual(['root', 'a', 'c', 'd', 'b'])
  expect(chainNeighbour(tree, row('b'), 'back')?.id).toBe('root')
  expect(chainNeighbour(tree, row('root'), 'back')).toBeUndefined()
})

test('events that name each other as cause hold nobody', () => {
  const round = sessionOf(['x', 'y'], ['y', 'x'], ['z', 'z'])
  expect(ids(causes(round, row('x', round)))).toEqual(['y'])
  expect(ids(effects(round, row('x', round)))).toEqual(['y'])
  expect(causes(round, row('z', round))).toEqual([])
  expect(chainNeighbour(round, row('z', round), 'on')?.id).toBe('z')
})
