/** The connections of a relay to its PostgreSQL database, and what their errors mean. */
import { connect as connectTo, type Socket } from 'node:net'
import { BusError, type Durability } from '@crosstown/bus/protocol'
import postgres from 'postgres'
import {
  type ClientHears,
  type EngineDriver,
  isCertificate,
  type Signal,
  type Trouble,
} from './engine/driver.ts'
import type { PostgresAddress } from './postgres-address.ts'
import { FORMAT, SETUP_LOCK, tablesIn } from './postgres-tables.ts'

/** Numbers of places and batches are far below 2 ** 53. */
export type Sql = postgres.Sql<{ bigint: number }>

/** Its connections, which are made when they are needed. */
export interface PostgresClient {
  readonly sql: Sql
  readonly sockets: ReadonlySet<Socket>
  dropped: boolean
}

const CONNECT_TIMEOUT_S = 10
const CLOSE_TIMEOUT_S = 4
/** A notification holds less than 8,000 bytes. */
const NOTIFIED_BYTES = 7_900
const LEAST_VERSION = 13

/** Of PostgreSQL, by their numbers in it. */
const TYPES = {
  bigint: { to: 20, from: [20], parse: Number, serialize: String },
  texts: { to: 1009, from: [], parse: (text: string) => text, serialize: textsOf },
} as { readonly bigint: postgres.PostgresType<number> }

/** An array of texts, as a server reads it. */
function textsOf(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`).join(',')}}`
}

export class PostgresDriver implements EngineDriver<PostgresClient> {
  readonly kind = 'postgres'
  readonly name = 'PostgreSQL'
  readonly strict = 'fsync to on, and synchronous_commit to anything but off'
  readonly #address: PostgresAddress

  constructor(address: PostgresAddress) {
    this.#address = address
  }

  make({ doubt }: ClientHears): PostgresClient {
    const { options, schema, parameters } = this.#address
    const client = { dropped: false, sockets: new Set<Socket>() }
    let next = 0
    const sql = postgres({
      ...options,
      connect_timeout: CONNECT_TIMEOUT_S,
      onnotice: () => {},
      onclose: doubt,
      // It would ask for all of them on each connection that it makes, and nobody hears of it where that
      // fails: a rejection that ends the process.
      fetch_types: false,
      types: TYPES,
      connection: { application_name: 'crosstown-relay', ...parameters, search_path: schema },
      // The driver ends a connection by asking its server to: one that is silent is to be let go as well.
      socket({ host, port, path }: Where) {
        if (client.dropped) throw new Error('the connection was dropped')
        const number = next++ % host.length
        const [name, at] = [host[number] as string, port[number] as number]
        const socket = path ? connectTo(path) : connectTo(at, name)
        client.sockets.add(socket)
        socket.once('close', () => client.sockets.delete(socket))
        if (options['ssl'] !== false && options['ssl'] !== 'prefer') needTls(socket)
        return Object.assign(socket, { host: name, port: at })
      },
    } as postgres.Options<typeof TYPES>)
    return Object.assign(client, { sql })
  }

  async open({ sql }: PostgresClient): Promise<Durability> {
    const { schema } = this.#address
    const [row] = await sql<{ version: string; fsync: string; commit: string }[]>`
      SELECT current_setting('server_version_num') AS version, current_setting('fsync') AS fsync,
        current_setting('synchronous_commit') AS commit`
    const version = Math.floor(Number(row?.version) / 10_000)
    if (version < LEAST_VERSION) {
      const what = `it is version ${version}: a relay needs ${LEAST_VERSION} or newer`
      throw new BusError('log_unavailable', `PostgreSQL cannot be used: ${what}`, { stage: 'log' })
    }
    await prepare(sql, schema)
    return row?.fsync === 'on' && row.commit !== 'off' ? 'disk' : 'memory'
  }

  ping({ sql }: PostgresClient): Promise<unknown> {
    return sql`SELECT 1`.execute()
  }

  async listen(
    { sql }: PostgresClient,
    node: string,
    take: (signal: Signal | undefined) => void,
  ): Promise<void> {
    const heard = async (said: string): Promise<void> => {
      const [by = '', room = '', ...rest] = said.split('\n')
      const signal = { node: by, room, text: rest.join('\n') }
      if (by === node || !signal.text.startsWith('#')) return take(signal)
      const id = signal.text.slice(1)
      for (const row of await sql<{ text: string }[]>`SELECT text FROM signals WHERE id = ${id}`)
        take({ ...signal, text: row.text })
    }
    await sql.listen(
      this.#address.schema,
      (said) => void heard(said).catch(() => take(undefined)),
      // The driver listens again by itself.
      () => take(undefined),
    )
  }

  /** What is too long for a notification is put into a table for a minute. */
  say({ sql }: PostgresClient, { node, room, text }: Signal): Promise<unknown> {
    const { schema } = this.#address
    const said = [node, room, text].join('\n')
    if (Buffer.byteLength(said) <= NOTIFIED_BYTES) {
      return sql`SELECT pg_notify(${schema}, ${said})`.execute()
    }
    return sql`
      WITH old AS (
        DELETE FROM signals WHERE at < now() - interval '1 minute'
      ), put AS (
        INSERT INTO signals (text) VALUES (${text}) RETURNING id
      )
      SELECT pg_notify(${schema}, ${`${node}\n${room}\n`} || '#' || id) FROM put`.execute()
  }

  async end({ sql }: PostgresClient): Promise<void> {
    await sql.end({ timeout: CLOSE_TIMEOUT_S })
  }

  drop(client: PostgresClient): void {
    client.dropped = true
    void client.sql.end({ timeout: 0 })
    for (const socket of client.sockets) socket.destroy()
  }

  troubleOf(error: unknown): Trouble {
    const { code } = error as { code?: unknown }
    if (isCertificate(error)) return 'refused'
    // Of the driver, or of the system: whatever it is, the server has not said it.
    if (!(error instanceof postgres.PostgresError))
      return typeof code === 'string' ? 'lost' : 'call'
    return AWAY.test(error.code) ? 'lost' : REFUSED.test(error.code) ? 'refused' : 'call'
  }
}

/** The first byte is the answer to whether it has TLS; the driver would go on without having looked. */
function needTls(socket: Socket): void {
  socket.once('data', ([answer]: Uint8Array) => {
    if (answer === 'S'.charCodeAt(0)) return
    const error = new Error('the server has no TLS: turn it on, or use sslmode=disable')
    socket.destroy(Object.assign(error, { code: 'ERR_TLS_REFUSED' }))
  })
}

interface Where {
  readonly host: readonly string[]
  readonly port: readonly number[]
  readonly path: string | false
}

/**
 * Ended by an operator, shutting down, starting up; connections that failed; read-only, as a standby is: its
 * address, or another of its hosts, may lead to the primary by now.
 */
const AWAY = /^(57P0|08|25006)/
/** Who it is, which database, what it may do, what the server does not have. */
const REFUSED = /^(28|3D|3F|42|0A|22|0L|0P)/

/** All in one text, and so in one transaction. */
async function prepare(sql: Sql, schema: string): Promise<void> {
  const [made] = await sql`SELECT to_regclass(${`${schema}.events`}) IS NOT NULL AS all`
  if (!made?.['all']) {
    await sql.unsafe(`SELECT pg_advisory_xact_lock(${SETUP_LOCK}); ${tablesIn(schema)}`)
  }
  const [format] = await sql<{ version: number }[]>`SELECT version FROM format`
  if (format?.version !== FORMAT) {
    const what = `its tables have format ${format?.version}, and this relay knows ${FORMAT}`
    throw new BusError('log_damaged', `${what}: use the relay that made them, or another schema`)
  }
}
