import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import rules from '../.dependency-cruiser.mjs'
import { checkImports } from './lib/cruiser.mjs'

const bus = 'packages/bus/src'
const relay = 'packages/edge-relay/src'
const devtools = 'packages/devtools-extension/src'
const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** The rules a small repository breaks. Each file is its imports; imported files come by themselves. */
async function broken(files: Record<string, string>): Promise<string[]> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'crosstown-imports-')))
  folders.push(root)
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const exports = {
    '.': './dist/index.js',
    './inspect': './dist/inspect/index.js',
    './protocol': './dist/protocol/index.js',
  }
  write('packages/bus/package.json', JSON.stringify({ name: '@crosstown/bus', exports }))
  write('packages/bus/dist/index.js', '')
  write('packages/bus/dist/inspect/index.js', '')
  write('packages/bus/dist/protocol/index.js', '')
  for (const name of ['hono', 'ws', 'react']) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, main: 'index.js' }))
    write(`node_modules/${name}/index.js`, '')
  }
  mkdirSync(join(root, 'node_modules/@crosstown'), { recursive: true })
  symlinkSync(join(root, 'packages/bus'), join(root, 'node_modules/@crosstown/bus'))

  for (const [path, text] of Object.entries(files)) {
    for (const [, imported] of text.matchAll(/'([.][^']+)'/g)) {
      const target = join(dirname(path), imported as string)
      if (!(target in files) && !target.includes('missing')) {
        write(target, 'export type T = 1\nexport const v = 1\n')
      }
    }
    write(path, `${text}\n`)
  }
  const tops = [bus, relay, devtools, 'demo', 'e2e']
  for (const top of tops) mkdirSync(join(root, top), { recursive: true })
  const { violations } = await checkImports(root, tops)
  return [...new Set(violations.map(({ rule }) => rule))].sort()
}

const values = (from: string) => `import { v } from '${from}'\nexport const w = v`
const types = (from: string) => `import type { T } from '${from}'\nexport type W = T`

const violating: Record<string, Record<string, string>> = {
  'no-cycles': {
    [`${bus}/log/memory.ts`]: types('./record.ts'),
    [`${bus}/log/record.ts`]: types('./memory.ts'),
  },
  'everything-resolves': { [`${bus}/log/memory.ts`]: values('./missing.ts') },
  'foundation-stands-alone': { [`${bus}/event.ts`]: types('./log/log.ts') },
  'face-knows-interfaces': { [`${bus}/options.ts`]: types('./log/memory.ts') },
  'face-knows-interfaces-as-types': { [`${bus}/options.ts`]: values('./log/log.ts') },
  'stages-know-interfaces-only': { [`${bus}/batch/pipeline.ts`]: types('../log/memory.ts') },
  'stages-know-interfaces-as-types': { [`${bus}/batch/pipeline.ts`]: values('../log/log.ts') },
  'stage-files-know-interfaces-only': { [`${bus}/presence.ts`]: types('./log/memory.ts') },
  'stage-files-know-interfaces-as-types': { [`${bus}/presence.ts`]: values('./log/log.ts') },
  'stages-do-not-use-stage-files': { [`${bus}/log/memory.ts`]: types('../presence.ts') },
  'protocol-is-run-by-few': { [`${bus}/batch/pipeline.ts`]: values('../protocol/pattern.ts') },
  'protocol-frames-as-types': { [`${bus}/batch/pipeline.ts`]: values('../protocol/frames.ts') },
  'only-bus-wires': { [`${bus}/log/memory.ts`]: types('../bus.ts') },
  'only-parts-load': { [`${bus}/bus.ts`]: "await import('./log/memory.ts')" },
  'parts-are-given': { [`${bus}/log/memory.ts`]: types('../parts.ts') },
  'all-parts-in-one-door': { [`${bus}/bus.ts`]: values('./parts/all.ts') },
  'react-knows-the-face': { [`${bus}/react/use-event.ts`]: types('../dispatch/dispatch.ts') },
  'core-without-react': { [`${bus}/bus.ts`]: types('./react/use-event.ts') },
  'product-without-testing': { [`${bus}/log/memory.ts`]: values('../testing/clock.ts') },
  'playwright-stands-apart': { [`${bus}/testing/recording.ts`]: values('./playwright/device.ts') },
  'product-without-tests': { [`${bus}/log/memory.ts`]: values('./memory.test.ts') },
  'platform-modules': { [`${bus}/log/memory.ts`]: "import 'node:timers/promises'" },
  'bus-knows-no-relay': { [`${bus}/log/log.test.ts`]: values('../../../edge-relay/dist/index.js') },
  'room-is-pure': { [`${relay}/room.ts`]: values('./auth.ts') },
  'room-knows-no-surroundings': {
    [`${relay}/room.ts`]: "import type { Hono } from 'hono'\nexport type H = Hono",
  },
  'stores-know-no-server': { [`${relay}/stores/memory.ts`]: types('../relay.ts') },
  'panel-knows-sources-by-interface': {
    [`${devtools}/panel/app.tsx`]: types('../sources/extension.ts'),
  },
  'sources-know-no-panel': { [`${devtools}/sources/file.ts`]: types('../panel/model/model.ts') },
  'wiring-is-outermost': { [`${devtools}/sources/doors.ts`]: values('../extension/site.ts') },
  'devtools-have-no-bus': { [`${devtools}/sources/file.ts`]: "import '@crosstown/bus'" },
  'product-knows-no-devtools': {
    [`${relay}/relay.ts`]: types('../../devtools-extension/src/page/page.ts'),
  },
  'published-doors-only': { 'demo/src/main.ts': values('../../packages/bus/src/index.ts') },
}

test.for(Object.entries(violating))('%s is caught', async ([rule, files]) => {
  expect(await broken(files)).toContain(rule)
})

test('every rule is tried here', () => {
  expect(Object.keys(violating).sort()).toEqual(rules.forbidden.map(({ name }) => name).sort())
})

test('what is allowed passes', async () => {
  const rulesBroken = await broken({
    [`${bus}/options.ts`]: types('./log/log.ts'),
    [`${bus}/batch/pipeline.ts`]: [
      "import { type T, v } from '../errors.ts'",
      "import { type T as B } from './batch.ts'",
      "import type { T as L } from '../log/log.ts'",
      "export type { T as F } from '../protocol/frames.ts'",
      "export type D = import('../dispatch/dispatch.ts').T | T | B | L",
      'export const use = () => { using held = { [Symbol.dispose]: () => v }; return held }',
    ].join('\n'),
    [`${bus}/sync/outbox.ts`]: values('../protocol/frames.ts'),
    [`${bus}/log/sqlite.ts`]: "import 'node:sqlite'",
    [`${bus}/log/memory.test.ts`]: values('../testing/clock.ts'),
    [`${bus}/bus.ts`]: `${values('./log/memory.ts')}\nexport * from './batch/pipeline.ts'`,
    [`${bus}/testing/index.ts`]: values('../index.ts'),
    [`${bus}/react/use-event.ts`]:
      "import 'react'\nimport { v } from '../errors.ts'\nexport const w = v",
    [`${bus}/react/index.ts`]: "export { w } from './use-event.ts'",
    [`${relay}/room.ts`]: [
      "import { encode } from '@crosstown/bus/protocol'",
      "import type { T } from './auth.ts'",
      'export const w = (t: T) => encode(t)',
    ].join('\n'),
    [`${relay}/runtimes/node.ts`]: `${values('../relay.ts')}\nimport 'ws'`,
    [`${devtools}/panel/app.tsx`]: types('../sources/source.ts'),
    [`${devtools}/sources/file.ts`]: `${types('./source.ts')}\nimport '@crosstown/bus/inspect'`,
    [`${devtools}/extension/panel.ts`]:
      "import '../panel/app.tsx'\nimport '../sources/file.ts'\nexport {}",
    'demo/src/main.ts': "import '@crosstown/bus'",
  })
  expect(rulesBroken).toEqual([])
})

test.each(['hono', 'node:fs', '@crosstown/bus', './stores/memory.ts', './relay.ts'])(
  'room.ts does not import %s',
  async (from) => {
    expect(await broken({ [`${relay}/room.ts`]: `import '${from}'` })).toContain('room-is-pure')
  },
)

test.each(['react', './react/use-event.ts'])('a bus without React imports no %s', async (from) => {
  const found = await broken({ [`${bus}/bus.ts`]: `import '${from}'` })
  expect(found).toContain('core-without-react')
})

test.each(['import', 'export'])(
  'one value among types makes %s a run-time one',
  async (keyword) => {
    const line = `${keyword} { type T, v } from '../log/log.ts'`
    expect(await broken({ [`${bus}/batch/pipeline.ts`]: line })).toEqual([
      'stages-know-interfaces-as-types',
    ])
  },
)

test('a dynamic import is a run-time one', async () => {
  const line = "export const load = () => import('../log/log.ts')"
  expect(await broken({ [`${bus}/batch/pipeline.ts`]: line })).toEqual([
    'only-parts-load',
    'stages-know-interfaces-as-types',
  ])
})
