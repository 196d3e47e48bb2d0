// Keeps the files to deploy, and docs/deploy, true: every command of them that starts a relay is run, with
// its own options, and serves; what is beside it is there.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import {
  deploy,
  endDeployed,
  expectServes,
  installed,
  jsonAfter,
  main,
  root,
} from './lib/deployed.ts'

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const dockerfile = readFileSync(join(deploy, 'docker/Dockerfile'), 'utf8')
const unit = readFileSync(join(deploy, 'systemd/crosstown-relay.service'), 'utf8')

afterEach(endDeployed)

/** The commands of a page, with lines that go on put together. */
function commandsIn(page: string): string[] {
  return [...read(page).matchAll(/```sh\n(.*?)```/gs)].flatMap(([, text = '']) =>
    text.replaceAll('\\\n', ' ').trim().split('\n'),
  )
}

const argumentsOf = (command: string) => command.slice(command.indexOf(' serve ') + 1).split(' ')

describe('the files to deploy', () => {
  it('have an image whose command and health check serve', async () => {
    const [command, script] = jsonAfter(/^ENTRYPOINT /m)
    expect([command, script]).toEqual(['node', expect.stringContaining('bin/crosstown-relay.js')])
    const folder = installed()
    expect(existsSync(join(folder, script as string))).toBe(true)
    const args = jsonAfter(/^CMD /m).map((arg) =>
      arg.replace('/data/', `${folder}/`).replace('/relay/', `${folder}/`),
    )
    await expectServes(process.execPath, [join(folder, script as string), ...args], folder)
  })

  it('have an image of which all that is copied is there, and nobody is root', () => {
    for (const [, source = ''] of dockerfile.matchAll(/^COPY (?!--from)(\S+) /gm))
      expect(existsSync(join(root, source)), source).toBe(true)
    for (const [, workspace = ''] of dockerfile.matchAll(/--workspace (\S+)/g))
      expect(existsSync(join(root, workspace, 'package.json')), workspace).toBe(true)
    expect(dockerfile.indexOf('\nUSER node\n')).toBeGreaterThan(dockerfile.lastIndexOf('\nRUN '))
    expect(dockerfile).toMatch(/^FROM node:24-slim$/m)
  })

  it('have a unit whose command serves', async () => {
    const folder = installed()
    const [node, script, ...args] = (/^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '')
      .replaceAll('/opt/crosstown-relay', folder)
      .replaceAll(`\${STATE_DIRECTORY}`, folder)
      .split(' ')
    expect(node).toBe('/usr/bin/node')
    await expectServes(process.execPath, [script as string, ...args], folder)
  })

  const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
  it.skipIf(!hasSystemd)('have a unit that systemd takes', () => {
    const folder = installed()
    const path = join(folder, 'crosstown-relay.service')
    writeFileSync(path, unit.replace('/usr/bin/node', process.execPath))
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
  })

  it.skipIf(!process.env['CROSSTOWN_DENO'])('have a task of Deno that serves', async () => {
    const folder = installed()
    const config = JSON.parse(readFileSync(join(deploy, 'deno/deno.json'), 'utf8')) as object
    // As docs/deploy/deno.md says of packages that are not from npm.
    const local = { ...config, nodeModulesDir: 'manual' }
    writeFileSync(join(folder, 'deno.json'), JSON.stringify(local))
    const path = `${resolve(process.env['CROSSTOWN_DENO'] as string, '..')}:${process.env['PATH']}`
    await expectServes('env', [`PATH=${path}`, 'deno', 'task', 'start'], folder)
  })
})

describe('docs/deploy', () => {
  const pages = readdirSync(join(root, 'docs/deploy'))

  it('has a page for each way, and each says what was not run', () => {
    const engines = ['nats', 'postgresql', 'redis']
    const ways = ['bun', 'cloudflare', 'deno', 'docker', 'node', 'systemd', ...engines].sort()
    expect(pages.sort()).toEqual(ways.map((way) => `${way}.md`))
    for (const page of pages) expect(read(`docs/deploy/${page}`)).toMatch(/^\|.*\| not run\b.*\|$/m)
  })

  it('names no option that the command does not have', () => {
    const help = execFileSync(process.execPath, [main, 'serve', '--help'], { encoding: 'utf8' })
    const given = pages.flatMap((page) =>
      [...read(`docs/deploy/${page}`).matchAll(/(?:serve|task start)((?: [^`\n]+)?)/g)].flatMap(
        ([, text = '']) => [...text.matchAll(/ (--[a-z-]+)/g)].map(([, option]) => option),
      ),
    )
    expect(given.length).toBeGreaterThan(5)
    for (const option of given) expect(help).toContain(`${option} `)
  })

  it.each([
    ['node', process.execPath],
    ['bun', process.env['CROSSTOWN_BUN']],
  ])('has a command for %s that serves', async (name, runtime) => {
    const [command = ''] = commandsIn(`docs/deploy/${name}.md`).filter((line) =>
      line.includes('crosstown-relay serve'),
    )
    expect(command).toContain('--auth')
    if (runtime) await expectServes(runtime, [main, ...argumentsOf(command)], installed())
  })
})
