/** Runs what the files to deploy say. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect } from 'vitest'

export const root: string = resolve(import.meta.dirname, '../..')
export const deploy: string = join(root, 'packages/edge-relay/deploy')
export const main: string = join(root, 'packages/edge-relay/bin/crosstown-relay.js')
const dockerfile = readFileSync(join(deploy, 'docker/Dockerfile'), 'utf8')

const VARIABLES = {
  CROSSTOWN_JWT_SECRET: 'a secret of more than thirty-two bytes',
  CROSSTOWN_JWT_ISSUER: 'https://id.example',
  CROSSTOWN_JWT_AUDIENCE: 'relay.example',
  CROSSTOWN_ORIGINS: 'https://shop.example',
}

const children = new Set<ChildProcess>()
const folders: string[] = []

/** Ends what a test left running, and removes what it left. */
export async function endDeployed(): Promise<void> {
  for (const child of children) {
    const ended = once(child, 'close')
    // A task of Deno's is a process of its own, in the group of who runs it.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
    if (child.exitCode === null) await ended
  }
  children.clear()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
}

/** A folder with what is installed where a relay is to run. */
export function installed(): string {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-deploy-'))
  folders.push(folder)
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(join(root, 'node_modules/@crosstown'), join(folder, 'node_modules/@crosstown'))
  copyFileSync(join(deploy, 'auth.mjs'), join(folder, 'auth.mjs'))
  return folder
}

/** What a relay finds where it starts. */
export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>
  /** Kind of the engine that is not there: the relay serves, and is not ready. */
  readonly engine?: string
}

/** Starts a relay by a command; it serves, asks for tokens, and ends well. */
export async function expectServes(
  command: string,
  args: readonly string[],
  cwd: string,
  { env = {}, engine }: Surroundings = {},
): Promise<void> {
  const child = spawn(command, [...args, '--port', '0', '--drain', '0', '--log', 'text'], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...VARIABLES, ...env },
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
  const ready = await fetch(`${url}/ready`)
  expect(ready.status).toBe(engine === undefined ? 200 : 503)
  if (engine !== undefined)
    expect(await ready.json()).toMatchObject({ engine: { kind: engine, state: 'connecting' } })
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
export function jsonAfter(what: RegExp): string[] {
  const line = dockerfile.slice(what.exec(dockerfile)?.index ?? 0).replace(what, '')
  return JSON.parse(line.split('\n')[0] as string) as string[]
}
