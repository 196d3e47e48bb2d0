// docs/stores.md says what each store is held to, by the suite that holds it and by the titles of its tests.
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type StoreCapabilities, storeContract } from '@crosstown/edge-relay/testing'
import { expect, it } from 'vitest'
import { callsIn, cellOf, read, root } from './lib/titles.ts'

const file = join(root, 'docs/stores.md')
const SOURCE = 'packages/edge-relay/src/'

const STORES = ['memory', 'sqlite', 'durable-object', 'postgres', 'redis', 'nats']
  .map((name) => ({ name, path: `${SOURCE}stores/${name}.test.ts` }))
  .filter(({ path }) => existsSync(join(root, path)))

/** Tests of relays that share an engine, and of one whose engine is away. */
const RELAYS = [
  'engines.test.ts',
  'engines-away.test.ts',
  'testing/cluster-suite.ts',
  'histories.test.ts',
].map((path) => `${SOURCE}${path}`)

const CAPABILITIES: Readonly<Record<keyof Required<StoreCapabilities>, string>> = {
  lasts: 'what was written is there after a close',
  shared: 'any number of relays use it at once, and hear each other',
  served: 'its engine is a server, whose connection is seen',
  deletesAtOnce: 'a deleted room leaves nothing that is still to be removed',
}
const NAMES = Object.keys(CAPABILITIES) as (keyof StoreCapabilities)[]

/** What a test file declares to the suite: the object behind its name and what opens it. */
function declaredIn(path: string): StoreCapabilities {
  const calls = callsIn(path).filter(({ name }) => name === 'storeContract')
  expect(calls.length, `${path} calls the suite`).toBe(1)
  const given = calls[0]?.args[3]
  if (given === undefined) return {}
  if (given.type !== 'ObjectExpression') throw new Error(`${path}: not declared as it is`)
  const entries = given.properties.map((property) => {
    if (property.type !== 'Property' || property.key.type !== 'Identifier') throw new Error(path)
    const { key, value } = property
    if (value.type !== 'Literal') throw new Error(`${path}: ${key.name} is no plain value`)
    return [key.name, value.value]
  })
  return Object.fromEntries(entries) as StoreCapabilities
}

/** The titles of the suite for a store that declares this, by the parts they are in. */
function pointsOf(declared: StoreCapabilities): [part: string, title: string][] {
  const points: [string, string][] = []
  const parts: string[] = []
  const runner = {
    describe(name: string, run: () => void) {
      parts.push(name)
      run()
      parts.pop()
    },
    it: (title: string) => void points.push([parts.at(-1) as string, title]),
    expect: () => ({ toBe() {}, toEqual() {} }),
  }
  storeContract(runner, 'a store', () => Promise.reject(new Error('not to be opened')), declared)
  return points
}

const declared = STORES.map(({ path }) => declaredIn(path))

function table(first: string, rows: readonly (readonly string[])[]): string[] {
  const heads = [first, ...STORES.map(({ name }) => `\`${name}\``)]
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(heads), `|---|${':-:|'.repeat(STORES.length)}`, ...rows.map(line)]
}

function contract(): string[] {
  const held = declared.map((each) => new Set(pointsOf(each).map(([, title]) => title)))
  const all = pointsOf({ lasts: true, shared: true, served: true })
  const rows: string[][] = []
  let last = ''
  for (const [part, title] of all) {
    if (part !== last) rows.push([`**${part}**`, ...STORES.map(() => '')])
    last = part
    rows.push([cellOf(title), ...held.map((titles) => (titles.has(title) ? '✓' : '–'))])
  }
  return table('a store', rows)
}

function own(paths: readonly string[]): string[] {
  const rows = paths.flatMap((path) =>
    callsIn(path)
      .filter(({ name, title }) => name === 'it' && title !== '')
      .map(({ title }) => `| ${cellOf(title)} | [${basename(path)}](../${path}) |`),
  )
  return ['| what holds | test |', '|---|---|', ...rows]
}

it('docs/stores.md has the tables of the stores, and of the tests there are', async () => {
  const tables = {
    capabilities: table(
      'declares that',
      NAMES.map((name) => [
        CAPABILITIES[name],
        ...declared.map((each) => (each[name] ? 'yes' : 'no')),
      ]),
    ),
    contract: contract(),
    own: own(STORES.map(({ path }) => path)),
    relays: own(RELAYS),
  }
  let text = readFileSync(file, 'utf8')
  for (const [name, lines] of Object.entries(tables)) {
    const between = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- end -->)`)
    expect(text, name).toMatch(between)
    text = text.replace(between, (_, begin, end) => `${begin}\n${lines.join('\n')}\n\n${end}`)
  }
  await expect(text).toMatchFileSnapshot(file)
})

it('every store is held to what it declares, and nothing of it is passed over', () => {
  for (const { path } of STORES) {
    // A server that is not installed here is the one reason: npm test says so.
    const text = read(path).replaceAll(/describe[.]skipIf\(!start\w+\)/g, 'describe')
    expect(text, path).not.toMatch(/\b(it|describe)[.](skip|skipIf|only|todo|runIf|fails)\b/)
  }
  for (const each of declared)
    expect(NAMES, 'a capability with a line of its own').toEqual(
      expect.arrayContaining(Object.keys(each)),
    )
})
