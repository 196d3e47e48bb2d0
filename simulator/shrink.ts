// Makes a failing scenario smaller: what can be left out, and it still fails the same way, goes.

import type { Action } from './actions.ts'
import { type Outcome, run } from './run.ts'
import type { Scenario } from './scenario.ts'

/** Runs it takes at most. */
const MAX_RUNS = 400

/** What comes back to what it was by itself is not left out alone. */
export async function shrink(scenario: Scenario, outcome: Outcome): Promise<Scenario> {
  const failure = checkOf(outcome)
  let small = scenario
  let runs = 0
  const isWork = ({ do: name }: Action): boolean =>
    name === 'publish' || name === 'post' || name === 'open'
  // Trouble first: a scenario with none of it says most.
  for (const passes of [(one: Action) => !isWork(one), isWork]) {
    for (let again = true; again; ) {
      again = false
      for (const action of small.actions.filter(passes)) {
        if (++runs > MAX_RUNS) return small
        const candidate = { ...small, actions: small.actions.filter((one) => one !== action) }
        if (checkOf(await run(candidate)) !== failure) continue
        small = candidate
        again = true
      }
    }
  }
  return small
}

/** Which check found the first violation. */
function checkOf({ violations }: Outcome): string | undefined {
  return violations[0]?.split(':')[0]
}
