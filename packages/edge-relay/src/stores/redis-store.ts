/** What a relay asks of Redis, room by room. */
import { parseId } from '@crosstown/bus/protocol'
import {
  lastPlace,
  type Mark,
  type RoomFirst,
  type RoomHead,
  type RoomRecord,
  UNTRIMMED,
} from '../record.ts'
import { sizeOf } from './engine/cut.ts'
import { EngineStore } from './engine/engine-store.ts'
import type { EngineLink } from './engine/link.ts'
import { pairsOf, rowOf } from './record-rows.ts'
import type { RedisClient } from './redis-client.ts'
import { headOf, isRoom, keyOf, markOf, padded, rangesOf, recordIn, roomIn } from './redis-rows.ts'
import { trimStep } from './redis-trim.ts'
import {
  type Append,
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

/** Records read at a time. */
const PAGE = 200

export class RedisStore extends EngineStore<RedisClient> implements Store {
  readonly #prefix: string

  constructor(link: EngineLink<RedisClient>, prefix: string) {
    super(link)
    this.#prefix = prefix
  }

  load(room: string): Promise<LoadedRoom | undefined> {
    return this.call('load', async ({ client }) => {
      // In one go: state and head belong together.
      const [found, state] = await client
        .multi()
        .hGetAll(this.#key('room', room))
        .hGetAll(this.#key('state', room))
        .execTyped()
      if (!isRoom(found)) return undefined
      return { head: headOf(found), state: Object.entries(state) }
    })
  }

  state(room: string, keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return this.call('read', ({ client }) =>
      Promise.all(
        keys.map(async (key) => {
          const kind = isOnDemand(key) ? 'more-state' : 'state'
          return (await client.hGet(this.#key(kind, room), key)) ?? undefined
        }),
      ),
    )
  }

  head(room: string): Promise<RoomHead | undefined> {
    return this.call('read', async ({ client }) => {
      const found = await roomIn(client, this.#prefix, room)
      return found && headOf(found)
    })
  }

  append(room: string, { expected, head, records, state }: Append): Promise<boolean> {
    const puts = state.filter(([key]) => !isOnDemand(key))
    const more = state.filter(([key]) => isOnDemand(key))
    const { events, bytes } = sizeOf(records)
    const args = [
      ...[this.#prefix, room, expected.epoch, expected.version, head.version, head.place],
      ...[head.check, head.chain, head.time],
      ...[events, bytes, records.length, puts.length, more.length],
    ].map(String)
    for (const record of records) {
      const pairs = pairsOf(record).map(({ prefix, counter }) => `${prefix}\n${counter}`)
      args.push(String(record.place), String(record.time), JSON.stringify(rowOf(record)))
      args.push(pairs.join('\n'))
    }
    for (const [key, value] of [...puts, ...more]) args.push(key, value)
    return this.call('append', async ({ client }) => (await client.put(args)) === 1)
  }

  read(room: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]> {
    return this.call('read', async ({ client }) => {
      const found: RoomRecord[] = []
      let events = 0
      let bytes = 0
      const fits = (record: RoomRecord): boolean => {
        const last = found.at(-1)
        // What lay between was trimmed since the page before: who reads on is to see where it begins now.
        if (last && record.place !== lastPlace(last) + 1) return false
        events += record.count
        bytes += record.bytes
        if (found.length > 0 && (events > limit.events || bytes > limit.bytes)) return false
        found.push(record)
        return true
      }
      const log = this.#key('log', room)
      const count = Math.min(PAGE, limit.events)
      const [before, first] = await Promise.all([
        client.xRevRange(log, `${after}-0`, '-', { COUNT: 1 }),
        client.xRange(log, `${after + 1}-0`, '+', { COUNT: count }),
      ])
      const covering = (before ?? []).map(recordIn).filter((record) => lastPlace(record) > after)
      if (!covering.every(fits)) return found
      for (let page = first ?? []; page.length > 0; ) {
        const records = page.map(recordIn)
        if (!records.every(fits)) return found
        const end = lastPlace(records.at(-1) as RoomRecord)
        page = (await client.xRange(log, `${end + 1}-0`, '+', { COUNT: PAGE })) ?? []
      }
      return found
    })
  }

  first(room: string): Promise<RoomFirst> {
    return this.call('read', async ({ client }) => {
      const text = await client.hGet(this.#key('room', room), 'first')
      return text ? markOf(text) : UNTRIMMED
    })
  }

  trimmedAt(room: string, place: number): Promise<Mark | undefined> {
    return this.call('read', async ({ client }) => {
      const [text] = await client.zRange(this.#key('marks', room), place, '-inf', {
        BY: 'SCORE',
        REV: true,
        LIMIT: { offset: 0, count: 1 },
      })
      return text === undefined ? undefined : markOf(text)
    })
  }

  find(room: string, id: string): Promise<Found | undefined> {
    const [prefix, counter] = parseId(id)
    return this.call('read', async ({ client }) => {
      const from = `[${prefix}\0${padded(counter)}`
      const members = await client.zRange(this.#key('ids', room), from, `(${prefix}\x01`, {
        BY: 'LEX',
        LIMIT: { offset: 0, count: FIND_CANDIDATES },
      })
      for (const member of members) {
        const place = Number(member.slice(member.lastIndexOf('\0') + 1))
        const [entry] =
          (await client.xRange(this.#key('log', room), `${place}-0`, `${place}-0`)) ?? []
        if (!entry) continue
        const record = recordIn(entry)
        const index = record.headers.findIndex((header) => header.id === id)
        if (index >= 0) return { record, index }
      }
      return undefined
    })
  }

  wasTrimmed(room: string, id: string): Promise<boolean> {
    const [prefix, counter] = parseId(id)
    return this.call('read', async ({ client }) => {
      const ranges = rangesOf(await client.hGet(this.#key('gone', room), prefix))
      return ranges.some(([first, last]) => first <= counter && counter <= last)
    })
  }

  findByTime(room: string, time: number): Promise<number | undefined> {
    return this.call('read', async ({ client }) => {
      const [place] = await client.zRange(this.#key('times', room), time, '+inf', {
        BY: 'SCORE',
        LIMIT: { offset: 0, count: 1 },
      })
      return place === undefined ? undefined : Number(place)
    })
  }

  stats(room: string): Promise<RoomStats | undefined> {
    return this.call('read', async ({ client }) => {
      const [found, keys] = await Promise.all([
        roomIn(client, this.#prefix, room),
        client.hKeys(this.#key('state', room)),
      ])
      if (!found) return undefined
      return {
        head: headOf(found),
        events: Number(found.events),
        bytes: Number(found.bytes),
        devices: keys.filter((key) => key.startsWith(DEVICE_KEY)).length,
      }
    })
  }

  trim(room: string, keep: Keep, step: ReadLimit): Promise<boolean> {
    return this.call('trim', ({ client }) => trimStep(client, this.#prefix, room, keep, step))
  }

  delete(room: string): Promise<boolean> {
    return this.call(
      'delete',
      async ({ client }) => (await client.drop([this.#prefix, room])) === 1,
    )
  }

  wasDeleted(room: string, epoch: string): Promise<boolean> {
    return this.call('read', async ({ client }) => {
      const [logs, count] = await Promise.all([
        client.lRange(this.#key('deleted', room), 0, -1),
        client.get(`${this.#prefix}deletions`),
      ])
      return logs.some((text) => {
        const [deleted, number] = JSON.parse(text) as [string, number]
        return deleted === epoch && number > Number(count) - DELETED_LOGS
      })
    })
  }

  async purge(): Promise<boolean> {
    return false
  }

  rooms(after: string, limit: number): Promise<readonly string[]> {
    return this.call('read', ({ client }) =>
      client.zRange(`${this.#prefix}rooms`, after === '' ? '-' : `(${after}`, '+', {
        BY: 'LEX',
        LIMIT: { offset: 0, count: limit },
      }),
    )
  }

  #key(kind: string, room: string): string {
    return keyOf(this.#prefix, kind, room)
  }
}

function isOnDemand(key: string): boolean {
  return ON_DEMAND.some((kind) => key.startsWith(kind))
}
