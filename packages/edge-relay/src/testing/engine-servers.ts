/** PostgreSQL, Redis and NATS in processes of their own, each in a folder of its own that goes with it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

/** A server that is running. */
export interface EngineServer {
  /** As `crosstown-relay serve --store` takes it. */
  readonly url: string
  /** Kills it where it stands. */
  kill(): Promise<void>
  /** Starts it again on what it had written, at the same address. */
  restart(): Promise<void>
  /** Ends it and removes what it had written. */
  stop(): Promise<void>
}

/** What starts a server; absent where it is not installed, and its tests are skipped. */
export const startPostgres: (() => Promise<EngineServer>) | undefined = starter(
  'CROSSTOWN_POSTGRES',
  postgres,
)

export const startRedis: (() => Promise<EngineServer>) | undefined = starter(
  'CROSSTOWN_REDIS',
  redis,
)

export const startNats: ((options?: NatsServerOptions) => Promise<EngineServer>) | undefined =
  starter('CROSSTOWN_NATS', nats)

/** How it is to be other than it is by default. */
export interface NatsServerOptions {
  /** @default true */
  readonly jetStream?: boolean
  /** More of its configuration. */
  readonly config?: string
}

const run = promisify(execFile)

function starter<A extends readonly unknown[]>(
  variable: string,
  start: (command: string, ...args: A) => Promise<EngineServer>,
): ((...args: A) => Promise<EngineServer>) | undefined {
  const command = process.env[variable]
  return command === undefined ? undefined : (...args) => start(command, ...args)
}

/** PostgreSQL will not run as root: it gets the user that its package made. */
async function postgres(command: string): Promise<EngineServer> {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-pg-'))
  const as = await ownerOf(folder)
  const data = join(folder, 'data')
  const initdb = join(dirname(command), 'initdb')
  await run(initdb, ['-D', data, '-U', 'relay', '-A', 'trust', '--no-sync', '-E', 'UTF8'], as)
  // A socket of the folder is an address that no other process can take first.
  const args = ['-D', data, '-k', folder, '-c', 'listen_addresses=']
  const url = `postgres://relay@localhost/postgres?host=${encodeURIComponent(folder)}`
  return serve({
    folder,
    url,
    start: () => spawn(command, args, { ...as, stdio: ['ignore', 'pipe', 'pipe'] }),
    isReady: (output) => output.includes('ready to accept connections'),
  })
}

/** Redis synced at every write. It takes no port of the system's choice, so that one is looked for. */
async function redis(command: string): Promise<EngineServer> {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-redis-'))
  for (let tries = 0; ; tries++) {
    const port = await freePort()
    const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
    const synced = ['--appendonly', 'yes', '--appendfsync', 'always']
    try {
      return await serve({
        folder,
        url: `redis://127.0.0.1:${port}`,
        start: () => spawn(command, [...flags, ...synced], { stdio: ['ignore', 'pipe', 'pipe'] }),
        isReady: (output) => output.includes('Ready to accept connections'),
      })
    } catch (error) {
      // Somebody else may have had that port first.
      if (tries === 5) throw error
    }
  }
}

/** NATS with JetStream, which syncs each message where it can be told to: its versions before 2.10 cannot. */
async function nats(
  command: string,
  { jetStream = true, config: more = '' }: NatsServerOptions = {},
): Promise<EngineServer> {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-nats-'))
  const version = /v?(\d+)[.](\d+)/.exec((await run(command, ['--version'])).stdout)
  const [major = 0, minor = 0] = version?.slice(1).map(Number) ?? []
  const canSync = major > 2 || minor >= 10
  const sync = canSync ? 'sync_interval: always' : ''
  const config = join(folder, 'nats.conf')
  const block = `jetstream { store_dir: ${JSON.stringify(folder)}\n${sync} }\n`
  writeFileSync(config, `${jetStream ? block : ''}${more}\n`)
  for (let tries = 0; ; tries++) {
    const port = await freePort()
    const args = ['--config', config, '--addr', '127.0.0.1', '--port', String(port)]
    try {
      return await serve({
        folder,
        url: `nats://127.0.0.1:${port}${canSync ? '?sync=always' : ''}`,
        start: () => spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }),
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

interface Served {
  readonly folder: string
  readonly url: string
  readonly start: () => ChildProcess
  readonly isReady: (output: string) => boolean
}

async function serve({ folder, url, start, isReady }: Served): Promise<EngineServer> {
  let child: ChildProcess | undefined
  const begin = async (): Promise<void> => {
    const begun = start()
    child = begun
    let output = ''
    await new Promise<void>((resolve, reject) => {
      const take = (chunk: unknown): void => {
        output += String(chunk)
        if (isReady(output)) resolve()
      }
      begun.stdout?.on('data', take)
      begun.stderr?.on('data', take)
      begun.once('error', reject)
      begun.once('close', (code) => reject(new Error(`the server ended with ${code}: ${output}`)))
    })
  }
  const end = async (): Promise<void> => {
    const ending = child
    child = undefined
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const ended = once(ending, 'close')
    ending.kill('SIGKILL')
    await ended
  }
  await begin()
  return {
    url,
    kill: end,
    restart: begin,
    async stop() {
      await end()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Whom a server is to run as, who then owns the folder: nobody else where this process is not root. */
async function ownerOf(folder: string): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {}
  const found = await run('id', ['-u', 'postgres'])
  const uid = Number(found.stdout)
  const gid = Number((await run('id', ['-g', 'postgres'])).stdout)
  chownSync(folder, uid, gid)
  return { uid, gid }
}
