/**
 * The outbox in PostgreSQL. One relay at a time drains it, the one that has the lease: the others look
 * again, and take over when it ran out.
 */
import { randomUUID } from 'node:crypto'
import { BusError, MAX_EVENT_BYTES } from '@crosstown/bus/protocol'
import { type EngineOptions, engineLink } from '../stores/engine/engine-store.ts'
import type { EngineLink } from '../stores/engine/link.ts'
import { postgresAddress } from '../stores/postgres-address.ts'
import type { PostgresClient, Sql } from '../stores/postgres-client.ts'
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
import { PostgresOutboxDriver } from './postgres-driver.ts'

export { postgresOutboxSql } from './postgres-tables.ts'

/** How a relay uses the database of an application. */
export interface PostgresOutboxOptions extends EngineOptions {
  /** Schema of the tables. @default 'crosstown' */
  readonly schema?: string
  /** How often the table is looked at where no notification comes, in milliseconds. @default 1000 */
  readonly pollMs?: number
}

/** One that drains, one that counts, one that says it is there. */
const CONNECTIONS = 3
/** After which another relay goes on where one ended, or stands still. */
const LEASE_S = 3

/**
 * The tables `outbox` and `outbox_refused` of a PostgreSQL database (13 or newer), made where they are
 * missing. Where the server cannot be reached it is waited for.
 *
 * @param url as of `postgresStore`
 * @throws {BusError} log_unavailable where the server refuses, or its tables cannot be made,
 *   log_damaged where they are of a newer relay, invalid_options
 * @example
 * const url = 'postgres://relay@db.internal/shop'
 * const relay = createRelay({ store: await postgresStore(url), outbox: await postgresOutbox(url) })
 */
export async function postgresOutbox(
  url: string,
  options: PostgresOutboxOptions = {},
): Promise<Outbox> {
  const { pollMs = 1_000, ...engine } = options
  if (!(Number.isFinite(pollMs) && pollMs >= 10))
    throw new BusError('invalid_options', 'pollMs is a number of milliseconds, at least 10')
  const address = postgresAddress(url, { ...options, connections: CONNECTIONS })
  const { silenceMs } = address
  // Where a connection ends while it reads types, nobody can catch that; and no array is given to it.
  const own = { ...address, options: { ...address.options, fetch_types: false } }
  const driver = new PostgresOutboxDriver(own)
  const link = engineLink(driver, { ...engine, ...(silenceMs !== undefined && { silenceMs }) })
  await link.start()
  return new PostgresOutbox(driver, link, pollMs)
}

class PostgresOutbox implements Outbox {
  readonly engine = 'postgres'
  readonly pollMs: number
  readonly #driver: PostgresOutboxDriver
  readonly #link: EngineLink<PostgresClient>
  readonly #holder: string = randomUUID()

  constructor(driver: PostgresOutboxDriver, link: EngineLink<PostgresClient>, pollMs: number) {
    this.#driver = driver
    this.#link = link
    this.pollMs = pollMs
  }

  get id(): string {
    return this.#driver.id
  }

  async step(
    limit: ReadLimit,
    waiting: readonly string[],
    publish: (rows: readonly OutboxRow[]) => Promise<readonly Verdict[]>,
  ): Promise<Step> {
    const rows = await this.#link.call('read the outbox', ({ sql }) =>
      this.#oldest(sql, limit, waiting),
    )
    if (rows.length === 0) return { settled: 0, more: false }
    const { gone, refused } = settledBy(rows, await publish(rows))
    const settled = gone.length + refused.length
    if (settled > 0)
      await this.#link.call('write the outbox', ({ sql }) => remove(sql, gone, refused))
    // Those of rooms that wait are left out of the next look.
    return { settled, more: true }
  }

  /**
   * The oldest rows, where this relay has the lease, or can have it: it is renewed when half of it is
   * over. Data that no event can have is not read.
   */
  async #oldest(
    sql: Sql,
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
    return this.#link.call('read the outbox', async ({ sql }) => {
      const [row] = await sql<{ rows: number; oldest: number | null }[]>`
        SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT ${MOST_COUNTED}) AS counted) AS rows,
          (SELECT extract(epoch FROM created_at)::double precision * 1000
           FROM outbox ORDER BY seq LIMIT 1) AS oldest`
      const { rows = 0, oldest = null } = row ?? {}
      return { rows, ...(oldest !== null && { oldest }) }
    })
  }

  listen(heard: () => void): void {
    this.#link.listen(heard)
  }

  async close(): Promise<void> {
    // Another one need not wait for the lease to end.
    const release = async ({ sql }: PostgresClient): Promise<unknown> =>
      sql`UPDATE outbox_lease SET until = '-infinity' WHERE holder = ${this.#holder}`
    await this.#link.call('write the outbox', release).catch(() => {})
    await this.#link.close()
  }
}

/** Removes rows, and keeps those that were refused where they can be looked at. */
async function remove(
  sql: Sql,
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
