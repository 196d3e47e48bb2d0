/** PostgreSQL, Redis and NATS in processes of their own, each in a folder of its own that goes with it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { killRecorded, type Owner, Recording } from './power-cut.ts'

/** A server that is running. */
export interface EngineServer {
  /** As `crosstown-relay serve --store` takes it. */
  readonly url: string
  /** What it writes is in here. */
  readonly folder: string
  /** Kills it where it stands. */
  kill(): Promise<void>
  /** Kills it, and takes from its files what it had not synced; only of one that is recorded. */
  cutPower(): Promise<void>
  /** Starts it again on what it had written, at the same address. */
  restart(): Promise<void>
  /** Ends it and removes what it had written. */
  stop(): Promise<void>
}

/** How a server is started. */
export interface ServerOptions {
  /** Arguments of its own kind. @default those with which it syncs what it confirms */
  readonly settings?: readonly string[]
  /** Whether its power can be cut. @default false */
  readonly recorded?: boolean
}

export type StartEngine = (options?: ServerOptions) => Promise<EngineServer>

/** What starts a server; absent where it is not installed, and its tests are skipped. */
export const startPostgres: StartEngine | undefined = starter('CROSSTOWN_POSTGRES', postgres)

export const startRedis: StartEngine | undefined = starter('CROSSTOWN_REDIS', redis)

export const startNats: StartEngine | undefined = starter('CROSSTOWN_NATS', nats)

const run = promisify(execFile)

function starter(
  variable: string,
  start: (command: string, options: ServerOptions) => Promise<EngineServer>,
): StartEngine | undefined {
  const command = process.env[variable]
  return command === undefined ? undefined : (options = {}) => start(command, options)
}

/** PostgreSQL will not run as root: it gets the user that its package made. */
async function postgres(
  command: string,
  { settings = [], ...options }: ServerOptions,
): Promise<EngineServer> {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-pg-'))
  const owner = await ownerOf(folder)
  const data = join(folder, 'data')
  const initdb = join(dirname(command), 'initdb')
  await run(initdb, ['-D', data, '-U', 'relay', '-A', 'trust', '--no-sync', '-E', 'UTF8'], owner)
  // A socket of the folder is an address that no other process can take first.
  const args = ['-D', data, '-k', folder, '-c', 'listen_addresses=', ...settings]
  const url = `postgres://relay@localhost/postgres?host=${encodeURIComponent(folder)}`
  return serve({
    ...options,
    folder,
    url,
    command,
    args,
    owner,
    // A standby takes read-only ones.
    isReady: (output) => /ready to accept (read-only )?connections/.test(output),
  })
}

/** Redis synced at every write. It takes no port of the system's choice, so that one is looked for. */
async function redis(
  command: string,
  { settings = ['--appendonly', 'yes', '--appendfsync', 'always'], ...options }: ServerOptions,
): Promise<EngineServer> {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-redis-'))
  for (let tries = 0; ; tries++) {
    const port = await freePort()
    const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
    try {
      return await serve({
        ...options,
        folder,
        url: `redis://127.0.0.1:${port}`,
        command,
        args: [...flags, ...settings],
        isReady: (output) => output.includes('Ready to accept connections'),
      })
    } catch (error) {
      // Somebody else may have had that port first.
      if (tries === 5) throw error
    }
  }
}

/**
 * NATS with JetStream, which syncs each message where it can be told to: versions before 2.10 cannot. Its
 * settings are lines of its configuration.
 */
async function nats(
  command: string,
  { settings, ...options }: ServerOptions,
): Promise<EngineServer> {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-nats-'))
  const version = /v(\d+)[.](\d+)/.exec((await run(command, ['--version'])).stdout)
  const [major = 0, minor = 0] = version?.slice(1).map(Number) ?? []
  const canSync = major > 2 || minor >= 10
  const synced = canSync ? 'jetstream { sync_interval: always }' : 'jetstream: enabled'
  const config = join(folder, 'nats.conf')
  await writeFile(config, (settings ?? [synced]).join('\n'))
  for (let tries = 0; ; tries++) {
    const port = await freePort()
    const flags = ['--config', config, '--addr', '127.0.0.1', '--port', String(port)]
    try {
      return await serve({
        ...options,
        folder,
        url: `nats://127.0.0.1:${port}${canSync && !settings ? '?sync=always' : ''}`,
        command,
        args: [...flags, '--store_dir', folder],
        isReady: (output) => output.includes('Server is ready'),
      })
    } catch (error) {
      // Somebody else may have had that port first.
      if (tries === 5) throw error
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

interface Served extends Pick<ServerOptions, 'recorded'> {
  readonly folder: string
  readonly url: string
  readonly command: string
  readonly args: readonly string[]
  readonly owner?: Owner
  readonly isReady: (output: string) => boolean
}

async function serve(served: Served): Promise<EngineServer> {
  const { folder, url, owner = {}, isReady } = served
  let child: ChildProcess | undefined
  let recording: Recording | undefined
  const begin = async (): Promise<void> => {
    recording = served.recorded ? await Recording.of(folder, owner) : undefined
    const [command, args] = recording?.commandOf(served.command, served.args) ?? [
      served.command,
      served.args,
    ]
    const begun = spawn(command, args, { ...owner, stdio: ['ignore', 'pipe', 'pipe'] })
    child = begun
    let output = ''
    await new Promise<void>((resolve, reject) => {
      const take = (chunk: unknown): void => {
        output += String(chunk)
        if (isReady(output)) resolve()
      }
      begun.stdout.on('data', take)
      begun.stderr.on('data', take)
      begun.once('error', reject)
      begun.once('close', (code) => reject(new Error(`the server ended with ${code}: ${output}`)))
    })
  }
  const end = async (): Promise<void> => {
    const ending = child
    child = undefined
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const ended = once(ending, 'close')
    if (recording) killRecorded(ending)
    else ending.kill('SIGKILL')
    await ended
  }
  await begin()
  return {
    url,
    folder,
    async kill() {
      await end()
      await recording?.forget()
    },
    async cutPower() {
      if (!recording) throw new Error('a server whose power is cut has to be recorded')
      await end()
      await recording.cut()
    },
    restart: begin,
    async stop() {
      await end()
      await recording?.forget()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Whom a server is to run as, who then owns the folder: nobody else where this process is not root. */
async function ownerOf(folder: string): Promise<Owner> {
  if (process.getuid?.() !== 0) return {}
  const found = await run('id', ['-u', 'postgres'])
  const uid = Number(found.stdout)
  const gid = Number((await run('id', ['-g', 'postgres'])).stdout)
  chownSync(folder, uid, gid)
  return { uid, gid }
}
