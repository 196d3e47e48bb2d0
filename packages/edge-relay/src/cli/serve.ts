import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { BusError } from '@crosstown/bus/protocol'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Auth } from '../auth.ts'
import type { Authorize } from '../authorize.ts'
import type { MetricsAccess } from '../http/metrics.ts'
import type { RoomRetention } from '../keeping.ts'
import { DEFAULT_LIMITS } from '../limits.ts'
import { LOG_LEVELS, type LogFormat, type LogLevel, type LogSink, logLine } from '../log.ts'
import type { RelayOptions } from '../options.ts'
import type { Outbox } from '../outbox/outbox.ts'
import { createRelay, type Relay } from '../relay.ts'
import type { RelayServer, ServeOptions } from '../runtimes/server.ts'
import type { Store } from '../stores/store.ts'
import { tokenIn } from './target.ts'

interface ServeFlags {
  readonly host: string
  readonly port: number
  readonly store: string
  readonly outbox?: string | true
  readonly origins?: string[]
  readonly auth?: string
  readonly log?: LogFormat
  readonly logLevel?: LogLevel
  readonly metrics?: string
  readonly drain: number
  readonly retention?: string
  readonly roomDays?: number
  readonly roomEvents?: number
  readonly roomBytes?: number
  readonly limit: Readonly<Record<string, number>>
  readonly trustProxy?: number
  /** A folder; `false`: none; absent: wherever it is. */
  readonly inspector?: string | false
}

/** `crosstown-relay serve`: runs until SIGTERM or SIGINT. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('serve rooms until SIGTERM or SIGINT')
    .option('--host <name>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 picks a free one', parsePort, 8787)
    .addOption(
      new Option(
        '--store <spec>',
        'where rooms are kept: memory, sqlite:<path>, postgres://..., redis://..., or nats://...',
      )
        .env('CROSSTOWN_STORE')
        .default('memory'),
    )
    .addOption(
      new Option(
        '--outbox [spec]',
        "where applications leave events in transactions of their own: postgres://..., sqlite:<path>, or without a value the store's database",
      ).env('CROSSTOWN_OUTBOX'),
    )
    .addOption(
      new Option(
        '--origins <list>',
        'origins of pages that may come, with commas between (default: this machine)',
      )
        .env('CROSSTOWN_ORIGINS')
        .argParser(parseList),
    )
    .option(
      '--auth <file>',
      'module whose default export is the auth function, and `authorize` the hook beside it',
    )
    .addOption(
      new Option('--log <format>', 'what happens, as lines of json or text').choices([
        'json',
        'text',
      ]),
    )
    .addOption(
      new Option(
        '--log-level <level>',
        'how much of it (default: info; without --log: warn)',
      ).choices(LOG_LEVELS),
    )
    .option(
      '--metrics <who>',
      'who may read /metrics: open, off, or token:<file> (default: open without --auth, else off)',
    )
    .option(
      '--drain <seconds>',
      'how long /ready says no before devices are sent away',
      parseSeconds,
      0,
    )
    .option('--room-days <number>', 'days that an event is kept (default: 365)', parseCount)
    .option('--room-events <number>', 'events kept of each room (default: 1000000)', parseCount)
    .option('--room-bytes <number>', 'bytes kept of each room (default: 536870912)', parseCount)
    .option(
      '--limit <name=number>',
      'one of the limits of createRelay, as connections=1000; may be repeated',
      addLimit,
      {},
    )
    .option(
      '--trust-proxy <number>',
      'proxies that stand before the relay and add to X-Forwarded-For (default: 0)',
      parseCount,
    )
    .option(
      '--retention <file>',
      'JSON file: { "<room>" or "<beginning>*": { roomDays, roomEvents, roomBytes } }',
    )
    .option('--inspector <folder>', 'folder of the panel to serve (default: that of this project)')
    .option('--no-inspector', 'serve no panel at /inspector')
    .action(run)
}

async function run(flags: ServeFlags): Promise<void> {
  const { host, port, store, origins, auth, roomDays, roomEvents, roomBytes } = flags
  const inspector = flags.inspector !== false && inspectorFolder(flags.inspector)
  const options = {
    limits: {
      ...flags.limit,
      ...(roomDays !== undefined && { roomDays }),
      ...(roomEvents !== undefined && { roomEvents }),
      ...(roomBytes !== undefined && { roomBytes }),
    },
    ...(auth !== undefined && (await loadAuth(auth))),
    ...(origins && { origins }),
    ...(flags.trustProxy !== undefined && { trustProxy: flags.trustProxy }),
    ...(inspector && { inspector }),
    ...(flags.retention !== undefined && { retention: retentionIn(flags.retention) }),
    ...(flags.metrics !== undefined && { metrics: metricsAccess(flags.metrics) }),
    log: logTo(flags),
  }
  const say = flags.log === 'json' ? () => {} : (line: string) => console.log(line)
  const rooms = await openStore(store)
  const outbox = await openOutbox(flags.outbox, store).catch(async (error: unknown) => {
    await rooms.close()
    throw error
  })
  const relay = createRelay({ ...options, store: rooms, ...(outbox && { outbox }) })
  const serve = await serveHere()
  const server = await serve(relay, { host, port }).catch(async (error: unknown) => {
    await relay.close()
    throw error
  })
  say(`listening on ${server.url}`)
  if (relay.loopbackOnly)
    say('no --auth: everyone on this machine may publish, read and inspect, nobody else')
  if (inspector) say(`inspector at ${server.url}/inspector`)
  else if (flags.inspector !== false) say('no inspector: the panel is not built (npm run build)')
  const signal = await new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve)
    process.once('SIGINT', resolve)
  })
  say(`${signal}: closing`)
  relay.drain()
  if (flags.drain > 0) {
    // A second signal ends it at once, as always.
    await new Promise((resolve) => setTimeout(resolve, flags.drain * 1_000))
  }
  await server.close()
}

/** Where the log goes: JSON to standard output, where nothing else is then; text beside what people read. */
function logTo({ log, logLevel = log === undefined ? 'warn' : 'info' }: ServeFlags): LogSink {
  const least = LOG_LEVELS.indexOf(logLevel)
  const stream = log === 'json' ? process.stdout : process.stderr
  return (record) => {
    if (LOG_LEVELS.indexOf(record.level) < least) return
    stream.write(`${logLine(record, log ?? 'text')}\n`)
  }
}

/** @throws {BusError} invalid_options */
function metricsAccess(who: string): MetricsAccess {
  if (who === 'open') return who
  if (who === 'off') return false
  const file = /^token:(.+)$/.exec(who)?.[1]
  if (file !== undefined) return { token: tokenIn(file, '--metrics') }
  throw new BusError('invalid_options', `--metrics ${who}: use open, off, or token:./file`)
}

/** @throws {BusError} invalid_options */
function retentionIn(file: string): RoomRetention {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as RoomRetention
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause)
    throw new BusError('invalid_options', `--retention ${file} cannot be read: ${what}`, { cause })
  }
}

/** Where the panel was built to; `undefined` where it was not. @throws {BusError} invalid_options */
function inspectorFolder(given: string | undefined): string | undefined {
  if (given === undefined) {
    try {
      const manifest = import.meta.resolve('@crosstown/devtools-extension/package.json')
      const folder = fileURLToPath(new URL('dist/page', manifest))
      return existsSync(join(folder, 'index.html')) ? folder : undefined
    } catch {
      return undefined
    }
  }
  if (existsSync(join(given, 'index.html'))) return resolve(given)
  throw new BusError('invalid_options', `--inspector ${given}: there is no index.html in it`)
}

/** How the runtime at hand serves. */
async function serveHere(): Promise<(relay: Relay, options: ServeOptions) => Promise<RelayServer>> {
  if ('Bun' in globalThis) return (await import('../runtimes/bun.ts')).serve
  if ('Deno' in globalThis) return (await import('../runtimes/deno.ts')).serve
  return (await import('../runtimes/node.ts')).serve
}

/** @throws {BusError} invalid_options, and what cannot be opened */
async function openOutbox(
  spec: string | true | undefined,
  store: string,
): Promise<Outbox | undefined> {
  if (spec === undefined) return undefined
  const isOfStore = spec === true || spec === 'store'
  const where = isOfStore ? store : spec
  if (/^postgres(ql)?:/.test(where))
    return (await import('../outbox/postgres.ts')).postgresOutbox(where)
  const path = /^sqlite:(.+)$/.exec(where)?.[1]
  if (path !== undefined && !isOfStore)
    return (await import('../outbox/sqlite.ts')).sqliteOutbox(path)
  // What it is may have a password in it.
  const kind = isOfStore ? '' : ` ${spec.split(':')[0]}`
  const what = isOfStore
    ? 'the store is no PostgreSQL: say which database, as postgres://... or sqlite:./app.db'
    : 'use postgres://... or sqlite:./app.db'
  throw new BusError('invalid_options', `--outbox${kind}: ${what}`)
}

async function openStore(spec: string): Promise<Store> {
  // Loaded when asked for: node:sqlite is not to be had everywhere the relay runs.
  if (spec === 'memory') return (await import('../stores/memory.ts')).memoryStore()
  const path = /^sqlite:(.+)$/.exec(spec)?.[1]
  if (path !== undefined) return (await import('../stores/sqlite.ts')).sqliteStore(path)
  if (/^postgres(ql)?:/.test(spec))
    return (await import('../stores/postgres.ts')).postgresStore(spec)
  if (/^rediss?:/.test(spec)) return (await import('../stores/redis.ts')).redisStore(spec)
  if (/^(nats|tls):/.test(spec)) return (await import('../stores/nats.ts')).natsStore(spec)
  // What it is may have a password in it.
  const kind = spec.split(':')[0]
  const kinds = 'memory, sqlite:./events.db, postgres://..., redis://... or nats://...'
  throw new BusError('invalid_options', `--store ${kind}: use ${kinds}`)
}

async function loadAuth(file: string): Promise<Pick<RelayOptions, 'auth' | 'authorize'>> {
  let module: { default?: unknown; authorize?: unknown }
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as typeof module
  } catch (cause) {
    const what = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new BusError('invalid_options', `--auth ${file} cannot be loaded: ${what}`, { cause })
  }
  const { default: auth, authorize } = module
  const isHook = authorize === undefined || typeof authorize === 'function'
  if (typeof auth !== 'function' || !isHook) {
    const what = isHook
      ? 'its default export must be the auth function'
      : 'authorize must be a function'
    throw new BusError('invalid_options', `--auth ${file}: ${what}`)
  }
  return {
    auth: auth as Auth,
    ...(authorize !== undefined && { authorize: authorize as Authorize }),
  }
}

function parsePort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535 && text.trim() !== '') return port
  throw new InvalidArgumentError('a port is a whole number from 0 to 65535')
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (Number.isFinite(seconds) && seconds >= 0 && text.trim() !== '') return seconds
  throw new InvalidArgumentError('give a number of seconds')
}

function parseCount(text: string): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count >= 1) return count
  throw new InvalidArgumentError('give a whole number from 1')
}

function addLimit(
  text: string,
  before: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const [name = '', count = '', ...more] = text.split('=')
  if (!Object.hasOwn(DEFAULT_LIMITS, name) || more.length > 0)
    throw new InvalidArgumentError(`use one of ${Object.keys(DEFAULT_LIMITS).join(', ')}`)
  return { ...before, [name]: parseCount(count) }
}

function parseList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
