// Keeps the files to deploy, and docs/deploy, true: every command of them that starts a relay is run, with
// its own options, and serves; what is beside it is there.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const deploy = join(root, 'packages/edge-relay/deploy')
const main = join(root, 'packages/edge-relay/bin/crosstown-relay.js')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const dockerfile = readFileSync(join(deploy, 'docker/Dockerfile'), 'utf8')
const unit = readFileSync(join(deploy, 'systemd/crosstown-relay.service'), 'utf8')

const VARIABLES = {
  CROSSTOWN_JWT_SECRET: 'a secret of more than thirty-two bytes',
  CROSSTOWN_JWT_ISSUER: 'https://id.example',
  CROSSTOWN_JWT_AUDIENCE: 'relay.example',
  CROSSTOWN_ORIGINS: 'https://shop.example',
}

const children = new Set<ChildProcess>()
const folders: string[] = []
afterEach(async () => {
  for (const child of children) {
    const ended = once(child, 'close')
    // A task of Deno's is a process of its own, in the group of who runs it.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
    if (child.exitCode === null) await ended
  }
  children.clear()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** A folder with what is installed where a relay is to run. */
function installed(): string {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-deploy-'))
  folders.push(folder)
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(join(root, 'node_modules/@crosstown'), join(folder, 'node_modules/@crosstown'))
  copyFileSync(join(deploy, 'auth.mjs'), join(folder, 'auth.mjs'))
  return folder
}

/** Starts a relay by a command; it serves, asks for tokens, and ends well. */
async function expectServes(command: string, args: string[], cwd: string): Promise<void> {
  const child = spawn(command, [...args, '--port', '0', '--drain', '0', '--log', 'text'], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...VARIABLES },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  children.add(child)
  let output = ''
  const port = await new Promise<string>((found, fail) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        output += String(text)
        const url = /^listening on http:\/\/\S+:(\d+)$/m.exec(output)
        if (url) found(url[1] as string)
      })
    }
    child.on('close', (code) => fail(new Error(`it ended with ${code}: ${output}`)))
  })
  const url = `http://127.0.0.1:${port}`
  expect((await fetch(`${url}/ready`)).status).toBe(200)
  expect((await fetch(`${url}/rooms/r/events`)).status).toBe(401)
  for (const [origin, status] of [
    ['https://shop.example', 200],
    ['https://other.example', 403],
  ] as const)
    expect((await fetch(`${url}/health`, { headers: { origin } })).status).toBe(status)
  expect(healthCheck(port)).toBe(0)
  const ended = once(child, 'close')
  process.kill(-(child.pid as number), 'SIGTERM')
  await ended
  expect(output).toContain('SIGTERM: closing')
  expect(healthCheck(port)).toBe(1)
}

/** The exit code of the image's health check, against this port. */
function healthCheck(port: string): number | null {
  const [command, ...args] = jsonAfter(/HEALTHCHECK[^[]*CMD /)
  expect(command).toBe('node')
  const given = args.map((arg) => arg.replace(':8787/', `:${port}/`))
  return spawnSync(process.execPath, given).status
}

/** A list in the Dockerfile, behind what matches. */
function jsonAfter(what: RegExp): string[] {
  const line = dockerfile.slice(what.exec(dockerfile)?.index ?? 0).replace(what, '')
  return JSON.parse(line.split('\n')[0] as string) as string[]
}

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
    const ways = ['bun', 'cloudflare', 'deno', 'docker', 'node', 'systemd']
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
