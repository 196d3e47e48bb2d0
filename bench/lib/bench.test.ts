import { expect, test } from 'vitest'
import { Bench } from './compare.mjs'
import { documentOf } from './document.mjs'
import { median, quantile, summarize, summarizeBudget } from './stats.mjs'
import { amount, render, renderBudget, renderBudgets, renderGrowth, renderRow } from './table.mjs'

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

test('curves are measured size after size, and a median stands with its range', async () => {
  const asked: string[] = []
  const said: string[] = []
  const bench = new Bench((text: string) => said.push(text))
  const values = [30, 10, 20]
  const growth = {
    name: 'log',
    work: 'Reading',
    how: 'by hand',
    per: 'events',
    unit: 'ms',
  } as const
  await bench.grow({
    ...growth,
    rounds: 3,
    sizes: [1, 1_000],
    curves: [
      { name: 'a', measure: (n: number) => n * (values[asked.push(`a${n}`) % 3] as number) },
      { name: 'b', measure: (n: number) => asked.push(`b${n}`) && 0.5 },
    ],
  })
  expect(asked).toEqual(['a1', 'b1', 'a1000', 'b1000'].flatMap((name) => [name, name, name]))
  const [measured] = bench.growths
  expect(measured?.curves[0].points).toEqual([
    { n: 1, value: 20, lowest: 10, highest: 30 },
    { n: 1_000, value: 20_000, lowest: 10_000, highest: 30_000 },
  ])
  expect(said).toEqual([
    '  a, by events: 1: 20.0 ms, 1,000: 20000 ms',
    '  b, by events: 1: 500 µs, 1,000: 500 µs',
  ])
  const lines = renderGrowth(measured).split('\n')
  expect(lines[2]).toMatch(/^\| +1 \| +20.0 ms \| +10.0 ms-30.0 ms \| 500 µs \|/)

  await bench.grow({ ...growth, sizes: [1], curves: [{ name: 'none', measure: () => 0 }] })
  expect(bench.failures).toMatchObject([
    { work: 'Reading', error: { message: 'measured 0 with 1' } },
  ])
  expect(bench.growths).toHaveLength(1)
})

test('the document has a section for each suite, with its pictures', () => {
  const points = [
    { n: 1, value: 2, lowest: 1, highest: 3 },
    { n: 100, value: 4, lowest: 3, highest: 5 },
  ]
  const growth = {
    ...{ suite: 'growth', name: 'log', work: 'Reading < & writing', how: 'by hand', per: 'events' },
    unit: 'ms',
    curves: [{ name: 'a', points }],
  }
  const about = {
    tabs: { title: 'Between tabs', text: 'Two tabs.' },
    growth: { title: 'Growth', text: 'Curves.' },
  }
  const { text, pictures } = documentOf({
    rows: [row],
    budgets: [],
    growths: [growth],
    about,
    conditions: 'command   npm run bench',
  })
  expect([...pictures.keys()]).toEqual(['bench-goals.svg', 'bench-log.svg'])
  expect(text).toMatch(/```\ncommand {3}npm run bench\n```/)
  expect(text).toContain('\n\n1 of 1 rows miss: a burst.\n\n## Between tabs')
  expect(text).toMatch(/## Between tabs\n\nTwo tabs\.\n\n\| work +\|/)
  expect(text).toContain('![Reading < & writing, by events](images/bench-log.svg)')
  expect(text).toMatch(/\| events \| +a \| +min-max \|/)
  expect(pictures.get('bench-goals.svg')).toMatch(/class="missed".*\n.*6\.00x \(&gt;= 10x\)/)
  const curve = pictures.get('bench-log.svg')
  expect(curve).toContain('Reading &lt; &amp; writing')
  expect(curve).toContain('prefers-color-scheme:dark')
  expect(curve).not.toContain('NaN')
})
