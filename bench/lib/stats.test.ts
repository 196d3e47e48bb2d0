import { expect, test } from 'vitest'
import { Bench } from './compare.mjs'
import { median, quantile, summarize, summarizeBudget } from './stats.mjs'
import { amount, render, renderBudget, renderBudgets, renderRow } from './table.mjs'

test('a quantile lies between its neighbours, whatever the order', () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([4, 1])).toBe(2.5)
  expect(quantile([10, 9, 1, 2, 3, 4, 5, 6, 7, 8, 0], 0.9)).toBe(9)
  expect(() => median([])).toThrow('no values')
})

test('the ratio is the median of the ratios of the rounds, not of the medians', () => {
  const rounds = [
    { ours: 10, peer: 10 },
    { ours: 40, peer: 20 },
    { ours: 90, peer: 30 },
  ]
  expect(summarize(rounds, { atLeast: 2 })).toEqual({
    ours: 40,
    peer: 20,
    ratio: 2,
    lowest: 1,
    highest: 3,
    meets: true,
  })
})

test('a rate must reach its goal, a time must not pass it', () => {
  const rounds = [{ ours: 13, peer: 10 }]
  expect(summarize(rounds, { atLeast: 1.4 }).meets).toBe(false)
  expect(summarize(rounds, { atLeast: 1.3 }).meets).toBe(true)
  expect(summarize(rounds, { atMost: 1.3 }).meets).toBe(true)
  expect(summarize(rounds, { atMost: 1.2 }).meets).toBe(false)
})

test('amounts have the unit that suits them', () => {
  expect(amount(4_230_000, 'events/s')).toBe('4.23 M/s')
  expect(amount(53_210, 'events/s')).toBe('53.2 k/s')
  expect(amount(0.5, 'events/s')).toBe('0.50 /s')
  expect(amount(0.2345, 'ms')).toBe('235 µs')
  expect(amount(12.34, 'ms')).toBe('12.3 ms')
  expect(amount(45.49, 'kB')).toBe('45.5 kB')
})

const row = {
  suite: 'tabs',
  work: 'a burst',
  against: 'a peer',
  unit: 'events/s',
  goal: { atLeast: 10 },
  ...summarize([{ ours: 120_000, peer: 20_000 }], { atLeast: 10 }),
}

test('a table says which rows miss their goal', () => {
  const met = { ...row, work: 'a round trip', unit: 'ms', goal: { atMost: 2 }, meets: true }
  expect(renderRow(row)).toBe('a burst: 6.00x (6.00x-6.00x), MISSES >= 10x')
  const lines = render([row, met]).split('\n')
  expect(lines[2]).toMatch(/120 k\/s +\| 20.0 k\/s \| +6.00x \|.*\| >= 10x \| NO +\|$/)
  expect(lines[3]).toMatch(/<= 2x \| yes +\|$/)
  expect(lines.at(-1)).toBe('1 of 2 rows miss: a burst.')
  expect(render([met])).toContain('All 1 rows meet their goals.')
})

test('a budget is met by the median of its rounds, up to its very end', () => {
  const summary = { value: 50, lowest: 20, highest: 400 }
  expect(summarizeBudget([400, 20, 50], { atMost: 50 })).toEqual({ ...summary, meets: true })
  expect(summarizeBudget([400, 20, 50], { atMost: 49 })).toEqual({ ...summary, meets: false })
})

test('a table of budgets says which are over', () => {
  const budget = { atMost: 50 }
  const start = {
    suite: 'budgets',
    work: 'a start',
    how: 'from here to there',
    unit: 'ms',
    budget,
    ...summarizeBudget([12, 70, 60], budget),
  }
  const met = { ...start, work: 'an end', ...summarizeBudget([0.5], budget) }
  expect(renderBudget(start)).toBe('a start: 60.0 ms (12.0 ms-70.0 ms), OVER 50.0 ms')
  expect(renderBudget(met)).toBe('an end: 500 µs (500 µs-500 µs), within 50.0 ms')
  const lines = renderBudgets([start, met]).split('\n')
  expect(lines[2]).toMatch(/from here to there \| 60.0 ms \|.*\| <= 50.0 ms \| NO +\|$/)
  expect(lines[3]).toMatch(/\| yes \|$/)
  expect(lines.at(-1)).toBe('1 of 2 budgets are over: a start.')
  expect(renderBudgets([met])).toContain('All 1 budgets are met.')
})

test('warm-ups of a budget do not count, and one that fails is told, not thrown', async () => {
  const said: string[] = []
  const bench = new Bench((text: string) => said.push(text))
  bench.suite = 'budgets'
  const budget = { work: 'a start', how: 'by hand', unit: 'ms', budget: { atMost: 3 } } as const
  const values = [900, 2, 3, 1]
  await bench.budget({ ...budget, warmups: 1, rounds: 3, measure: () => values.shift() ?? 0 })
  expect(bench.budgets).toMatchObject([{ value: 2, lowest: 1, highest: 3, meets: true }])
  await bench.budget({ ...budget, work: 'nothing', measure: () => 0 })
  const broken = (): Promise<number> => Promise.reject(new Error('the page is gone'))
  await bench.budget({ ...budget, work: 'an end', measure: broken })
  expect(bench.failures.map(({ work, error }) => [work, error.message])).toEqual([
    ['nothing', 'measured 0'],
    ['an end', 'the page is gone'],
  ])
  expect(bench.budgets).toHaveLength(1)
  expect(said.at(-1)).toBe('  ✗ an end: the page is gone')
})
