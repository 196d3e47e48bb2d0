/** Writes the tables of docs/operations.md out of what the relay has, and fails where they were others. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { LOG_EVENTS } from './log.ts'
import { COUNTERS, type Described, GAUGES, METRIC_PREFIX, TIMINGS } from './metrics.ts'

const file = fileURLToPath(new URL('../../../docs/operations.md', import.meta.url))

const metricsOf = (kind: string, table: Readonly<Record<string, Described>>): string[] =>
  Object.entries(table).map(([name, { help, labels = [] }]) => {
    const shown = labels.map((label) => `\`${label}\``).join(', ')
    return `| \`${METRIC_PREFIX}${name}\` | ${kind} | ${shown} | ${help} |`
  })

it('has tables of what there is', async () => {
  const metrics = [
    '| metric | kind | labels | counts |',
    '|---|---|---|---|',
    ...metricsOf('counter', COUNTERS),
    ...metricsOf('gauge', GAUGES),
    ...metricsOf('histogram', TIMINGS),
  ]
  const log = [
    '| event | level | tells |',
    '|---|---|---|',
    ...Object.entries(LOG_EVENTS).map(
      ([event, { level, help }]) => `| \`${event}\` | ${level} | ${help} |`,
    ),
  ]
  let text = await readFile(file, 'utf8')
  for (const [name, table] of Object.entries({ metrics, log })) {
    const between = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- end -->)`)
    text = text.replace(between, (_, begin, end) => `${begin}\n${table.join('\n')}\n\n${end}`)
  }
  await expect(text).toMatchFileSnapshot(file)
})
