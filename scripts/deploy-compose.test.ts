// Keeps the compose files true: what they name is there, and each relay of them starts as it says, before
// its engine, and waits for it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { deploy, endDeployed, expectServes, installed, jsonAfter, root } from './lib/deployed.ts'

interface Service {
  readonly image: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
}

interface Compose {
  readonly configs?: Readonly<Record<string, { readonly file: string }>>
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

const folder = join(deploy, 'compose')
const KINDS: Readonly<Record<string, string>> = {
  nats: 'nats',
  postgresql: 'postgres',
  redis: 'redis',
}

afterEach(endDeployed)

const read = (path: string): string => readFileSync(join(root, path), 'utf8')

function composeIn(engine: string): Compose {
  const text = readFileSync(join(folder, `${engine}.yaml`), 'utf8')
  return parse(text, { merge: true, strict: true }) as Compose
}

/** As a shell that has all variables sets them. */
const filled = (text: string): string => text.replaceAll(/\$\{(\w+):\?\}/g, 'secret')

it('there is a compose file, and a page, for each engine', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
  expect(files.sort()).toEqual(Object.keys(KINDS).map((name) => `${name}.yaml`))
})

describe.each(Object.entries(KINDS))('the compose file of %s', (name, kind) => {
  const { configs = {}, services, volumes } = composeIn(name)
  const { engine, ...relays } = services

  it('has the engine on a volume, and two relays that differ in nothing but their port', () => {
    expect(engine?.image).toMatch(new RegExp(`^${kind}:\\d+([.]\\d+)*$`))
    const named = engine?.volumes?.map((volume) => volume.split(':')[0])
    expect(named).toEqual(Object.keys(volumes))
    for (const { file } of Object.values(configs)) expect(existsSync(join(folder, file))).toBe(true)
    const [one, two, ...more] = Object.values(relays)
    expect(more).toEqual([])
    expect({ ...one, ports: [] }).toEqual({ ...two, ports: [] })
    expect(new Set([one?.ports?.join(), two?.ports?.join()]).size).toBe(2)
    for (const { build } of Object.values(relays)) {
      const context = resolve(folder, build?.context ?? '')
      expect(context).toBe(root)
      expect(existsSync(join(context, build?.dockerfile ?? ''))).toBe(true)
    }
  })

  it('has variables that its page names, and that the relay knows', () => {
    const page = read(`docs/deploy/${name}.md`)
    const text = readFileSync(join(folder, `${name}.yaml`), 'utf8')
    for (const [, variable] of text.matchAll(/\$\{(\w+):\?\}/g)) expect(page).toContain(variable)
    for (const { environment = {} } of Object.values(relays))
      expect(Object.keys(environment)).toEqual(['CROSSTOWN_STORE'])
    expect(page).toContain(`compose -f ${name}.yaml up`)
  })

  it('has relays that start before the engine, say what they wait for, and end well', async () => {
    const { command = [], environment = {} } = relays['relay-1'] as Service
    const at = installed()
    const [node, script] = jsonAfter(/^ENTRYPOINT /m)
    expect(node).toBe('node')
    const store = filled(environment['CROSSTOWN_STORE'] as string)
    expect(new URL(store).hostname).toBe('engine')
    const args = [
      join(at, script as string),
      ...command.map((arg) => arg.replace('/relay/', `${at}/`)),
    ]
    await expectServes(process.execPath, args, at, {
      // Nobody listens there.
      env: { CROSSTOWN_STORE: store.replace(/@engine:\d+/, '@127.0.0.1:1') },
      engine: kind,
    })
  })
})
