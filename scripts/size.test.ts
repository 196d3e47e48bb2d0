// What a page loads of the bus grows with everybody's knowledge only.
import { describe, expect, it } from 'vitest'
import { BUDGETS, ENTRIES, sizesOf } from './lib/sizes.mjs'

describe.each(Object.entries(BUDGETS))('what is loaded %s', (what, budget) => {
  it('is within its budget, and not far below it', async () => {
    const { first, all } = await sizesOf(ENTRIES[what as keyof typeof ENTRIES])
    for (const [loaded, most] of [
      [first.gzip, budget.first],
      [all.gzip, budget.all],
    ] as const) {
      expect(loaded).toBeLessThanOrEqual(most)
      // What was won is kept.
      expect(loaded).toBeGreaterThan(most * 0.93)
    }
  })
})

it('a page without a relay has nothing of its session', async () => {
  const { first } = await sizesOf(ENTRIES['in a page, with tabs and log'])
  expect(first.stages['partysocket']).toBeUndefined()
  expect(
    first.modules.filter((one) =>
      /^(sync\/(session|sender|outgoing|match)|links\/relay)[.]/.test(one),
    ),
  ).toEqual([])
})

it('parts are not in what is loaded first', async () => {
  const { first, later } = await sizesOf(ENTRIES['with a relay'])
  expect(Object.keys(later).toSorted()).toEqual([
    'consume',
    'desk',
    'group-member',
    'guests',
    'indexeddb-rare',
    'inspect',
    'memory',
    'read',
  ])
  const parts =
    /^(inspect\/(attached|asks|recorder|outlet|tree)|consume\/(holding|cursor|group-work)|read\/(projector|replay|room-order)|request\/desk|log\/memory|sync\/(host|guest))[.]/
  expect(first.modules.filter((one) => parts.test(one))).toEqual([])
})
