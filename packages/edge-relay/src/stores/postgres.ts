/**
 * Rooms in PostgreSQL, for any number of relays. An append is one statement, which moves the head of
 * its room where that is the expected one and else writes nothing.
 */
import { randomUUID } from 'node:crypto'
import { BusError, type Durability, isBusError, parseId } from '@crosstown/bus/protocol'
import postgres, { type Sql } from 'postgres'
import {
  firstAfter,
  type Mark,
  type RoomFirst,
  type RoomHead,
  type RoomRecord,
  rangesIn,
} from '../record.ts'
import { FORMAT, SETUP_LOCK, tablesIn } from './postgres-tables.ts'
import {
  joinedRanges,
  pairsOf,
  type RecordRow,
  recordOf,
  rowOf,
  type TrimmedRange,
} from './record-rows.ts'
import {
  type Append,
  DELETED_EPOCHS,
  DELETED_LOGS,
  DEVICE_KEY,
  FIND_CANDIDATES,
  type Found,
  type Keep,
  type LoadedRoom,
  ON_DEMAND,
  type ReadLimit,
  type RoomStats,
  type Store,
  TRIMMED_MARKS,
  TRIMMED_RANGES,
} from './store.ts'

/** How a relay uses its database. */
export interface PostgresOptions {
  /** Schema of its tables, made where it is missing: lower case letters, digits, `_`. @default 'crosstown' */
  readonly schema?: string
  /** Connections at most. @default 8 */
  readonly connections?: number
  /**
   * When a commit counts, as PostgreSQL's `synchronous_commit`. With `off` a crash of the server loses
   * the newest commits, confirmed ones included. @default that of the database
   */
  readonly synchronousCommit?: 'on' | 'local' | 'remote_write' | 'remote_apply' | 'off'
}

const CONNECT_TIMEOUT_S = 10
const CLOSE_TIMEOUT_S = 5
const NOTIFIED_BYTES = 7_900
/** Rows of one step of trimming at most, whatever the step is. */
const TRIM_ROWS = 20_000
/** The tables that have rows of a room, and what names one of these rows. */
const ROWS_OF_ROOMS = ['records', 'ids', 'state', 'trimmed_ids', 'trimmed_marks'] as const

interface RoomRow {
  readonly id: number
  readonly epoch: string
  readonly version: number
  readonly place: number
  readonly check: string
  readonly chain: string
  readonly time: number
  readonly events: number
  readonly bytes: number
}

type Numbers = { bigint: number }

/**
 * A store in a PostgreSQL database (13 or newer), whose tables are made where they are missing.
 *
 * @param url `postgres://user:password@host:port/database`; `?host=/folder` for a Unix socket
 * @throws {BusError} log_unavailable where the database cannot be reached or its tables not be made,
 *   log_damaged where they are of a newer relay, invalid_options
 * @example
 * const relay = createRelay({ store: await postgresStore('postgres://relay@db.internal/shop') })
 */
export async function postgresStore(url: string, options: PostgresOptions = {}): Promise<Store> {
  const { schema = 'crosstown', connections = 8, synchronousCommit } = options
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new BusError('invalid_options', 'schema: lower case letters, digits and _, at most 63')
  }
  const sql = connect(url, schema, connections, synchronousCommit)
  try {
    await prepare(sql, schema)
    const [row] = await sql<{ fsync: string; commit: string }[]>`
      SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit`
    const durable = row?.fsync === 'on' && row.commit !== 'off'
    return new PostgresStore(sql, schema, durable ? 'disk' : 'memory')
  } catch (error) {
    await sql.end({ timeout: 0 })
    if (isBusError(error)) throw error
    throw new BusError('log_unavailable', `cannot use the PostgreSQL database: ${why(error)}`, {
      stage: 'log',
      cause: error,
    })
  }
}

function connect(
  url: string,
  schema: string,
  max: number,
  synchronousCommit: PostgresOptions['synchronousCommit'],
): Sql<Numbers> {
  try {
    // As libpq has it: the folder of a Unix socket.
    const parsed = new URL(url)
    const host = parsed.searchParams.get('host')
    parsed.searchParams.delete('host')
    return postgres(parsed.href, {
      ...(host !== null && { host }),
      max,
      connect_timeout: CONNECT_TIMEOUT_S,
      onnotice: () => {},
      // Numbers of places and batches are far below 2 ** 53.
      types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
      connection: {
        application_name: 'crosstown-relay',
        search_path: schema,
        ...(synchronousCommit && { synchronous_commit: synchronousCommit }),
      },
    })
  } catch (cause) {
    throw new BusError('invalid_options', 'the URL of the store is no postgres:// URL', { cause })
  }
}

async function prepare(sql: Sql<Numbers>, schema: string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(${SETUP_LOCK})`
    const [made] = await tx`SELECT to_regclass(${`${schema}.events`}) IS NOT NULL AS all`
    if (!made?.['all']) await tx.unsafe(tablesIn(schema))
    const [format] = await tx<{ version: number }[]>`SELECT version FROM format`
    if (format?.version !== FORMAT) {
      const what = `its tables have format ${format?.version}, and this relay knows ${FORMAT}`
      throw new BusError('log_damaged', `${what}: use the relay that made them, or another schema`)
    }
  })
}

class PostgresStore implements Store {
  readonly engine = 'postgres'
  readonly durability: Durability
  readonly #sql: Sql<Numbers>
  /** Also the channel on which its users notify each other. */
  readonly #schema: string
  readonly #node: string = randomUUID()
  readonly #running = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(sql: Sql<Numbers>, schema: string, durability: Durability) {
    this.#sql = sql
    this.#schema = schema
    this.durability = durability
  }

  load(room: string): Promise<LoadedRoom | undefined> {
    return this.#tried('load', async (sql) => {
      // One statement, and so one snapshot: state and head belong together.
      const rows = await sql<(RoomRow & { key: string | null; value: string })[]>`
        SELECT rooms.*, state.key, state.value FROM rooms
        LEFT JOIN state ON state.room = rooms.id AND NOT EXISTS (
          SELECT 1 FROM unnest(${ON_DEMAND as string[]}::text[]) AS kind WHERE starts_with(state.key, kind))
        WHERE name = ${room}`
      const [row] = rows
      if (!row) return undefined
      const state = rows.flatMap(({ key, value }) => (key === null ? [] : [[key, value] as const]))
      return { head: headOf(row), state }
    })
  }

  state(room: string, keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return this.#tried('read', async (sql) => {
      const rows = await sql<{ key: string; value: string }[]>`
        SELECT key, value FROM state WHERE room = (SELECT id FROM rooms WHERE name = ${room})
          AND key = ANY (${keys as string[]})`
      const values = new Map(rows.map(({ key, value }) => [key, value]))
      return keys.map((key) => values.get(key))
    })
  }

  head(room: string): Promise<RoomHead | undefined> {
    return this.#tried('read', async (sql) => {
      const [row] = await sql<RoomRow[]>`SELECT * FROM rooms WHERE name = ${room}`
      return row && headOf(row)
    })
  }

  append(room: string, { expected, head, records, state }: Append): Promise<boolean> {
    const rows = records.map(rowOf)
    const pairs = records.flatMap(pairsOf)
    const all = [...new Map(state)].map(([key, value]) => ({ key, value }))
    const puts = all.filter(({ value }) => value !== '')
    const removed = all.filter(({ value }) => value === '').map(({ key }) => key)
    const events = records.reduce((sum, { headers }) => sum + headers.length, 0)
    const bytes = records.reduce((sum, record) => sum + record.bytes, 0)
    return this.#tried('append', async (sql) => {
      const { version, place, check, chain, time } = head
      const moved =
        expected.version === 0
          ? sql`INSERT INTO rooms (name, epoch, version, place, "check", chain, time, events, bytes)
              VALUES (${room}, ${expected.epoch}, ${version}, ${place}, ${check}, ${chain}, ${time},
                ${events}, ${bytes})
              ON CONFLICT (name) DO NOTHING RETURNING id`
          : sql`UPDATE rooms SET version = ${version}, place = ${place}, "check" = ${check},
                chain = ${chain}, time = ${time}, events = events + ${events}, bytes = bytes + ${bytes}
              WHERE name = ${room} AND epoch = ${expected.epoch} AND version = ${expected.version}
              RETURNING id`
      const written = await sql`
        WITH moved AS (${moved}), put_records AS (
          INSERT INTO records SELECT moved.id, given.*
          FROM moved, json_to_recordset(${sql.json(rows as never)}::json) AS given (
            place bigint, count integer, time double precision, bytes integer, device text,
            batch bigint, last_id text, indexes text, refused text, earlier text, headers text,
            data text, before text, chain text)
        ), put_ids AS (
          INSERT INTO ids SELECT moved.id, given.*
          FROM moved, json_to_recordset(${sql.json(pairs)}::json)
            AS given (prefix text, counter bigint, place bigint)
        ), put_state AS (
          INSERT INTO state SELECT moved.id, given.*
          FROM moved, json_to_recordset(${sql.json(puts)}::json) AS given (key text, value text)
          ON CONFLICT (room, key) DO UPDATE SET value = excluded.value
        ), removed AS (
          DELETE FROM state USING moved WHERE room = moved.id AND key = ANY (${removed}::text[])
        )
        SELECT id FROM moved`
      return written.length > 0
    })
  }

  read(room: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]> {
    return this.#tried('read', async (sql) => {
      const rows = await sql<RecordRow[]>`
        WITH room AS (SELECT id FROM rooms WHERE name = ${room}),
        start AS (
          SELECT place FROM records WHERE room = (SELECT id FROM room)
            AND place <= ${after + 1} AND place + count > ${after + 1}
          ORDER BY place DESC LIMIT 1
        )
        SELECT * FROM (
          SELECT records.*, row_number() OVER so_far AS number,
            sum(count) OVER so_far AS all_events, sum(bytes) OVER so_far AS all_bytes
          FROM records WHERE room = (SELECT id FROM room)
            AND place >= coalesce((SELECT place FROM start), ${after + 1})
          WINDOW so_far AS (ORDER BY place ROWS UNBOUNDED PRECEDING)
          ORDER BY place LIMIT ${limit.events}
        ) AS found
        WHERE number = 1 OR (all_events <= ${limit.events} AND all_bytes <= ${limit.bytes})
        ORDER BY place`
      return rows.map(recordOf)
    })
  }

  first(room: string): Promise<RoomFirst> {
    return this.#tried('read', async (sql) => {
      const [row] = await sql<Mark[]>`
        SELECT first_place AS place, first_check AS "check", first_chain AS chain
        FROM rooms WHERE name = ${room}`
      return row ? markOf(row) : { place: 0, check: '0', chain: '' }
    })
  }

  trimmedAt(room: string, place: number): Promise<Mark | undefined> {
    return this.#tried('read', async (sql) => {
      const [row] = await sql<Mark[]>`
        SELECT place, "check", chain FROM trimmed_marks
        WHERE room = (SELECT id FROM rooms WHERE name = ${room}) AND place <= ${place}
        ORDER BY place DESC LIMIT 1`
      return row && markOf(row)
    })
  }

  find(room: string, id: string): Promise<Found | undefined> {
    const [prefix, counter] = parseId(id)
    return this.#tried('read', async (sql) => {
      const rows = await sql<RecordRow[]>`
        SELECT records.* FROM ids JOIN records USING (room, place)
        WHERE room = (SELECT id FROM rooms WHERE name = ${room})
          AND prefix = ${prefix} AND counter >= ${counter}
        ORDER BY counter, place LIMIT ${FIND_CANDIDATES}`
      for (const row of rows) {
        const record = recordOf(row)
        const index = record.headers.findIndex((header) => header.id === id)
        if (index >= 0) return { record, index }
      }
      return undefined
    })
  }

  wasTrimmed(room: string, id: string): Promise<boolean> {
    const [prefix, counter] = parseId(id)
    return this.#tried('read', async (sql) => {
      const [row] = await sql<{ last: number }[]>`
        SELECT last FROM trimmed_ids WHERE room = (SELECT id FROM rooms WHERE name = ${room})
          AND prefix = ${prefix} AND first <= ${counter}
        ORDER BY first DESC LIMIT 1`
      return row !== undefined && counter <= row.last
    })
  }

  findByTime(room: string, time: number): Promise<number | undefined> {
    return this.#tried('read', async (sql) => {
      const [row] = await sql<{ place: number }[]>`
        SELECT place FROM records WHERE room = (SELECT id FROM rooms WHERE name = ${room})
          AND time >= ${time} ORDER BY time, place LIMIT 1`
      return row?.place
    })
  }

  stats(room: string): Promise<RoomStats | undefined> {
    return this.#tried('read', async (sql) => {
      const [row] = await sql<(RoomRow & { devices: number })[]>`
        SELECT *, (SELECT count(*) FROM state
          WHERE room = rooms.id AND starts_with(key, ${DEVICE_KEY})) AS devices
        FROM rooms WHERE name = ${room}`
      if (!row) return undefined
      const { events, bytes, devices } = row
      return { head: headOf(row), events, bytes, devices }
    })
  }

  trim(room: string, keep: Keep, step: ReadLimit): Promise<boolean> {
    return this.#tried('trim', (sql) =>
      sql.begin(async (tx) => {
        const [row] = await tx<RoomRow[]>`SELECT * FROM rooms WHERE name = ${room} FOR UPDATE`
        return row ? trimStep(tx as unknown as Sql<Numbers>, row, keep, step) : false
      }),
    ) as Promise<boolean>
  }

  /** Only its name goes at once: without it there is no way to the rest, which `purge` removes. */
  delete(room: string): Promise<boolean> {
    return this.#tried('delete', async (sql) => {
      // What it deletes from is the table as it was before: without the one that is noted now.
      const gone = await sql`
        WITH gone AS (
          UPDATE rooms SET name = NULL WHERE name = ${room} RETURNING epoch
        ), noted AS (
          INSERT INTO deleted (name, epoch) SELECT ${room}, epoch FROM gone
          ON CONFLICT DO NOTHING RETURNING number
        ), forgotten AS (
          DELETE FROM deleted USING noted WHERE name = ${room} AND deleted.number NOT IN (
            SELECT number FROM deleted WHERE name = ${room}
            ORDER BY number DESC LIMIT ${DELETED_EPOCHS - 1})
        ), oldest AS (
          DELETE FROM deleted USING noted WHERE deleted.number <= noted.number - ${DELETED_LOGS}
        )
        SELECT epoch FROM gone`
      return gone.length > 0
    })
  }

  wasDeleted(room: string, epoch: string): Promise<boolean> {
    return this.#tried('read', async (sql) => {
      const rows = await sql`SELECT 1 FROM deleted WHERE name = ${room} AND epoch = ${epoch}`
      return rows.length > 0
    })
  }

  purge({ events }: ReadLimit): Promise<boolean> {
    return this.#tried('delete', async (sql) => {
      const [row] = await sql<{ id: number }[]>`SELECT id FROM rooms WHERE name IS NULL LIMIT 1`
      if (!row) return false
      for (const table of ROWS_OF_ROOMS) {
        const gone = await sql`DELETE FROM ${sql(table)} WHERE ctid = ANY (ARRAY (
          SELECT ctid FROM ${sql(table)} WHERE room = ${row.id} LIMIT ${events}))`
        if (gone.count > 0) return true
      }
      await sql`DELETE FROM rooms WHERE id = ${row.id}`
      return true
    })
  }

  rooms(after: string, limit: number): Promise<readonly string[]> {
    return this.#tried('read', async (sql) => {
      const rows = await sql<{ name: string }[]>`
        SELECT name FROM rooms WHERE name > ${after} ORDER BY name LIMIT ${limit}`
      return rows.map(({ name }) => name)
    })
  }

  /** A notification holds less than 8,000 bytes: what is longer is put into a table for a minute. */
  signal(room: string, text: string): void {
    if (this.#closing) return
    const said = [this.#node, room, text].join('\n')
    void this.#tried('notify', (sql) =>
      Buffer.byteLength(said) <= NOTIFIED_BYTES
        ? sql`SELECT pg_notify(${this.#schema}, ${said})`
        : sql`WITH old AS (
            DELETE FROM signals WHERE at < now() - interval '1 minute'
          ), put AS (
            INSERT INTO signals (text) VALUES (${text}) RETURNING id
          )
          SELECT pg_notify(${this.#schema}, ${`${this.#node}\n${room}\n`} || '#' || id) FROM put`,
    ).catch(() => {
      // Whoever did not hear it reads the room when it is asked for it.
    })
  }

  listen(heard: (room: string | undefined, text: string) => void): void {
    const take = async (said: string): Promise<void> => {
      const [node = '', room = '', ...rest] = said.split('\n')
      if (node === this.#node) return
      const text = rest.join('\n')
      if (!text.startsWith('#')) return heard(room, text)
      const id = text.slice(1)
      const rows = await this.#tried(
        'read',
        (sql) => sql<{ text: string }[]>`SELECT text FROM signals WHERE id = ${id}`,
      )
      for (const row of rows) heard(room, row.text)
    }
    const failed = (): void => {
      // The driver listens again as soon as it is connected, and then says so.
    }
    this.#sql
      .listen(
        this.#schema,
        (said) => void take(said).catch(failed),
        () => heard(undefined, ''),
      )
      .catch(failed)
  }

  close(): Promise<void> {
    // The driver would refuse what waits for a connection.
    this.#closing ??= Promise.allSettled(this.#running).then(() =>
      this.#sql.end({ timeout: CLOSE_TIMEOUT_S }),
    )
    return this.#closing
  }

  async #tried<T>(what: string, run: (sql: Sql<Numbers>) => Promise<T>): Promise<T> {
    if (this.#closing) {
      throw new BusError('unavailable', 'the store is closed', { stage: 'log' })
    }
    const running = run(this.#sql)
    this.#running.add(running)
    try {
      return await running
    } catch (cause) {
      if (isBusError(cause)) throw cause
      const message = `PostgreSQL cannot ${what}: ${why(cause)}`
      throw new BusError('unavailable', message, { stage: 'log', cause })
    } finally {
      this.#running.delete(running)
    }
  }
}

/** Removes the oldest records inside the open transaction; whether the room is still over `keep`. */
async function trimStep(
  tx: Sql<Numbers>,
  room: RoomRow,
  keep: Keep,
  step: ReadLimit,
): Promise<boolean> {
  const { id } = room
  // What is over a limit is so up to some record, and the step ends somewhere: the first of the two.
  const rows = await tx<(RecordRow & { over: boolean; within: boolean })[]>`
    SELECT place, count, time, bytes, device, batch, last_id, indexes, refused, earlier, headers,
      '' AS data, before, chain,
      (${room.events} - events_before > ${keep.events} OR ${room.bytes} - bytes_before > ${keep.bytes}
        OR time < ${keep.since}) AS over,
      (number = 1 OR (events_before < ${step.events} AND bytes_before < ${step.bytes})) AS within
    FROM (
      SELECT *, row_number() OVER so_far AS number,
        sum(events) OVER so_far - events AS events_before, sum(bytes) OVER so_far - bytes AS bytes_before
      FROM (
        SELECT *, CASE WHEN headers = '' THEN 0 ELSE count END AS events
        FROM records WHERE room = ${id} ORDER BY place LIMIT ${TRIM_ROWS + 1}
      ) AS oldest WINDOW so_far AS (ORDER BY place ROWS UNBOUNDED PRECEDING)
    ) AS summed ORDER BY place`
  const most = rows.slice(0, TRIM_ROWS)
  const kept = most.findIndex(({ over, within }) => !over || !within)
  const gone = (kept < 0 ? most : most.slice(0, kept)).map(recordOf)
  const newest = gone.at(-1)
  if (!newest) return false
  const pairs = gone.flatMap(pairsOf)
  const marks = gone.map(firstAfter)
  const ranges = gone.flatMap((record) =>
    rangesIn(record).map((range) => ({ ...range, place: record.place })),
  )
  const first = marks.at(-1) as Mark
  const events = gone.reduce((sum, { headers }) => sum + headers.length, 0)
  const bytes = gone.reduce((sum, record) => sum + record.bytes, 0)
  await tx`INSERT INTO trimmed_marks SELECT id, first_place, first_check, first_chain
    FROM rooms WHERE id = ${id} ON CONFLICT DO NOTHING`
  await tx`INSERT INTO trimmed_marks SELECT ${id}, given.*
    FROM json_to_recordset(${tx.json(marks as never)}::json) AS given (place bigint, "check" text, chain text)
    ON CONFLICT DO NOTHING`
  await tx`DELETE FROM ids USING json_to_recordset(${tx.json(pairs)}::json)
      AS given (prefix text, counter bigint, place bigint)
    WHERE ids.room = ${id} AND ids.prefix = given.prefix AND ids.counter = given.counter
      AND ids.place = given.place`
  await tx`DELETE FROM records WHERE room = ${id} AND place <= ${newest.place}`
  await noteTrimmed(tx, id, ranges)
  await tx`UPDATE rooms SET events = events - ${events}, bytes = bytes - ${bytes},
    first_place = ${first.place}, first_check = ${first.check}, first_chain = ${first.chain}
    WHERE id = ${id}`
  await tx`DELETE FROM trimmed_marks WHERE room = ${id} AND place <= (
    SELECT place FROM trimmed_marks WHERE room = ${id}
    ORDER BY place DESC LIMIT 1 OFFSET ${TRIMMED_MARKS})`
  const next = rows[gone.length]
  return next?.over === true
}

async function noteTrimmed(
  tx: Sql<Numbers>,
  room: number,
  ranges: readonly TrimmedRange[],
): Promise<void> {
  if (ranges.length === 0) return
  const prefixes = [...new Set(ranges.map(({ prefix }) => prefix))]
  const known = await tx<TrimmedRange[]>`
    DELETE FROM trimmed_ids WHERE room = ${room} AND prefix = ANY (${prefixes})
    RETURNING prefix, first, last, place`
  const joined = joinedRanges([...known, ...ranges])
  await tx`INSERT INTO trimmed_ids SELECT ${room}, given.*
    FROM json_to_recordset(${tx.json(joined as never)}::json)
      AS given (prefix text, first bigint, last bigint, place bigint)`
  await tx`DELETE FROM trimmed_ids WHERE room = ${room} AND (prefix, first) IN (
    SELECT prefix, first FROM trimmed_ids WHERE room = ${room}
    ORDER BY place DESC OFFSET ${TRIMMED_RANGES})`
}

function headOf({ epoch, version, time, ...row }: RoomRow): RoomHead {
  return { epoch, version, ...markOf(row), time }
}

function markOf({ place, check, chain }: Mark): Mark {
  return { place, check, chain }
}

/** What the driver says of an error never has the password in it; its query and parameters do stay out. */
function why(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error)
}
