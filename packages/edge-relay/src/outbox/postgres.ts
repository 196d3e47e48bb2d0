/**
 * The outbox in PostgreSQL. One relay at a time drains it, the one that has the lease: the others look
 * again, and take over when it ran out.
 *
 * All it does is single statements: the driver throws where nobody can catch it when a connection ends
 * within a transaction of several.
 */
import { randomUUID } from 'node:crypto'
import { BusError, isBusError, MAX_EVENT_BYTES } from '@crosstown/bus/protocol'
import postgres, { type Sql } from 'postgres'
import type { ReadLimit } from '../stores/store.ts'
import {
  MOST_COUNTED,
  MOST_REFUSED,
  type Outbox,
  type OutboxRow,
  type RefusedRow,
  type Step,
  settledBy,
  type Verdict,
  type Waiting,
} from './outbox.ts'
import { channelOf, checkSchema, OUTBOX_FORMAT, postgresOutboxSql } from './postgres-tables.ts'

export { postgresOutboxSql } from './postgres-tables.ts'

/** How a relay uses the database of an application. */
export interface PostgresOutboxOptions {
  /** Schema of the tables. @default 'crosstown' */
  readonly schema?: string
  /** How often the table is looked at where no notification comes, in milliseconds. @default 1000 */
  readonly pollMs?: number
}

type Numbers = { bigint: number }

const CONNECT_TIMEOUT_S = 10
const CLOSE_TIMEOUT_S = 5
/** One that drains, one that counts. */
const CONNECTIONS = 2
/** After which another relay goes on where one ended, or stands still. */
const LEASE_S = 3
/** Taken while tables are made. */
const SETUP_LOCK = 1_668_442_996
/** PostgreSQL's code for a right that is missing. */
const NO_RIGHT = '42501'

/**
 * The tables `outbox` and `outbox_refused` of a PostgreSQL database (13 or newer), made where they are
 * missing.
 *
 * @param url `postgres://user:password@host:port/database`; `?host=/folder` for a Unix socket
 * @throws {BusError} log_unavailable where the database cannot be reached or its tables not be made,
 *   log_damaged where they are of a newer relay, invalid_options
 * @example
 * const url = 'postgres://relay@db.internal/shop'
 * const relay = createRelay({ store: await postgresStore(url), outbox: await postgresOutbox(url) })
 */
export async function postgresOutbox(
  url: string,
  options: PostgresOutboxOptions = {},
): Promise<Outbox> {
  const { pollMs = 1_000 } = options
  const schema = checkSchema(options.schema ?? 'crosstown')
  if (!(Number.isFinite(pollMs) && pollMs >= 10))
    throw new BusError('invalid_options', 'pollMs is a number of milliseconds, at least 10')
  const sql = connect(url, schema)
  try {
    await prepare(sql, schema)
    return new PostgresOutbox(sql, () => connect(url, schema), { schema, pollMs })
  } catch (error) {
    await sql.end({ timeout: 0 })
    if (isBusError(error)) throw error
    const may = (error as { code?: unknown } | undefined)?.code === NO_RIGHT
    const how = may ? '; its owner can: crosstown-relay outbox --print-sql' : ''
    throw new BusError('log_unavailable', `cannot use the PostgreSQL outbox: ${why(error)}${how}`, {
      cause: error,
    })
  }
}

function connect(url: string, schema: string): Sql<Numbers> {
  try {
    // As libpq has it: the folder of a Unix socket.
    const parsed = new URL(url)
    const host = parsed.searchParams.get('host')
    parsed.searchParams.delete('host')
    return postgres(parsed.href, {
      ...(host !== null && { host }),
      max: CONNECTIONS,
      connect_timeout: CONNECT_TIMEOUT_S,
      // Where a connection ends while it reads them, nobody can catch that; no array is given to it.
      fetch_types: false,
      onnotice: () => {},
      // Numbers of rows are far below 2 ** 53.
      types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
      connection: {
        application_name: 'crosstown-outbox',
        search_path: schema,
      },
    })
  } catch (cause) {
    throw new BusError('invalid_options', 'the URL of the outbox is no postgres:// URL', { cause })
  }
}

async function prepare(sql: Sql<Numbers>, schema: string): Promise<void> {
  const [made] = await sql`SELECT to_regclass(${`${schema}.outbox_refused`}) IS NOT NULL AS all`
  if (!made?.['all']) {
    // Several statements of one text are one transaction.
    const alone = `SELECT pg_advisory_xact_lock(${SETUP_LOCK});`
    await sql.unsafe(`${alone} ${postgresOutboxSql(schema)}`).simple()
  }
  const [format] = await sql<{ version: number }[]>`SELECT version FROM outbox_format`
  if (format?.version !== OUTBOX_FORMAT) {
    const what = `its tables have format ${format?.version}, and this relay knows ${OUTBOX_FORMAT}`
    throw new BusError('log_damaged', `${what}: use the relay that made them, or another schema`)
  }
}

class PostgresOutbox implements Outbox {
  readonly engine = 'postgres'
  readonly pollMs: number
  readonly #connect: () => Sql<Numbers>
  readonly #schema: string
  readonly #holder: string = randomUUID()
  #sql: Sql<Numbers>
  #heard: (() => void) | undefined
  /** Whether the driver listens, or tries to. Once it does it comes back by itself. */
  #listens = false
  #closing: Promise<void> | undefined

  constructor(
    sql: Sql<Numbers>,
    connect: () => Sql<Numbers>,
    { pollMs, schema }: Required<PostgresOutboxOptions>,
  ) {
    this.#sql = sql
    this.#connect = connect
    this.#schema = schema
    this.pollMs = pollMs
  }

  async step(
    limit: ReadLimit,
    waiting: readonly string[],
    publish: (rows: readonly OutboxRow[]) => Promise<readonly Verdict[]>,
  ): Promise<Step> {
    if (this.#heard && !this.#listens) this.#listen(this.#heard)
    const rows = await this.#tried('read', (sql) => this.#oldest(sql, limit, waiting))
    if (rows.length === 0) return { settled: 0, more: false }
    const { gone, refused } = settledBy(rows, await publish(rows))
    const settled = gone.length + refused.length
    if (settled > 0) await this.#tried('write', (sql) => remove(sql, gone, refused))
    // Those of rooms that wait are left out of the next look.
    return { settled, more: true }
  }

  /**
   * The oldest rows, where this relay has the lease, or can have it: it is renewed when half of it is
   * over. Data that no event can have is not read.
   */
  async #oldest(
    sql: Sql<Numbers>,
    limit: ReadLimit,
    waiting: readonly string[],
  ): Promise<readonly OutboxRow[]> {
    return sql<OutboxRow[]>`
      WITH oldest AS MATERIALIZED (
        SELECT *, coalesce(octet_length(data::text), 0) + coalesce(octet_length(value), 0) AS bytes
        FROM outbox WHERE room NOT IN (SELECT json_array_elements_text(${sql.json(waiting)}::json))
        ORDER BY seq LIMIT ${limit.events}
      ), taken AS (
        UPDATE outbox_lease
        SET holder = ${this.#holder}, until = clock_timestamp() + ${LEASE_S} * interval '1 second'
        WHERE EXISTS (SELECT 1 FROM oldest) AND (until < clock_timestamp()
          OR holder = ${this.#holder} AND until < clock_timestamp() + ${LEASE_S / 2} * interval '1 second')
        RETURNING 1
      ), held AS (
        SELECT 1 FROM taken
        UNION ALL SELECT 1 FROM outbox_lease WHERE holder = ${this.#holder} AND until >= clock_timestamp()
      )
      SELECT seq, id, room, type, source, stream, version, traceparent, bytes,
        CASE WHEN bytes <= ${MAX_EVENT_BYTES} THEN data::text END AS data,
        CASE WHEN bytes <= ${MAX_EVENT_BYTES} THEN value END AS value,
        expected_revision AS "expectedRevision", correlation_id AS "correlationId",
        causation_id AS "causationId", metadata::text AS metadata,
        extract(epoch FROM created_at)::double precision * 1000 AS "createdAt"
      FROM (
        SELECT *, row_number() OVER so_far AS number, sum(bytes) OVER so_far AS all_bytes
        FROM oldest WINDOW so_far AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)
      ) AS measured
      WHERE (number = 1 OR all_bytes <= ${limit.bytes}) AND EXISTS (SELECT 1 FROM held)
      ORDER BY seq`
  }

  waiting(): Promise<Waiting> {
    return this.#tried('read', async (sql) => {
      const [row] = await sql<{ rows: number; oldest: number | null }[]>`
        SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT ${MOST_COUNTED}) AS counted) AS rows,
          (SELECT extract(epoch FROM created_at)::double precision * 1000
           FROM outbox ORDER BY seq LIMIT 1) AS oldest`
      const { rows = 0, oldest = null } = row ?? {}
      return { rows, ...(oldest !== null && { oldest }) }
    })
  }

  listen(heard: () => void): void {
    this.#heard = heard
    this.#listen(heard)
  }

  #listen(heard: () => void): void {
    const sql = this.#sql
    this.#listens = true
    sql.listen(channelOf(this.#schema), heard, heard).catch(() => {
      // The table is looked at all the same, and this is tried again then.
      if (sql === this.#sql) this.#listens = false
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // Another one need not wait for the lease to end.
    await this
      .#sql`UPDATE outbox_lease SET until = '-infinity' WHERE holder = ${this.#holder}`.catch(
      () => {},
    )
    await this.#sql.end({ timeout: CLOSE_TIMEOUT_S })
  }

  /** The driver may have left a connection that was lost in a state in which it never writes again. */
  #renew(): void {
    if (this.#closing) return
    const lost = this.#sql
    this.#sql = this.#connect()
    void lost.end({ timeout: 0 }).catch(() => {})
    if (this.#heard) this.#listen(this.#heard)
  }

  async #tried<T>(what: string, run: (sql: Sql<Numbers>) => Promise<T>): Promise<T> {
    if (this.#closing) throw new BusError('unavailable', 'the outbox is closed')
    const sql = this.#sql
    try {
      return await run(sql)
    } catch (cause) {
      if (isOfConnection(cause) && sql === this.#sql) this.#renew()
      throw new BusError('unavailable', `PostgreSQL cannot ${what} the outbox: ${why(cause)}`, {
        cause,
      })
    }
  }
}

/** Removes rows, and keeps those that were refused where they can be looked at. */
async function remove(
  sql: Sql<Numbers>,
  gone: readonly number[],
  refused: readonly RefusedRow[],
): Promise<void> {
  const seqs = sql`SELECT json_array_elements_text(${sql.json(gone)}::json)::bigint`
  if (refused.length === 0) {
    await sql`DELETE FROM outbox WHERE seq IN (${seqs})`
    return
  }
  await sql`
    WITH given AS (
      SELECT * FROM json_to_recordset(${sql.json(refused as never)}::json)
        AS given (seq bigint, code text, message text)
    ), taken AS (
      DELETE FROM outbox WHERE seq IN (${seqs})
    ), lost AS (
      DELETE FROM outbox USING given WHERE outbox.seq = given.seq RETURNING outbox.*
    ), kept AS (
      INSERT INTO outbox_refused (seq, id, room, type, data, value, stream, expected_revision,
        correlation_id, causation_id, traceparent, metadata, source, version, created_at, code, message)
      SELECT lost.seq, id, room, type, data, value, stream, expected_revision,
        correlation_id, causation_id, traceparent, metadata, source, version, created_at, code, message
      FROM lost JOIN given USING (seq)
    )
    DELETE FROM outbox_refused WHERE seq <= (
      SELECT seq FROM outbox_refused ORDER BY seq DESC LIMIT 1 OFFSET ${MOST_REFUSED})`
}

/** Whether it is not an answer to what was asked: the server is ending, or there was none. */
function isOfConnection(error: unknown): boolean {
  const { code, name } = error as { code?: unknown; name?: unknown }
  return name !== 'PostgresError' || /^(08|57P)/.test(String(code))
}

/** What the driver says of an error never has the password in it; its query and parameters do stay out. */
function why(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error)
}
