// npm run simulate -- --seed N --runs N [--profile name] [--trace] [--keep-going] [--broken name|all]
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { BROKEN_BUILDS, loadBroken } from './broken.ts'
import { PROFILE_NAMES, type ProfileName } from './profiles.ts'

const HELP = `npm run simulate -- [options]
  --seed N        the first seed (1)
  --runs N        how many seeds, one after the other (100)
  --profile name  ${PROFILE_NAMES.join(', ')} (one after the other)
  --trace         prints the schedule, and every task
  --keep-going    goes on after a seed that fails
  --regressions   the scenarios that once failed, instead of seeds
  --broken name   a build that is broken on purpose, until it is caught; or all of them
`

/** Seeds a broken build is given to be caught in. */
const BROKEN_RUNS = 1_000

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string' },
    profile: { type: 'string' },
    trace: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
    regressions: { type: 'boolean', default: false },
    broken: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const seed = number(values.seed)
const profile = values.profile as ProfileName | undefined
if (profile !== undefined && !PROFILE_NAMES.includes(profile)) usage(`no profile ${profile}`)

if (values.help) console.log(HELP)
else if (values.broken === 'all') allBroken()
else if (values.broken !== undefined) await oneBroken(values.broken)
else await honest()

async function honest(): Promise<void> {
  // Until all runs came to their end.
  process.exitCode = 1
  const { simulate, simulateRegressions } = await import('./simulate.ts')
  const began = process.cpuUsage()
  const request = {
    seed,
    runs: number(values.runs ?? (values.trace ? '1' : '100')),
    profile,
    trace: values.trace,
    keepGoing: values['keep-going'],
  }
  const { runs, failed, hash, undecided } = await (values.regressions
    ? simulateRegressions(console.log)
    : simulate(request, console.log))
  const { user, system } = process.cpuUsage(began)
  const each = ((user + system) / 1000 / runs).toFixed(1)
  const what = values.regressions ? 'regressions' : `runs from seed ${seed}`
  console.log(`${runs} ${what}, ${failed.length} failed, hash ${hash.toString(36)}`)
  if (undecided > 0) console.log(`${undecided} histories of streams could not be judged`)
  console.log(`${each} ms of CPU each`)
  process.exitCode = failed.length > 0 ? 1 : 0
}

/** The build is loaded into this process, so each needs one of its own. */
async function oneBroken(name: string): Promise<void> {
  const build = BROKEN_BUILDS.find((one) => one.name === name)
  if (!build) return usage(`no broken build ${name}; there are ${names().join(', ')}`)
  process.exitCode = 1
  const assertLoaded = loadBroken(build)
  const { simulate } = await import('./simulate.ts')
  const { runs, failed } = await simulate(
    {
      seed,
      runs: number(values.runs ?? String(BROKEN_RUNS)),
      profile: profile ?? build.profile,
      trace: values.trace,
      keepGoing: false,
      asItIs: true,
    },
    () => {},
  )
  assertLoaded()
  const [caught] = failed
  if (caught) console.log(`${name}: caught by ${runs} seeds: ${caught.outcome.violations[0]}`)
  else console.log(`${name}: NOT caught by ${runs} seeds`)
  process.exitCode = caught ? 0 : 1
}

function allBroken(): void {
  for (const name of names()) {
    try {
      process.stdout.write(
        execFileSync(process.execPath, [import.meta.filename, '--broken', name], {
          encoding: 'utf8',
        }),
      )
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      process.stdout.write(stdout || stderr)
      process.exitCode = 1
    }
  }
}

function names(): string[] {
  return BROKEN_BUILDS.map((build) => build.name)
}

function number(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) usage(`${text} is not a whole number`)
  return value
}

function usage(fault: string): never {
  console.error(`${fault}\n\n${HELP}`)
  process.exit(2)
}
