import { expect, test } from 'vitest'
import type { Row, Session } from '../model/model.ts'
import { newsSince } from './announcer.tsx'

function sessionOf(count: number, row: (at: number) => Partial<Row>): Session {
  return {
    rows: { first: 0, next: count, at: (at: number) => row(at) },
  } as Partial<Session> as Session
}

const event = { kind: 'event', failures: 0, state: 'logged' } as const

test('what came is counted, with what went wrong', () => {
  const session = sessionOf(39, (at) =>
    at === 5 ? { kind: 'error', severity: 'error' } : { ...event, failures: at === 7 ? 1 : 0 },
  )
  expect(newsSince(session, 0)).toBe('38 new events, 2 errors')
  expect(newsSince(session, 38)).toBe('1 new event')
  expect(newsSince(session, 39)).toBeUndefined()
})

test('of very much it is said that there is more', () => {
  expect(
    newsSince(
      sessionOf(50_000, () => event),
      0,
    ),
  ).toBe('more than 2,000 new events')
})
