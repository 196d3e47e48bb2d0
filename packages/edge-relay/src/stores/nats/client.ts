/** The connection of a relay to its NATS, and what its errors mean. */
import { BusError, type Durability } from '@crosstown/bus/protocol'
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import {
  AuthorizationError,
  ClosedConnectionError,
  ConnectionError,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  DrainingConnectionError,
  type Msg,
  type NatsConnection,
  PermissionViolationError,
  RequestError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node'
import {
  type ClientHears,
  type EngineDriver,
  isCertificate,
  type Signal,
  type Trouble,
  why,
} from '../engine/driver.ts'
import type { NatsAddress } from './address.ts'
import { Journal } from './journal.ts'
import { Pieces, piecesOf } from './signals.ts'
import { prepareStreams } from './streams.ts'

/** What is asked of the server; connected once it is open. */
export interface NatsClient {
  nc: NatsConnection | undefined
  journal: Journal | undefined
  readonly hears: ClientHears
  isDropped: boolean
}

/** 2.9. */
const LEAST_VERSION = [2, 9] as const
/** The first that can sync each message. */
const SYNC_VERSION = [2, 10] as const
/** The frame tells silence by itself; this is for what the server never answers. */
const ANSWER_MS = 10_000
const DEFAULT_PAYLOAD = 2 ** 20

export class NatsDriver implements EngineDriver<NatsClient> {
  readonly kind = 'nats'
  readonly name = 'NATS'
  readonly strict =
    'sync_interval to always on its servers, which have to be 2.10 or newer, and sync=always in the URL'
  readonly #address: NatsAddress

  constructor(address: NatsAddress) {
    this.#address = address
  }

  make(hears: ClientHears): NatsClient {
    return { nc: undefined, journal: undefined, hears, isDropped: false }
  }

  async open(client: NatsClient): Promise<Durability> {
    const { replicas, stream, sync } = this.#address
    const nc = await connect(this.#options())
    client.nc = nc
    if (client.isDropped) await nc.close()
    void nc.closed().then((error) => client.hears.lost(error ?? new ClosedConnectionError()))
    const { max_payload: payload = DEFAULT_PAYLOAD, version = '' } = nc.info ?? {}
    if (isOlder(version, LEAST_VERSION))
      throw refusal(`it is version ${version}: a relay needs ${LEAST_VERSION.join('.')} or newer`)
    if (sync === 'always' && isOlder(version, SYNC_VERSION)) {
      const what = `sync=always needs ${SYNC_VERSION.join('.')} or newer, and it is version ${version}`
      throw refusal(`${what}, which syncs every two minutes whatever its configuration says`)
    }
    const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: ANSWER_MS })
    await checkJetStream(nc, jsm)
    const made = await prepareStreams(jsm, stream, replicas)
    const isReplicated = made.num_replicas > 1
    const js = jetstream(nc, { timeout: ANSWER_MS })
    client.journal = new Journal(js, jsm, { stream, isReplicated, payload })
    return sync === 'always' && made.storage === 'file' ? 'disk' : 'memory'
  }

  async ping({ nc }: NatsClient): Promise<unknown> {
    return nc?.rtt()
  }

  async listen(
    { hears, nc }: NatsClient,
    _node: string,
    take: (signal: Signal) => void,
  ): Promise<void> {
    const pieces = new Pieces()
    nc?.subscribe(this.#signals, {
      callback: (error: Error | null, message: Msg) => {
        if (error) return hears.lost(error)
        const signal = pieces.take(message.data)
        if (signal) take(signal)
      },
    })
    await nc?.flush()
  }

  async say({ nc }: NatsClient, signal: Signal): Promise<void> {
    const { max_payload: payload = DEFAULT_PAYLOAD } = nc?.info ?? {}
    for (const piece of piecesOf(signal, payload / 2)) nc?.publish(this.#signals, piece)
  }

  /** What was said last is still to be sent. */
  async end({ nc }: NatsClient): Promise<void> {
    await Promise.race([nc?.flush(), nc?.closed()])
  }

  drop(client: NatsClient): void {
    client.isDropped = true
    client.nc?.close().catch(() => {
      // It was closed already.
    })
  }

  troubleOf(error: unknown): Trouble {
    const cause = error instanceof RequestError ? (error.cause ?? error) : error
    const isRefusal =
      cause instanceof AuthorizationError ||
      cause instanceof UserAuthenticationExpiredError ||
      cause instanceof PermissionViolationError ||
      isCertificate(cause)
    if (isRefusal) return 'refused'
    const isLoss =
      cause instanceof ClosedConnectionError ||
      cause instanceof ConnectionError ||
      cause instanceof DrainingConnectionError
    return isLoss ? 'lost' : 'call'
  }

  #options(): ConnectionOptions {
    const { auth, creds, servers, tls } = this.#address
    return {
      servers: [...servers],
      name: 'crosstown-relay',
      // Another connection is made by the frame.
      reconnect: false,
      timeout: ANSWER_MS,
      ...auth,
      ...(creds && { authenticator: credsAuthenticator(creds) }),
      ...(tls && { tls: { ...tls } }),
    }
  }

  get #signals(): string {
    return `${this.#address.stream}.signals`
  }
}

async function checkJetStream(nc: NatsConnection, jsm: JetStreamManager): Promise<void> {
  try {
    await jsm.getAccountInfo()
  } catch (cause) {
    if (cause instanceof RequestError && !cause.isNoResponders()) throw cause
    // A server of a cluster may still be looking for who answers.
    if (nc.info?.jetstream && cause instanceof RequestError) throw cause
    const what = 'start it with JetStream, and enable that for the account of the relay'
    throw refusal(`it has no JetStream (${why(cause)}): ${what}`, cause)
  }
}

function refusal(what: string, cause?: unknown): BusError {
  const message = `NATS cannot be used: ${what}`
  return new BusError('log_unavailable', message, { stage: 'log', cause })
}

function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor < major || (ownMajor === major && ownMinor < minor)
}
