// Runs seeds, and says of the first that fails everything needed to understand it.

import { lineOf } from './actions.ts'
import { type ProfileName, ROTATION } from './profiles.ts'
import { REGRESSIONS } from './regressions.ts'
import { type Outcome, run, unhandled } from './run.ts'
import { makeScenario, type Scenario } from './scenario.ts'
import { shrink } from './shrink.ts'

export interface Request {
  readonly seed: number
  readonly runs: number
  /** @default one profile after the other */
  readonly profile?: ProfileName | undefined
  readonly trace: boolean
  /** Goes on after a failure, and does not make it smaller. */
  readonly keepGoing: boolean
  /** Leaves a failing scenario as large as it is. */
  readonly asItIs?: boolean
}

export interface Summary {
  readonly runs: number
  /** How many of them have a history that could not be judged. */
  readonly undecided: number
  /** The same whenever the same seeds are run. */
  readonly hash: number
  readonly failed: readonly { readonly scenario: Scenario; readonly outcome: Outcome }[]
}

process.on('unhandledRejection', (error) => void unhandled.push(error))
process.on('uncaughtException', (error) => void unhandled.push(error))

/** The profile of a seed, where none is given. */
export function profileOf(seed: number): ProfileName {
  return ROTATION[seed % ROTATION.length] as ProfileName
}

export function simulate(request: Request, print: (line: string) => void): Promise<Summary> {
  const seeds = Array.from({ length: request.runs }, (_, i) => request.seed + i)
  return runAll(seeds, request, print)
}

/** The scenarios that once failed. */
export function simulateRegressions(print: (line: string) => void): Promise<Summary> {
  return runAll(REGRESSIONS, { trace: false, keepGoing: true, profile: undefined }, print)
}

type Settings = Pick<Request, 'trace' | 'keepGoing' | 'asItIs' | 'profile'>

async function runAll(
  which: readonly (number | Scenario)[],
  request: Settings,
  print: (line: string) => void,
): Promise<Summary> {
  const failed: { scenario: Scenario; outcome: Outcome }[] = []
  let runs = 0
  let hash = 0
  let undecided = 0
  for (const one of which) {
    const scenario =
      typeof one === 'number' ? makeScenario(one, request.profile ?? profileOf(one)) : one
    const outcome = await run(scenario, request.trace ? tracer(scenario, print) : undefined)
    runs += 1
    if (outcome.undecided) undecided += 1
    hash = (Math.imul(hash, 31) ^ outcome.hash) >>> 0
    if (outcome.violations.length === 0) continue
    failed.push({ scenario, outcome })
    const { seed, profile } = scenario
    print(`seed ${seed}, profile ${profile}: ${outcome.violations.length} violations`)
    for (const violation of outcome.violations.slice(0, 10)) print(`  ${violation}`)
    if (request.keepGoing) continue
    if (!request.trace && !request.asItIs) await explain(scenario, outcome, print)
    break
  }
  return { runs, undecided, hash, failed }
}

/** Prints the schedule, and gives what prints the tasks. */
function tracer(
  scenario: Scenario,
  print: (line: string) => void,
): (at: number, label: string, detail: string) => void {
  print(`seed ${scenario.seed}, profile ${scenario.profile}`)
  for (const action of scenario.actions) print(lineOf(action))
  return (at, label, detail) => {
    const text = detail.length > 160 ? `${detail.slice(0, 160)}...` : detail
    print(`${at.toFixed(2).padStart(11)}  ${label}  ${text.replaceAll('\n', ' | ')}`.trimEnd())
  }
}

async function explain(
  scenario: Scenario,
  outcome: Outcome,
  print: (line: string) => void,
): Promise<void> {
  const small = await shrink(scenario, outcome)
  print(`It fails with ${small.actions.length} of its ${scenario.actions.length} actions:`)
  for (const action of small.actions) print(lineOf(action))
  print(`As an entry of regressions.ts: ${JSON.stringify(small)}`)
  print(
    `Again, with all that happens: npm run simulate -- --seed ${scenario.seed} --profile ${scenario.profile} --trace`,
  )
}
