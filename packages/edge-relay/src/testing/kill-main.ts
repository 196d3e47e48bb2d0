/** What `npm run kill` runs: `kill-main.ts <runtime> [--times n] [--seed n] [--keep-going]`. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ENGINES, endEngines } from './engine-runtimes.ts'
import { type Ending, type KillReport, killRun } from './kill-run.ts'
import { endAll, RUNTIMES } from './relay-process.ts'

const USAGE =
  'usage: npm run kill -- <node|deno|bun|workerd|postgresql|redis|nats> [--times 50] [--seed 1]'

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { times: { type: 'string', default: '50' }, seed: { type: 'string', default: '1' } },
  })
  const runtime = [...RUNTIMES, ...ENGINES].find(
    ({ name }) => name.toLowerCase() === positionals[0]?.toLowerCase(),
  )
  const [times, first] = [Number(values.times), Number(values.seed)]
  if (!runtime || positionals.length > 1 || !isCount(times) || !isCount(first)) {
    console.error(USAGE)
    return 2
  }
  if (!runtime.start) {
    console.error(`${runtime.name} is not installed here`)
    return 2
  }
  const reports: KillReport[] = []
  for (let seed = first; seed < first + times; seed++) {
    const folder = await mkdtemp(join(tmpdir(), 'crosstown-kill-'))
    try {
      const report = await killRun(runtime, seed, folder)
      reports.push(report)
      console.log(lineOf(report))
    } finally {
      await endAll()
      await endEngines()
      await rm(folder, { recursive: true, force: true })
    }
  }
  const sum = (of: (report: KillReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0)
  const bad = reports.filter(isBad)
  console.log(
    `${runtime.name}: ${reports.length} runs, ${sum(endedBy('kill', 'both'))} kills, ` +
      (runtime.hasEngine
        ? `${sum(endedBy('engine', 'both'))} of the engine, `
        : `${sum(endedBy('hibernate', 'close'))} evictions, `) +
      `${sum(({ published }) => published)} events confirmed, ` +
      `${sum(({ confirmedBefore }) => confirmedBefore)} of them before a kill, ` +
      `lost ${sum(({ lost }) => lost)}, doubled ${sum(({ doubled }) => doubled)}, ` +
      `${Math.round(sum(({ ms }) => ms) / 1_000)} s`,
  )
  for (const { seed } of bad)
    console.log(`again: npm run kill -- ${positionals[0]} --times 1 --seed ${seed}`)
  return bad.length > 0 ? 1 : 0
}

function endedBy(...endings: Ending[]): (report: KillReport) => number {
  return ({ strikes }) => strikes.filter(({ by }) => endings.includes(by)).length
}

function isBad({ lost, doubled, faults }: KillReport): boolean {
  return lost > 0 || doubled > 0 || faults.length > 0
}

function lineOf(report: KillReport): string {
  const { seed, strikes, published, confirmedBefore, lost, doubled, faults, ms } = report
  const moments = strikes.map(({ by, at, count }) => `${by} at ${at} ${count}`).join(', then ')
  const what = `seed ${seed}: ${moments}; ${confirmedBefore} of ${published} confirmed before`
  const outcome = isBad(report) ? `LOST ${lost}, DOUBLED ${doubled}: ${faults.join('; ')}` : 'whole'
  return `${what}: ${outcome} (${Math.round(ms)} ms)`
}

function isCount(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 1
}

process.exitCode = await main()
