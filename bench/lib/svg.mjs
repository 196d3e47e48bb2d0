// Plots as SVG texts. Each has a ground of its own and follows the reader's light or dark, so that it
// is readable wherever it is shown.
import { amount, goalText, times } from './table.mjs'

const WIDTH = 940
const INK = { light: '#1f2328', dark: '#e6edf3' }
const curveColors = [
  ['#0b6e99', '#58b6e0'],
  ['#b0520d', '#f0a35e'],
  ['#6639ba', '#b392f0'],
  ['#116329', '#5cc97a'],
]

/** Rows with a goal as bars: how far each is beyond its goal, or short of it. */
export function goalPlot(rows) {
  const scores = rows.map(({ ratio, goal }) =>
    goal.atLeast ? ratio / goal.atLeast : goal.atMost / ratio,
  )
  const scale = logScale([Math.min(0.5, ...scores), Math.max(2, ...scores)], [LABELS, WIDTH - 96])
  const height = 56 + rows.length * BAR_ROW + 12
  const parts = [
    text(16, 26, 'Each row against its goal: to the right of the line it is met', 'title'),
    ...scale.ticks.map((tick) =>
      line(scale.at(tick), 44, scale.at(tick), height - 12, tick === 1 ? 'goal' : 'grid'),
    ),
    ...scale.ticks.map((tick) => text(scale.at(tick), 40, times(tick), 'tick', 'middle')),
    ...rows.flatMap((row, i) => bar(row, scores[i], scale, 52 + i * BAR_ROW)),
  ]
  return svg(height, 'How each row stands to its goal', parts)
}

const LABELS = 510
const BAR_ROW = 26

function bar({ work, ratio, goal, meets }, score, scale, y) {
  const [from, to] = [scale.at(1), scale.at(score)]
  const [left, right] = [Math.min(from, to), Math.max(from, to)]
  const kind = meets ? 'met' : 'missed'
  return [
    text(LABELS - 12, y + 16, shortened(work, 78), 'label', 'end'),
    `<rect x="${px(left)}" y="${y + 4}" width="${px(Math.max(2, right - left))}" height="16" rx="2" class="${kind}"/>`,
    text(right + 6, y + 16, `${times(ratio)} (${goalText(goal)})`, 'tick'),
  ]
}

/** What something costs by how many there are of something else: a curve each, both axes logarithmic. */
export function growthPlot({ work, per, unit, curves }) {
  const height = 340
  const points = curves.flatMap((curve) => curve.points)
  const x = logScale(extent(points.map(({ n }) => n)), [78, WIDTH - 40])
  const y = logScale(padded(extent(points.flatMap(({ lowest, highest }) => [lowest, highest]))), [
    height - 54,
    72,
  ])
  const parts = [
    text(16, 26, work, 'title'),
    ...y.ticks.flatMap((tick) => [
      line(78, y.at(tick), WIDTH - 40, y.at(tick), 'grid'),
      text(70, y.at(tick) + 4, amount(tick, unit), 'tick', 'end'),
    ]),
    ...curves[0].points.map(({ n }) =>
      text(x.at(n), height - 34, n.toLocaleString('en'), 'tick', 'middle'),
    ),
    text((78 + WIDTH - 40) / 2, height - 12, per, 'label', 'middle'),
    ...curves.flatMap((curve, i) => [
      `<rect x="${78 + i * 250}" y="42" width="12" height="12" rx="2" class="fill${i}"/>`,
      text(96 + i * 250, 52, curve.name, 'label'),
      `<polyline points="${curve.points.map(({ n, value }) => `${px(x.at(n))},${px(y.at(value))}`).join(' ')}" class="curve stroke${i}"/>`,
      ...curve.points.flatMap(({ n, value, lowest, highest }) => [
        line(x.at(n), y.at(lowest), x.at(n), y.at(highest), `stroke${i}`),
        `<circle cx="${px(x.at(n))}" cy="${px(y.at(value))}" r="4" class="fill${i}"/>`,
      ]),
    ]),
  ]
  return svg(height, `${work}, by ${per}`, parts)
}

function svg(height, title, parts) {
  const colors = (index) => {
    const of = (kind) =>
      curveColors.map((pair, i) => `.${kind}${i}{${kind}:${pair[index]}}`).join('')
    return `${of('fill')}${of('stroke')}`
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>${escaped(title)}</title>
<style>
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:${INK.light}}
.title{font-size:15px;font-weight:600}.tick{font-size:11px;opacity:.8}
.ground{fill:#fff}.grid{stroke:#d1d9e0}.goal{stroke:${INK.light};stroke-width:1.5}
.met{fill:#1a7f64}.missed{fill:#c2410c}.curve{fill:none;stroke-width:2}
${colors(0)}
@media (prefers-color-scheme:dark){
text{fill:${INK.dark}}.ground{fill:#0d1117}.grid{stroke:#30363d}.goal{stroke:${INK.dark}}
.met{fill:#3fb68b}.missed{fill:#f0883e}
${colors(1)}
}
</style>
<rect class="ground" width="${WIDTH}" height="${height}" rx="8"/>
${parts.join('\n')}
</svg>
`
}

/** A logarithmic axis over whole powers of ten, and what lies between where there are few. */
function logScale([low, high], [start, end]) {
  const [from, to] = [Math.log10(low), Math.log10(high)]
  const at = (value) =>
    to === from ? start : start + ((Math.log10(value) - from) / (to - from)) * (end - start)
  const steps = to - from > 3.5 ? [1] : to - from > 1.5 ? [1, 3] : [1, 2, 5]
  const ticks = []
  for (let power = Math.floor(from); power <= to; power++) {
    for (const step of steps) {
      const tick = Number((step * 10 ** power).toPrecision(1))
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick)
    }
  }
  return { at, ticks }
}

const extent = (values) => [Math.min(...values), Math.max(...values)]
/** A curve that is flat must not look like a mountain: the axis covers two powers of ten at least. */
function padded([low, high]) {
  const [from, to] = [low / 1.3, high * 1.3]
  const missing = Math.max(0, 2 - Math.log10(to / from)) / 2
  return [from / 10 ** missing, to * 10 ** missing]
}

const px = (value) => Number(value.toFixed(1))
const line = (x1, y1, x2, y2, kind) =>
  `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" class="${kind}"/>`
const text = (x, y, content, kind, anchor = 'start') =>
  `<text x="${px(x)}" y="${px(y)}" class="${kind}" text-anchor="${anchor}">${escaped(content)}</text>`
const shortened = (content, most) =>
  content.length <= most ? content : `${content.slice(0, most - 1).trimEnd()}…`
const escaped = (content) =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
