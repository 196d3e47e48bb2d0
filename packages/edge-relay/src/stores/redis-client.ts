/** The connections of a relay to its Redis, and what their errors mean. */
import { BusError, type Durability } from '@crosstown/bus/protocol'
import { type CommandParser, createClient, defineScript, ErrorReply } from 'redis'
import {
  type ClientHears,
  type EngineDriver,
  isCertificate,
  type Signal,
  type Trouble,
} from './engine/driver.ts'
import type { RedisAddress } from './redis-address.ts'
import { APPEND, DELETE, TRIM } from './redis-scripts.ts'

/** Called with all its arguments in one list. */
type Script = {
  readonly SCRIPT: string
  readonly SHA1: string
  readonly NUMBER_OF_KEYS: 0
  readonly transformReply: () => number
  parseCommand(parser: CommandParser, args: readonly string[]): void
}

type None = Record<never, never>
type Scripts = Readonly<Record<'put' | 'cut' | 'drop', Script>>

/** What is asked of the server. */
export type Commands = ReturnType<typeof createClient<None, None, Scripts, 3, None>>

/** Its connections: one to ask, one to hear. */
export interface RedisClient {
  readonly client: Commands
  readonly listener: Commands
}

/** 6.2. */
const LEAST_VERSION = [6, 2] as const

export class RedisDriver implements EngineDriver<RedisClient> {
  readonly kind = 'redis'
  readonly name = 'Redis'
  readonly strict = 'appendonly to yes and appendfsync to always'
  readonly #address: RedisAddress

  constructor(address: RedisAddress) {
    this.#address = address
  }

  make({ lost }: ClientHears): RedisClient {
    const [client, listener] = [commandsAt(this.#address), commandsAt(this.#address)]
    // Without a listener Node would end.
    for (const each of [client, listener]) each.on('error', lost)
    return { client, listener }
  }

  async open({ client }: RedisClient): Promise<Durability> {
    await client.connect()
    const refuse = (what: string): never => {
      throw new BusError('log_unavailable', `Redis cannot be used: ${what}`, { stage: 'log' })
    }
    const info = await told(() => client.info())
    const version = /^redis_version:(\d+)[.](\d+)/m.exec(info ?? '')
    const [major = 0, minor = 0] = version?.slice(1).map(Number) ?? LEAST_VERSION
    const [leastMajor, leastMinor] = LEAST_VERSION
    if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
      refuse(`it is version ${major}.${minor}: a relay needs ${LEAST_VERSION.join('.')} or newer`)
    }
    if (/^cluster_enabled:1/m.test(info ?? '')) {
      refuse('it is a cluster: a relay needs one server, with its replicas')
    }
    const policy = (await configOf(client, 'maxmemory-policy')) ?? 'noeviction'
    if (policy !== 'noeviction') {
      refuse(
        `it would remove rooms when it is full: maxmemory-policy is ${policy}; set it to noeviction`,
      )
    }
    const synced =
      (await configOf(client, 'appendonly')) === 'yes' &&
      (await configOf(client, 'appendfsync')) === 'always'
    return synced ? 'disk' : 'memory'
  }

  ping({ client }: RedisClient): Promise<unknown> {
    return client.ping()
  }

  async listen(
    { listener }: RedisClient,
    _node: string,
    take: (signal: Signal) => void,
  ): Promise<void> {
    await listener.connect()
    await listener.subscribe(this.#channel, (said) => {
      const [node = '', room = '', ...rest] = said.split('\n')
      take({ node, room, text: rest.join('\n') })
    })
  }

  say({ client }: RedisClient, { node, room, text }: Signal): Promise<unknown> {
    return client.publish(this.#channel, [node, room, text].join('\n'))
  }

  /** Its calls are answered: there is nothing to wait for. */
  async end(client: RedisClient): Promise<void> {
    this.drop(client)
  }

  drop({ client, listener }: RedisClient): void {
    client.destroy()
    listener.destroy()
  }

  troubleOf(error: unknown): Trouble {
    if (error instanceof ErrorReply) {
      if (/^(NOAUTH|WRONGPASS|NOPERM|ERR AUTH|ERR invalid password)/.test(error.message))
        return 'refused'
      // It reads its log, or is the replica of another one now.
      return /^(LOADING|READONLY|MASTERDOWN)/.test(error.message) ? 'lost' : 'call'
    }
    if (isCertificate(error)) return 'refused'
    const ours = error instanceof TypeError || error instanceof SyntaxError
    return ours ? 'call' : 'lost'
  }

  get #channel(): string {
    return `${this.#address.prefix}signals`
  }
}

function commandsAt({ url, tls }: RedisAddress): Commands {
  return createClient({
    url,
    name: 'crosstown-relay',
    // What waits for a server that is gone is to be told so: its senders come again.
    disableOfflineQueue: true,
    // Another client is made.
    socket: { reconnectStrategy: false, ...tls },
    scripts: { put: script(APPEND), cut: script(TRIM), drop: script(DELETE) },
  })
}

function script(SCRIPT: string): Script {
  return defineScript({
    SCRIPT,
    NUMBER_OF_KEYS: 0 as const,
    parseCommand(parser: CommandParser, args: readonly string[]) {
      // One by one: a step of trimming has more of them than a call can take.
      for (const arg of args) parser.push(arg)
    },
    transformReply: undefined as unknown as () => number,
  })
}

async function configOf(client: Commands, name: string): Promise<string | undefined> {
  return (await told(() => client.configGet(name)))?.[name]
}

/** Where a service does not let its users ask, nothing is known. */
async function told<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ErrorReply && !/^(NOAUTH|LOADING)/.test(error.message)) return undefined
    throw error
  }
}
