/**
 * The outbox in a SQLite file of an application. The relay is one of the file's users, and a short one:
 * it never waits for the others, and holds no lock while a room is asked.
 */
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BusError, MAX_EVENT_BYTES } from '@crosstown/bus/protocol'
import type { ReadLimit } from '../stores/store.ts'
import {
  MOST_COUNTED,
  MOST_REFUSED,
  type Outbox,
  type OutboxRow,
  type Settled,
  type Step,
  settledBy,
  type Verdict,
  type Waiting,
} from './outbox.ts'
import { OUTBOX_FORMAT, sqliteOutboxSql } from './sqlite-tables.ts'

export { sqliteOutboxSql } from './sqlite-tables.ts'

/** How a relay uses the file of an application. */
export interface SqliteOutboxOptions {
  /** How often it is looked whether somebody wrote to the file, in milliseconds. @default 100 */
  readonly pollMs?: number
}

/** How long opening waits for somebody who writes. */
const OPEN_TIMEOUT_MS = 5_000
/** How long anything else does: meanwhile this process does nothing else. */
const BUSY_TIMEOUT_MS = 10
/** Primary result code of SQLite. */
const SQLITE_BUSY = 5

/** What is kept of a refused row, as in the table. */
const COLUMNS = `seq, id, room, type, data, value, stream, expected_revision, correlation_id,
  causation_id, traceparent, metadata, source, version, created_at`

/** The table that is made last. */
const MADE = `SELECT 1 FROM sqlite_master WHERE name = 'crosstown_outbox_refused'`

const NOTHING: Step = { settled: 0, more: false }

/**
 * The tables `crosstown_outbox` and `crosstown_outbox_refused` of a SQLite file, made where they are
 * missing. It is the file of the application, and not that of a `sqliteStore`, which nobody else can open.
 *
 * @throws {BusError} log_unavailable where the file cannot be read and written, log_damaged where its
 *   tables are of a newer relay, invalid_options
 * @example
 * const relay = createRelay({ store: sqliteStore('./events.db'), outbox: sqliteOutbox('./app.db') })
 */
export function sqliteOutbox(path: string, options: SqliteOutboxOptions = {}): Outbox {
  const { pollMs = 100 } = options
  if (!(Number.isFinite(pollMs) && pollMs >= 10))
    throw new BusError('invalid_options', 'pollMs is a number of milliseconds, at least 10')
  const file = resolve(path)
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { timeout: OPEN_TIMEOUT_MS })
    // Making them where they are would have to wait for whoever writes.
    if (!database.prepare(MADE).get())
      database.exec(`BEGIN IMMEDIATE; ${sqliteOutboxSql()} COMMIT;`)
    const format = database.prepare('SELECT version FROM crosstown_outbox_format').get()
    if (format?.['version'] !== OUTBOX_FORMAT) {
      const what = `its outbox has format ${format?.['version']}, and this relay knows ${OUTBOX_FORMAT}`
      throw new BusError('log_damaged', `${file}: ${what}`)
    }
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    return new SqliteOutbox(database, pollMs)
  } catch (cause) {
    database?.close()
    if (cause instanceof BusError) throw cause
    const how = 'give the path of a database that this process may read and write'
    throw new BusError(
      'log_unavailable',
      `cannot use the outbox in ${file}: ${why(cause)}; ${how}`,
      {
        cause,
      },
    )
  }
}

class SqliteOutbox implements Outbox {
  readonly engine = 'sqlite'
  readonly pollMs: number
  readonly #database: DatabaseSync
  /** Rows that rooms have answered for and that could not be removed yet. */
  #settled: Settled | undefined
  /** The version of the file in which there was nothing to do. */
  #seen: unknown
  #closed = false

  constructor(database: DatabaseSync, pollMs: number) {
    this.#database = database
    this.pollMs = pollMs
  }

  async step(
    limit: ReadLimit,
    waiting: readonly string[],
    publish: (rows: readonly OutboxRow[]) => Promise<readonly Verdict[]>,
  ): Promise<Step> {
    const rows = this.#tried('read', () => {
      if (this.#settled) this.#remove(this.#settled)
      return this.#oldest(limit, waiting)
    })
    if (!rows || rows.length === 0) return NOTHING
    const verdicts = await publish(rows)
    const settled = settledBy(rows, verdicts)
    this.#settled = settled
    const removed = this.#tried('write', () => {
      this.#remove(settled)
      return true
    })
    return { settled: settled.gone.length + settled.refused.length, more: removed === true }
  }

  async waiting(): Promise<Waiting> {
    const found = this.#tried('read', () =>
      this.#database
        .prepare(
          `SELECT (SELECT count(*) FROM (SELECT 1 FROM crosstown_outbox LIMIT ?)) AS rows,
             (SELECT CAST(created_at AS REAL) FROM crosstown_outbox ORDER BY seq LIMIT 1) AS oldest`,
        )
        .get(MOST_COUNTED),
    )
    if (!found) throw new BusError('unavailable', 'the outbox is being written')
    const oldest = found['oldest'] as number | null
    return { rows: found['rows'] as number, ...(oldest !== null && { oldest }) }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#database.close()
  }

  /**
   * Data that no event can have is not read. Of integers that no number holds one near them is, which no
   * event can have either: as they are, reading them throws, and the rows of all others stay with them.
   */
  #oldest({ bytes, events }: ReadLimit, waiting: readonly string[]): OutboxRow[] {
    const version = this.#database.prepare('PRAGMA data_version').get()?.['data_version']
    if (version === this.#seen) return []
    const rows = this.#database
      .prepare(
        `SELECT seq, id, room, type, source, stream, CAST(version AS REAL) AS version, traceparent, bytes,
           CASE WHEN bytes <= ?1 THEN data END AS data, CASE WHEN bytes <= ?1 THEN value END AS value,
           CAST(expected_revision AS REAL) AS expectedRevision, correlation_id AS correlationId,
           causation_id AS causationId, metadata, CAST(created_at AS REAL) AS createdAt
         FROM (
           SELECT *, row_number() OVER so_far AS number, sum(bytes) OVER so_far AS all_bytes
           FROM (
             SELECT *, coalesce(length(CAST(data AS BLOB)), 0)
               + coalesce(length(CAST(value AS BLOB)), 0) AS bytes
             FROM crosstown_outbox WHERE room NOT IN (SELECT value FROM json_each(?2))
             ORDER BY seq LIMIT ?3
           ) WINDOW so_far AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)
         ) WHERE number = 1 OR all_bytes <= ?4 ORDER BY seq`,
      )
      .all(MAX_EVENT_BYTES, JSON.stringify(waiting), events, bytes)
    if (rows.length === 0 && waiting.length === 0) this.#seen = version
    return rows as unknown as OutboxRow[]
  }

  #remove({ gone, refused }: Settled): void {
    const database = this.#database
    try {
      database.exec('BEGIN IMMEDIATE')
      const keep = database.prepare(
        `INSERT OR IGNORE INTO crosstown_outbox_refused (${COLUMNS}, code, message)
         SELECT ${COLUMNS}, ?, ? FROM crosstown_outbox WHERE seq = ?`,
      )
      for (const { seq, code, message } of refused) keep.run(code, message, seq)
      const all = [...gone, ...refused.map(({ seq }) => seq)]
      database
        .prepare('DELETE FROM crosstown_outbox WHERE seq IN (SELECT value FROM json_each(?))')
        .run(JSON.stringify(all))
      database
        .prepare(
          `DELETE FROM crosstown_outbox_refused WHERE seq <= (SELECT seq
             FROM crosstown_outbox_refused ORDER BY seq DESC LIMIT 1 OFFSET ?)`,
        )
        .run(MOST_REFUSED)
      database.exec('COMMIT')
      this.#settled = undefined
    } catch (error) {
      // A failed COMMIT, or a full disk, may have rolled back by itself.
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }

  /** `undefined` where somebody else is writing. */
  #tried<T>(what: string, run: () => T): T | undefined {
    if (this.#closed) throw new BusError('unavailable', 'the outbox is closed')
    try {
      return run()
    } catch (cause) {
      const code = (cause as { errcode?: unknown } | undefined)?.errcode
      if (typeof code === 'number' && (code & 0xff) === SQLITE_BUSY) return undefined
      throw new BusError('unavailable', `SQLite cannot ${what} the outbox: ${why(cause)}`, {
        cause,
      })
    }
  }
}

function why(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
