// Rows as text.

const scales = [
  [1e6, 'M'],
  [1e3, 'k'],
  [1, ''],
]

const digits = (value) => (value >= 100 ? 0 : value >= 10 ? 1 : 2)

export function amount(value, unit) {
  if (unit === 'kB') return `${value.toFixed(digits(value))} kB`
  if (unit === 'ms' && value < 1) return `${(value * 1000).toFixed(digits(value * 1000))} µs`
  if (unit === 'ms') return `${value.toFixed(digits(value))} ms`
  const [scale, name] = scales.find(([scale]) => value >= scale) ?? scales.at(-1)
  const per = unit === 'per CPU s' ? '/CPU s' : '/s'
  return `${(value / scale).toFixed(digits(value / scale))} ${name}${per}`
}

/** A ratio. */
export const times = (ratio) => `${ratio.toFixed(digits(ratio))}x`

/** What a row is to reach. */
export const goalText = ({ atLeast, atMost }) =>
  atLeast === undefined ? `<= ${atMost}x` : `>= ${atLeast}x`

const columns = [
  ['suite', (row) => row.suite],
  ['work', (row) => row.work],
  ['against', (row) => row.against],
  ['ours', (row) => amount(row.ours, row.unit), 'right'],
  ['peer', (row) => amount(row.peer, row.unit), 'right'],
  ['ratio', (row) => times(row.ratio), 'right'],
  ['min-max', (row) => `${times(row.lowest)}-${times(row.highest)}`, 'right'],
  ['goal', (row) => goalText(row.goal), 'right'],
  ['meets', (row) => (row.meets ? 'yes' : 'NO')],
]

/** One row on a line of its own, while it is fresh. */
export function renderRow(row) {
  const spread = `${times(row.lowest)}-${times(row.highest)}`
  const verdict = row.meets ? 'meets' : 'MISSES'
  return `${row.work}: ${times(row.ratio)} (${spread}), ${verdict} ${goalText(row.goal)}`
}

const budgetColumns = [
  ['suite', (row) => row.suite],
  ['budget of', (row) => row.work],
  ['measured', (row) => row.how],
  ['value', (row) => amount(row.value, row.unit), 'right'],
  ['min-max', (row) => spread(row), 'right'],
  ['budget', (row) => `<= ${amount(row.budget.atMost, row.unit)}`, 'right'],
  ['met', (row) => (row.meets ? 'yes' : 'NO')],
]

const spread = ({ lowest, highest, unit }) => `${amount(lowest, unit)}-${amount(highest, unit)}`

/** One budget on a line of its own, while it is fresh. */
export function renderBudget(row) {
  const verdict = row.meets ? 'within' : 'OVER'
  const budget = amount(row.budget.atMost, row.unit)
  return `${row.work}: ${amount(row.value, row.unit)} (${spread(row)}), ${verdict} ${budget}`
}

/** A table, and below it the rows that miss. */
export function render(rows) {
  return [
    table(columns, rows),
    '',
    'Medians; the ratio is the median of the rounds’ ratios, min-max their range.',
    verdict(rows),
  ].join('\n')
}

/** The same of budgets. */
export function renderBudgets(rows) {
  return [
    table(budgetColumns, rows),
    '',
    'Medians of the rounds, min-max their range.',
    budgetVerdict(rows),
  ].join('\n')
}

/** The table alone, of rows of one suite whose name is said already. */
export const tableInSuite = (rows) => table(columns.slice(1), rows)
export const budgetsInSuite = (rows) => table(budgetColumns.slice(1), rows)

/** How many meet their goals, and which do not. */
export const verdict = (rows) => verdictOn(rows, 'rows', 'miss', 'meet their goals')
export const budgetVerdict = (rows) => verdictOn(rows, 'budgets', 'are over', 'are met')

/** Each curve on a line of its own, while it is fresh. */
export function renderCurves({ per, unit, curves }) {
  return curves.map(({ name, points }) => {
    const values = points.map(({ n, value }) => `${n.toLocaleString('en')}: ${amount(value, unit)}`)
    return `${name}, by ${per}: ${values.join(', ')}`
  })
}

/** A table of a growth: a row for each size, a column for each curve. */
export function renderGrowth({ per, unit, curves }) {
  const growthColumns = [
    [per, (i) => curves[0].points[i].n.toLocaleString('en'), 'right'],
    ...curves.flatMap(({ name, points }) => [
      [name, (i) => amount(points[i].value, unit), 'right'],
      ['min-max', (i) => spread({ ...points[i], unit }), 'right'],
    ]),
  ]
  return table(growthColumns, [...curves[0].points.keys()])
}

function verdictOn(rows, what, miss, meet) {
  const missed = rows.filter((row) => !row.meets)
  if (missed.length === 0) return `All ${rows.length} ${what} ${meet}.`
  const names = missed.map((row) => row.work).join('; ')
  return `${missed.length} of ${rows.length} ${what} ${miss}: ${names}.`
}

function table(columns, rows) {
  const cells = rows.map((row) => columns.map(([, text]) => text(row)))
  const lines = [columns.map(([title]) => title), ...cells]
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)))
  const line = (texts) =>
    `| ${texts.map((text, i) => pad(text, widths[i], columns[i][2])).join(' | ')} |`
  const rule = `|${columns.map(([, , side], i) => ruleOf(widths[i], side)).join('|')}|`
  return [line(lines[0]), rule, ...lines.slice(1).map(line)].join('\n')
}

const pad = (text, width, side) => (side === 'right' ? text.padStart(width) : text.padEnd(width))
const ruleOf = (width, side) => `${'-'.repeat(width + 1)}${side === 'right' ? ':' : '-'}`
