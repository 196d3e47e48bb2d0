import { expect, test } from 'vitest'
import { SessionStore } from './session.ts'
import { ManualTiming } from './testing/manual-timing.ts'

/** A session into which more comes than one turn takes, and of which was just told. */
function loading() {
  const timing = new ManualTiming()
  const session = new SessionStore({ timing })
  const told: number[] = []
  session.subscribe(() => told.push(session.rows.next))
  const come = () =>
    session.note({ kind: 'mark', severity: 'info', text: '' }, undefined, timing.now())
  session.work()
  come()
  timing.settle()
  expect(told).toEqual([1])
  return { timing, session, told, come }
}

test('a load that has ended is shown at once, however shortly before it was looked at', () => {
  const { timing, session, told, come } = loading()
  come()
  session.rest()
  timing.pass(40)
  expect(told).toEqual([1, 2])
})

test('a load that goes on is not looked at whenever nothing waits for a moment', () => {
  const { timing, session, told, come } = loading()
  for (let n = 0; n < 10; n++) {
    come()
    session.rest()
    timing.pass(15)
    session.work()
  }
  expect(told).toEqual([1])
  timing.pass(1_000)
  expect(told.at(-1)).toBe(11)
  expect(told.length).toBeLessThan(4)
})
