// npm run simulate -- [--seed N] [--runs N] [--profile name] [--trace] [--no-shrink]
import { parseArgs } from 'node:util'
import { run, unhandled } from './run.ts'
import { lineOf, makeScenario, PROFILE_NAMES, type ProfileName } from './scenario.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
    profile: { type: 'string' },
    trace: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
  },
})
process.on('unhandledRejection', (error) => void unhandled.push(error))

const first = Number(values.seed)
const runs = Number(values.runs)
const began = performance.now()
let steps = 0
let failed = 0
for (let seed = first; seed < first + runs; seed++) {
  const profile = (values.profile ?? PROFILE_NAMES[seed % PROFILE_NAMES.length]) as ProfileName
  const scenario = makeScenario(seed, profile)
  if (values.trace) for (const action of scenario.actions) console.log(lineOf(action))
  const trace = (at: number, label: string): void =>
    console.log(`${at.toFixed(2).padStart(10)}  ${label}`)
  const outcome = await run(scenario, values.trace ? trace : undefined)
  steps += outcome.steps
  if (outcome.violations.length === 0) continue
  failed += 1
  console.log(
    `seed ${seed} profile ${profile}: ${outcome.violations.length} violations\n  ${outcome.violations.slice(0, 5).join('\n  ')}`,
  )
  if (!values.all) break
}
const ms = performance.now() - began
console.log(`${runs} runs, ${failed} failed, ${steps} steps, ${(ms / runs).toFixed(1)} ms a run`)
process.exitCode = failed > 0 ? 1 : 0
