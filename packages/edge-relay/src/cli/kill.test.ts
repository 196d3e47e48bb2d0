/** Relays that are killed under the load of real devices; `npm run kill` does it more often. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ENGINES, endEngines, onEngine } from '../testing/engine-runtimes.ts'
import { type StartEngine, startRedis } from '../testing/engine-servers.ts'
import { type KillReport, killRun } from '../testing/kill-run.ts'
import { endAll, RUNTIMES, type Runtime } from '../testing/relay-process.ts'

/** Among them each way to aim, and a relay that is killed again while its devices come back. */
const SEEDS = [1, 2, 3, 4, 5]
/** Each has both killed, one way or the other round, and one of them both at once besides. */
const ENGINE_SEEDS = [1, 3, 4]
/** For five runs at once on a machine that has other things to do. */
const PATIENCE_MS = 180_000

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-kill-'))
})
afterEach(endAll)
afterEach(endEngines)
afterAll(() => rm(folder, { recursive: true, force: true }))

async function run(runtime: Runtime, seed: number): Promise<KillReport> {
  return killRun(runtime, seed, await mkdtemp(join(folder, `${runtime.name}-${seed}-`)))
}

describe.each(RUNTIMES)('on $name', (runtime) => {
  it.skipIf(!runtime.start)(
    'a relay killed under load from five devices, five times: every confirmed event is there once, in order, and in all logs',
    async () => {
      const reports = await Promise.all(SEEDS.map((seed) => run(runtime, seed)))
      for (const report of reports) {
        expect(report).toMatchObject({ lost: 0, doubled: 0, faults: [] })
        expect(report.published).toBeGreaterThan(report.confirmedBefore)
      }
      // Runs in which nothing had been confirmed would prove nothing.
      expect(reports.some(({ confirmedBefore }) => confirmedBefore > 0)).toBe(true)
    },
    PATIENCE_MS,
  )
})

describe.each(ENGINES)('on $name', (engine) => {
  it.skipIf(!engine.start)(
    'relay and engine killed under load from five devices, three times: every confirmed event is there once, in order, and in all logs',
    async () => {
      for (const seed of ENGINE_SEEDS) {
        const report = await run(engine, seed)
        expect(report).toMatchObject({ lost: 0, doubled: 0, faults: [] })
        const ends = report.strikes.map(({ by }) => by)
        expect(ends).toEqual(expect.arrayContaining(['engine', 'kill']))
        expect(report.published).toBeGreaterThan(report.confirmedBefore)
      }
    },
    PATIENCE_MS,
  )
})

it('a relay that keeps nothing is found out', async () => {
  const [node] = RUNTIMES as [Runtime]
  const forgetful: Runtime = {
    ...node,
    start: ({ file: _, ...flags }) => (node.start as NonNullable<Runtime['start']>)(flags),
  }
  // Killed after some acks: what they said was kept is gone.
  const { lost, faults } = await run(forgetful, 4)
  expect(lost).toBeGreaterThan(0)
  expect(faults.join()).toContain('was told')
})

it.skipIf(!startRedis)('an engine that keeps nothing is found out', async () => {
  const start: StartEngine = (options) =>
    (startRedis as StartEngine)({ ...options, settings: ['--appendonly', 'no'] })
  const forgetful = onEngine('forgetful', start)
  // Devices send their own again: what was confirmed is elsewhere then, and they were told.
  const { lost, faults } = await run(forgetful, 4)
  expect(lost).toBeGreaterThan(0)
  expect(faults.join()).toContain('was told')
})
