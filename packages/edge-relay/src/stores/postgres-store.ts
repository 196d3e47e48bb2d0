/** What a relay asks of a PostgreSQL database, room by room. */
import { parseId } from '@crosstown/bus/protocol'
import type { Mark, RoomFirst, RoomHead, RoomRecord } from '../record.ts'
import { sizeOf } from './engine/cut.ts'
import { EngineStore } from './engine/engine-store.ts'
import type { PostgresClient } from './postgres-client.ts'
import { type RoomRow, trimStep } from './postgres-trim.ts'
import { pairsOf, type RecordRow, recordOf, rowOf } from './record-rows.ts'
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
} from './store.ts'

/** The tables that have rows of a room, and what names one of these rows. */
const ROWS_OF_ROOMS = ['records', 'ids', 'state', 'trimmed_ids', 'trimmed_marks'] as const

export class PostgresStore extends EngineStore<PostgresClient> implements Store {
  load(room: string): Promise<LoadedRoom | undefined> {
    return this.call('load', async ({ sql }) => {
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
    return this.call('read', async ({ sql }) => {
      const rows = await sql<{ key: string; value: string }[]>`
        SELECT key, value FROM state WHERE room = (SELECT id FROM rooms WHERE name = ${room})
          AND key = ANY (${keys as string[]})`
      const values = new Map(rows.map(({ key, value }) => [key, value]))
      return keys.map((key) => values.get(key))
    })
  }

  head(room: string): Promise<RoomHead | undefined> {
    return this.call('read', async ({ sql }) => {
      const [row] = await sql<RoomRow[]>`SELECT * FROM rooms WHERE name = ${room}`
      return row && headOf(row)
    })
  }

  append(room: string, append: Append): Promise<boolean> {
    const { expected, head, records, settles, state } = append
    const rows = records.map(rowOf)
    const pairs = records.flatMap(pairsOf)
    const all = [...new Map(state)].map(([key, value]) => ({ key, value }))
    const puts = all.filter(({ value }) => value !== '')
    const removed = all.filter(({ value }) => value === '').map(({ key }) => key)
    const { events, bytes } = sizeOf(records)
    return this.call('append', async ({ sql }) => {
      const { version, place, check, chain, time } = head
      const seqs = sql`SELECT json_array_elements_text(${sql.json(settles ?? [])}::json)::bigint`
      // What another relay drained meanwhile is not to be published again.
      const allThere = settles
        ? sql`(SELECT count(*) FROM outbox WHERE seq IN (${seqs})) = ${settles.length}`
        : sql`true`
      const moved =
        expected.version === 0
          ? sql`INSERT INTO rooms (name, epoch, version, place, "check", chain, time, events, bytes)
              SELECT ${room}, ${expected.epoch}, ${version}::bigint, ${place}::bigint, ${check}, ${chain},
                ${time}::double precision, ${events}::bigint, ${bytes}::bigint
              WHERE ${allThere}
              ON CONFLICT (name) DO NOTHING RETURNING id`
          : sql`UPDATE rooms SET version = ${version}, place = ${place}, "check" = ${check},
                chain = ${chain}, time = ${time}, events = events + ${events}, bytes = bytes + ${bytes}
              WHERE name = ${room} AND epoch = ${expected.epoch} AND version = ${expected.version}
                AND ${allThere}
              RETURNING id`
      const settled = settles
        ? sql`, settled AS (DELETE FROM outbox USING moved WHERE seq IN (${seqs}))`
        : sql``
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
        ) ${settled}
        SELECT id FROM moved`
      return written.length > 0
    })
  }

  read(room: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]> {
    return this.call('read', async ({ sql }) => {
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
    return this.call('read', async ({ sql }) => {
      const [row] = await sql<Mark[]>`
        SELECT first_place AS place, first_check AS "check", first_chain AS chain
        FROM rooms WHERE name = ${room}`
      return row ? markOf(row) : { place: 0, check: '0', chain: '' }
    })
  }

  trimmedAt(room: string, place: number): Promise<Mark | undefined> {
    return this.call('read', async ({ sql }) => {
      const [row] = await sql<Mark[]>`
        SELECT place, "check", chain FROM trimmed_marks
        WHERE room = (SELECT id FROM rooms WHERE name = ${room}) AND place <= ${place}
        ORDER BY place DESC LIMIT 1`
      return row && markOf(row)
    })
  }

  find(room: string, id: string): Promise<Found | undefined> {
    const [prefix, counter] = parseId(id)
    return this.call('read', async ({ sql }) => {
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
    return this.call('read', async ({ sql }) => {
      const [row] = await sql<{ last: number }[]>`
        SELECT last FROM trimmed_ids WHERE room = (SELECT id FROM rooms WHERE name = ${room})
          AND prefix = ${prefix} AND first <= ${counter}
        ORDER BY first DESC LIMIT 1`
      return row !== undefined && counter <= row.last
    })
  }

  findByTime(room: string, time: number): Promise<number | undefined> {
    return this.call('read', async ({ sql }) => {
      const [row] = await sql<{ place: number }[]>`
        SELECT place FROM records WHERE room = (SELECT id FROM rooms WHERE name = ${room})
          AND time >= ${time} ORDER BY time, place LIMIT 1`
      return row?.place
    })
  }

  stats(room: string): Promise<RoomStats | undefined> {
    return this.call('read', async ({ sql }) => {
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
    return this.call('trim', ({ sql }) => trimStep(sql, room, keep, step))
  }

  /** Only its name goes at once: without it there is no way to the rest, which `purge` removes. */
  delete(room: string): Promise<boolean> {
    return this.call('delete', async ({ sql }) => {
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
    return this.call('read', async ({ sql }) => {
      const rows = await sql`SELECT 1 FROM deleted WHERE name = ${room} AND epoch = ${epoch}`
      return rows.length > 0
    })
  }

  purge({ events }: ReadLimit): Promise<boolean> {
    return this.call('delete', async ({ sql }) => {
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

  hasOutbox(id: string): Promise<boolean> {
    return this.call('read', async ({ sql }) => {
      const [made] = await sql`SELECT to_regclass('outbox_format') IS NOT NULL AS all`
      if (!made?.['all']) return false
      return (await sql`SELECT 1 FROM outbox_format WHERE id = ${id}`).length > 0
    })
  }

  rooms(after: string, limit: number): Promise<readonly string[]> {
    return this.call('read', async ({ sql }) => {
      const rows = await sql<{ name: string }[]>`
        SELECT name FROM rooms WHERE name > ${after} ORDER BY name LIMIT ${limit}`
      return rows.map(({ name }) => name)
    })
  }
}

function headOf({ epoch, version, time, ...row }: RoomRow): RoomHead {
  return { epoch, version, ...markOf(row), time }
}

function markOf({ place, check, chain }: Mark): Mark {
  return { place, check, chain }
}
