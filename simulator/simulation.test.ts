import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { BROKEN_BUILDS } from './broken.ts'
import { ROTATION } from './profiles.ts'
import { run } from './run.ts'
import { makeScenario } from './scenario.ts'

const root = resolve(import.meta.dirname, '..')
const guide = readFileSync(join(root, 'docs/testing.md'), 'utf8')

const TEST_MS = 120_000

/** Runs a script of this folder, or of another, on the Node that runs the tests. */
function node(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((done) => {
    // What hangs ends with its test: it would take a core from all that comes after.
    const options = {
      cwd: root,
      maxBuffer: 2 ** 26,
      timeout: TEST_MS,
      killSignal: 'SIGKILL' as const,
    }
    const child = execFile(process.execPath, args, options, (_, stdout, stderr) =>
      done({ code: child.exitCode ?? 1, output: stdout + stderr }),
    )
  })
}

const simulate = (...args: string[]) => node('simulator/main.ts', ...args)

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

describe('the simulator', { timeout: TEST_MS }, () => {
  it('finds nothing in a fixed set of seeds of every profile', async () => {
    const runs = String(ROTATION.length * 30)
    const { code, output } = await simulate('--seed', '1', '--runs', runs)
    expect(output).toContain(`${runs} runs from seed 1, 0 failed`)
    // A run that nobody can judge is no run that is right.
    const undecided = Number(
      /(\d+) histories of streams could not be judged/.exec(output)?.[1] ?? 0,
    )
    expect(undecided).toBeLessThan(ROTATION.length)
    expect(code).toBe(0)
  })

  it('finds nothing in views of what happened under troubles of every kind', async () => {
    const { code, output } = await simulate('--seed', '1', '--runs', '60', '--profile', 'views')
    expect(output).toContain('60 runs from seed 1, 0 failed')
    expect(code).toBe(0)
  })

  it('finds nothing any more in what once failed', async () => {
    const { code, output } = await simulate('--regressions')
    expect(output).toContain(' 0 failed')
    expect(code).toBe(0)
  })

  it('finds a run that breaks off', async () => {
    const { violations } = await run({ ...makeScenario(1, 'calm'), kept: -1 })
    expect(violations).toEqual([expect.stringContaining('it broke off: ')])
  })

  it('replays a seed exactly, and another one otherwise', async () => {
    const hash = async (seed: string) =>
      /hash (\w+)/.exec(
        (await simulate('--seed', seed, '--profile', 'mixed', '--runs', '5')).output,
      )?.[1]
    const [once, again, other] = [await hash('7'), await hash('7'), await hash('8')]
    expect(once).toMatch(/^\w+$/)
    expect(again).toBe(once)
    expect(other).not.toBe(once)
  })

  it('prints the schedule and every task with --trace', async () => {
    const { output } = await simulate('--seed', '3', '--profile', 'offline', '--trace')
    expect(output).toMatch(/ms {2}open device=0/)
    expect(output).toMatch(/d0\/1 socket up {2}\{"frame":"hello"/)
  })

  it('says what is wrong with its options', async () => {
    const { code, output } = await simulate('--profile', 'sunny')
    expect(output).toContain('no profile sunny')
    expect(code).toBe(2)
  })
})

describe('a broken build', { timeout: TEST_MS }, () => {
  it.concurrent.each(BROKEN_BUILDS.map(({ name }) => name))('is caught: %s', async (name) => {
    const { code, output } = await simulate('--broken', name)
    expect(output).toMatch(/: caught by \d+ seeds: /)
    expect(code).toBe(0)
  })

  it('is not called caught where its place is not there', async () => {
    expect((await simulate('--broken', 'no-such-build')).code).toBe(2)
  })

  it('stands in docs/testing.md, with its invariant and its fault', () => {
    const rows = [...guide.matchAll(/^\| (\d) \| `([\w-]+)` \| (.*?) \| \d+ \|$/gm)]
    expect(rows.map(([, invariant, name, fault]) => [Number(invariant), name, fault])).toEqual(
      BROKEN_BUILDS.map(({ invariant, name, fault }) => [invariant, name, fault]),
    )
  })

  it('there is for each of the nine invariants', () => {
    const invariants = new Set(BROKEN_BUILDS.map(({ invariant }) => invariant))
    expect([...invariants].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})

describe('docs/testing.md', { timeout: 60_000 }, () => {
  it('has an example of a test network that runs', async () => {
    const example = /^```ts\n(.*?)^```$/ms.exec(guide)?.[1] ?? ''
    const folder = mkdtempSync(join(tmpdir(), 'crosstown-network-'))
    folders.push(folder)
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'example.ts'), example)
    const { code, output } = await node(join(folder, 'example.ts'))
    expect(output).toBe('')
    expect(code).toBe(0)
  })
})
