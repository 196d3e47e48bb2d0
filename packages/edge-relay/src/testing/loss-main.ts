/** What `npm run kill -- losses` runs: `loss-main.ts [--only redis] [--write]`. */
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { lossRun } from './loss-run.ts'
import { SETTINGS, type Setting } from './losses.ts'
import { cellOf, ENDS, type Measured, withRows } from './losses-doc.ts'
import { STRACE } from './power-cut.ts'
import { endAll } from './relay-process.ts'

const DOC = new URL('../../../../docs/durability.md', import.meta.url)
/** Long enough for whatever an engine does every second. */
const LOAD = { events: 300, ms: 3_000 }

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, write: { type: 'boolean', default: false } },
  })
  if (STRACE === undefined)
    console.log('Without strace no power is cut: only processes are killed.')
  const found: [Setting, Measured][] = []
  let bad = 0
  for (const setting of SETTINGS) {
    const measured: Measured = {}
    found.push([setting, measured])
    const { engine, loses } = setting
    if (values.only !== undefined && engine.toLowerCase() !== values.only.toLowerCase()) continue
    if ('start' in setting && !setting.start) {
      console.log(`${engine} is not installed here`)
      continue
    }
    for (const end of ENDS) {
      if (end === 'machine' && STRACE === undefined) continue
      const report = await lossRun(setting, end, LOAD)
      measured[end] = report
      const broken = loses[end] === 'nothing' && report.lost > 0
      if (broken) bad += 1
      const name = [engine, setting.setting].filter(Boolean).join(', ')
      console.log(`${name}: ${end} lost ${cellOf(report)}${broken ? ' BUT PROMISES ALL' : ''}`)
    }
  }
  if (values.write) await writeFile(DOC, withRows(await readFile(DOC, 'utf8'), found))
  await endAll()
  return bad > 0 ? 1 : 0
}

process.exitCode = await main()
