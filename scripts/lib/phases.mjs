// The phases of `npm test`, in order. One with `check` runs a command and counts as one; one with
// `runner` runs the files of a test runner and counts what that reports. `needs`: capabilities
// without which the phase is skipped; `uses`: some of its tests skip themselves without these.
import { join } from 'node:path'
import { filesUnder } from './files.mjs'
import { insideEnv, root, runNode, tool } from './project.mjs'
import { playwright, vitest } from './runners.mjs'

const packages = ['bus', 'edge-relay']
const minutes = 60_000

const isTest = (path) => /\.test\.tsx?$/.test(path)
const isBrowserTest = (path) => /\.browser\.test\.tsx?$/.test(path)
const node = (...args) => runNode(args, { timeout: 5 * minutes })
const biome = (...args) =>
  node(tool('@biomejs/biome', 'biome'), 'ci', '--colors=off', '--error-on-warnings', ...args)

/** Builds every package and checks every type. The tests run against what this builds. */
const compile = () => node(tool('typescript', 'tsc'), '-b')

/** The panel as extensions and as a page, from what was compiled; takes some two seconds. */
export const buildDevtools = () => node('packages/devtools-extension/build.mjs')

/** All that `npm run build` builds. */
export async function build() {
  const compiled = await compile()
  const bundled = await buildDevtools()
  return { code: compiled.code || bundled.code, output: compiled.output + bundled.output }
}

export const phases = [
  { name: 'format', check: format },
  { name: 'lint', check: () => biome('--formatter-enabled=false') },
  { name: 'types', check: compile },
  { name: 'extension', check: buildDevtools, built: true },
  { name: 'imports', check: () => node('scripts/check-imports.mjs') },
  { name: 'platform', check: () => node('scripts/check-platform.mjs') },
  ...packages.map((name) => ({ name: `doors:${name}`, check: () => doors(name), built: true })),
  {
    name: 'unit',
    built: true,
    uses: ['deno', 'bun', 'redis', 'postgres', 'nats', 'strace'],
    files: () =>
      filesUnder(['packages', 'scripts', 'bench', 'demo'])
        .filter(isTest)
        .filter(not(isBrowserTest)),
    runner: vitest('unit', 12 * minutes),
  },
  {
    name: 'simulation',
    built: true,
    files: () => filesUnder(['simulator']).filter(isTest),
    runner: vitest('simulation', 6 * minutes),
  },
  {
    name: 'browser',
    built: true,
    needs: ['chromium'],
    files: () => filesUnder(['packages']).filter(isBrowserTest),
    runner: vitest('browser', 6 * minutes),
  },
  {
    name: 'e2e',
    built: true,
    needs: ['chromium'],
    uses: ['deno', 'firefox'],
    files: () => filesUnder(['e2e']).filter((path) => /\.(test|spec)\.tsx?$/.test(path)),
    runner: playwright(20 * minutes),
  },
]

async function format() {
  const only = ['--linter-enabled=false', '--assist-enabled=false', '--reporter=summary']
  const { code, output } = await biome(...only)
  return { code, output: `${output.trim()}\n\`npm run fix\` formats them.` }
}

/** The package as npm would publish it: its exports, and the types behind them. */
async function doors(name) {
  const cwd = join(root, 'packages', name)
  const options = { cwd, env: insideEnv({ NO_COLOR: '1' }), timeout: 2 * minutes }
  const lint = await runNode([tool('publint'), '--strict'], options)
  if (lint.code !== 0) return lint
  const attw = tool('@arethetypeswrong/cli', 'attw')
  return runNode([attw, '--pack', '.', '--profile', 'esm-only', '--no-color'], options)
}

function not(test) {
  return (value) => !test(value)
}
