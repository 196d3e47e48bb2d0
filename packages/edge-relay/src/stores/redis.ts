/**
 * Rooms in Redis, for any number of relays: the records of a room are a Redis Stream, and an append is
 * one script.
 */
import { randomUUID } from 'node:crypto'
import { BusError, type Durability, isBusError, parseId } from '@crosstown/bus/protocol'
import { createClient, defineScript } from 'redis'
import {
  firstAfter,
  lastPlace,
  type Mark,
  type RoomFirst,
  type RoomHead,
  type RoomRecord,
  rangesIn,
  UNTRIMMED,
} from '../record.ts'
import {
  joinedRanges,
  pairsOf,
  type RecordRow,
  recordOf,
  rowOf,
  type TrimmedRange,
} from './record-rows.ts'
import { APPEND, DELETE, TRIM } from './redis-scripts.ts'
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

/** How a relay uses its Redis. */
export interface RedisOptions {
  /** Before all its keys, with a colon between. @default 'crosstown' */
  readonly prefix?: string
}

/** A server that does not answer for so long is taken to be gone. */
const SILENCE_MS = 10_000
const MAX_BACKOFF_MS = 2_000
/** Records read at a time. */
const PAGE = 200

type Client = ReturnType<typeof connect>

/** Of a room, as its hash has it. */
interface RoomHash {
  readonly epoch: string
  readonly version: string
  readonly place: string
  readonly check: string
  readonly chain: string
  readonly time: string
  readonly events: string
  readonly bytes: string
  readonly first: string
}

/**
 * A store in Redis 6.2 or newer: one server with its replicas, no cluster. `maxmemory-policy` must be
 * `noeviction`, since otherwise Redis itself removes rooms. Confirmed events are on disk where Redis has
 * `appendonly yes` and `appendfsync always`; what else there is can lose the newest in a crash.
 *
 * @param url `redis://user:password@host:port/number`, or `rediss://`
 * @throws {BusError} log_unavailable where Redis cannot be reached or is not set up so, invalid_options
 * @example
 * const relay = createRelay({ store: await redisStore('redis://cache.internal:6379') })
 */
export async function redisStore(url: string, options: RedisOptions = {}): Promise<Store> {
  const { prefix = 'crosstown' } = options
  let client: Client
  try {
    client = connect(url)
  } catch (cause) {
    throw new BusError('invalid_options', 'the URL of the store is no redis:// URL', { cause })
  }
  // Each call is told by itself; without a listener Node would end.
  client.on('error', () => {})
  try {
    await client.connect()
    const policy = (await configOf(client, 'maxmemory-policy')) ?? 'noeviction'
    if (policy !== 'noeviction') {
      const what = `Redis would remove rooms when it is full: maxmemory-policy is ${policy}`
      throw new BusError('log_unavailable', `${what}; set it to noeviction`, { stage: 'log' })
    }
    const synced =
      (await configOf(client, 'appendonly')) === 'yes' &&
      (await configOf(client, 'appendfsync')) === 'always'
    return new RedisStore(client, `${prefix}:`, synced ? 'disk' : 'memory')
  } catch (cause) {
    client.destroy()
    if (isBusError(cause)) throw cause
    const message = `cannot use Redis: ${why(cause)}`
    throw new BusError('log_unavailable', message, { stage: 'log', cause })
  }
}

function connect(url: string) {
  let connected = false
  const client = createClient({
    url,
    name: 'crosstown-relay',
    // What waits for a server that is gone is to be told so: its senders come again.
    disableOfflineQueue: true,
    socket: {
      socketTimeout: SILENCE_MS,
      reconnectStrategy: (tries, cause) =>
        connected ? Math.min(50 * 2 ** tries, MAX_BACKOFF_MS) : cause,
    },
    pingInterval: SILENCE_MS / 2,
    scripts: { put: script(APPEND), cut: script(TRIM), drop: script(DELETE) },
  })
  client.once('ready', () => {
    connected = true
  })
  return client
}

function script(SCRIPT: string) {
  return defineScript({
    SCRIPT,
    NUMBER_OF_KEYS: 0,
    parseCommand(parser, args: readonly string[]) {
      // One by one: a step of trimming has more of them than a call can take.
      for (const arg of args) parser.push(arg)
    },
    transformReply: undefined as unknown as () => number,
  })
}

/** Where a service does not let its users ask, nothing is known. */
async function configOf(client: Client, name: string): Promise<string | undefined> {
  try {
    return (await client.configGet(name))[name]
  } catch {
    return undefined
  }
}

class RedisStore implements Store {
  readonly engine = 'redis'
  readonly durability: Durability
  readonly #client: Client
  readonly #prefix: string
  readonly #node: string = randomUUID()
  #listener: Client | undefined
  readonly #running = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(client: Client, prefix: string, durability: Durability) {
    this.#client = client
    this.#prefix = prefix
    this.durability = durability
  }

  load(room: string): Promise<LoadedRoom | undefined> {
    return this.#tried('load', async (client) => {
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
    return this.#tried('read', (client) =>
      Promise.all(
        keys.map(async (key) => {
          const kind = isOnDemand(key) ? 'more-state' : 'state'
          return (await client.hGet(this.#key(kind, room), key)) ?? undefined
        }),
      ),
    )
  }

  head(room: string): Promise<RoomHead | undefined> {
    return this.#tried('read', async (client) => {
      const found = await this.#room(client, room)
      return found && headOf(found)
    })
  }

  append(room: string, { expected, head, records, state }: Append): Promise<boolean> {
    const puts = state.filter(([key]) => !isOnDemand(key))
    const more = state.filter(([key]) => isOnDemand(key))
    const args = [
      ...[this.#prefix, room, expected.epoch, expected.version, head.version, head.place],
      ...[head.check, head.chain, head.time],
      records.reduce((sum, { headers }) => sum + headers.length, 0),
      records.reduce((sum, { bytes }) => sum + bytes, 0),
      ...[records.length, puts.length, more.length],
    ].map(String)
    for (const record of records) {
      const pairs = pairsOf(record).map(({ prefix, counter }) => `${prefix}\n${counter}`)
      args.push(String(record.place), String(record.time), JSON.stringify(rowOf(record)))
      args.push(pairs.join('\n'))
    }
    for (const [key, value] of [...puts, ...more]) args.push(key, value)
    return this.#tried('append', async (client) => (await client.put(args)) === 1)
  }

  read(room: string, after: number, limit: ReadLimit): Promise<readonly RoomRecord[]> {
    return this.#tried('read', async (client) => {
      const found: RoomRecord[] = []
      let events = 0
      let bytes = 0
      const fits = (record: RoomRecord): boolean => {
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
    return this.#tried('read', async (client) => {
      const text = await client.hGet(this.#key('room', room), 'first')
      return text ? markOf(text) : UNTRIMMED
    })
  }

  trimmedAt(room: string, place: number): Promise<Mark | undefined> {
    return this.#tried('read', async (client) => {
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
    return this.#tried('read', async (client) => {
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
    return this.#tried('read', async (client) => {
      const ranges = rangesOf(await client.hGet(this.#key('gone', room), prefix))
      return ranges.some(([first, last]) => first <= counter && counter <= last)
    })
  }

  findByTime(room: string, time: number): Promise<number | undefined> {
    return this.#tried('read', async (client) => {
      const [place] = await client.zRange(this.#key('times', room), time, '+inf', {
        BY: 'SCORE',
        LIMIT: { offset: 0, count: 1 },
      })
      return place === undefined ? undefined : Number(place)
    })
  }

  stats(room: string): Promise<RoomStats | undefined> {
    return this.#tried('read', async (client) => {
      const [found, keys] = await Promise.all([
        this.#room(client, room),
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
    return this.#tried('trim', async (client) => {
      const found = await this.#room(client, room)
      if (!found) return false
      const { gone, over } = await this.#oldest(client, room, found, keep, step)
      const newest = gone.at(-1)
      if (!newest) return false
      const pairs = gone
        .flatMap(pairsOf)
        .map(({ prefix, counter, place }) => `${prefix}\0${padded(counter)}\0${padded(place)}`)
      const ranges = await this.#joined(client, room, gone)
      const publishers = Map.groupBy(ranges, ({ prefix }) => prefix)
      const args = [
        ...[this.#prefix, room, found.epoch, found.first, markText(firstAfter(newest))],
        gone.reduce((sum, { headers }) => sum + headers.length, 0),
        gone.reduce((sum, { bytes }) => sum + bytes, 0),
        ...[newest.place, gone.length, pairs.length, publishers.size, ranges.length],
        ...gone.flatMap((record) => {
          const mark = firstAfter(record)
          return [mark.place, markText(mark), record.place]
        }),
        ...pairs,
        ...[...publishers].flatMap(([prefix, own]) => [
          prefix,
          JSON.stringify(own.map(({ first, last, place }) => [first, last, place])),
        ]),
        ...ranges.flatMap(({ prefix, first, place }) => [prefix, first, place]),
      ].map(String)
      // Where another relay was first there may be more to do.
      return (await client.cut(args)) === 0 || over
    })
  }

  delete(room: string): Promise<boolean> {
    return this.#tried('delete', async (client) => (await client.drop([this.#prefix, room])) === 1)
  }

  wasDeleted(room: string, epoch: string): Promise<boolean> {
    return this.#tried('read', async (client) => {
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
    return this.#tried('read', (client) =>
      client.zRange(`${this.#prefix}rooms`, after === '' ? '-' : `(${after}`, '+', {
        BY: 'LEX',
        LIMIT: { offset: 0, count: limit },
      }),
    )
  }

  signal(room: string, text: string): void {
    if (this.#closing) return
    const said = [this.#node, room, text].join('\n')
    void this.#tried('publish', (client) => client.publish(`${this.#prefix}signals`, said)).catch(
      () => {
        // Whoever did not hear it reads the room when it is asked for it.
      },
    )
  }

  listen(heard: (room: string | undefined, text: string) => void): void {
    const listener = this.#client.duplicate()
    this.#listener = listener
    listener.on('error', () => {})
    listener.on('ready', () => heard(undefined, ''))
    const take = (said: string): void => {
      const [node = '', room = '', ...rest] = said.split('\n')
      if (node !== this.#node) heard(room, rest.join('\n'))
    }
    void listener
      .connect()
      .then(() => listener.subscribe(`${this.#prefix}signals`, take))
      .then(() => heard(undefined, ''))
      .catch(() => {
        // It was closed, or the server went right now: what it would have heard is read.
      })
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#running).then(() => {
      this.#client.destroy()
      if (this.#listener?.isOpen) this.#listener.destroy()
    })
    return this.#closing
  }

  /** The records to remove in one step, and whether more are over the limits. */
  async #oldest(
    client: Client,
    room: string,
    found: RoomHash,
    keep: Keep,
    step: ReadLimit,
  ): Promise<{ readonly gone: readonly RoomRecord[]; readonly over: boolean }> {
    const gone: RoomRecord[] = []
    let events = 0
    let bytes = 0
    for (let from = '-'; ; ) {
      const page = (await client.xRange(this.#key('log', room), from, '+', { COUNT: PAGE })) ?? []
      for (const record of page.map(recordIn)) {
        const over =
          Number(found.events) - events > keep.events ||
          Number(found.bytes) - bytes > keep.bytes ||
          record.time < keep.since
        if (!over) return { gone, over: false }
        if (gone.length > 0 && (events >= step.events || bytes >= step.bytes)) {
          return { gone, over: true }
        }
        gone.push(record)
        events += record.headers.length
        bytes += record.bytes
      }
      const last = page.at(-1)
      if (!last) return { gone, over: false }
      from = `(${last.id}`
    }
  }

  /** All ranges of those whose events are among these records. */
  async #joined(
    client: Client,
    room: string,
    gone: readonly RoomRecord[],
  ): Promise<TrimmedRange[]> {
    const ranges = gone.flatMap((record) =>
      rangesIn(record).map((range) => ({ ...range, place: record.place })),
    )
    const prefixes = [...new Set(ranges.map(({ prefix }) => prefix))]
    if (prefixes.length === 0) return []
    const texts = await client.hmGet(this.#key('gone', room), prefixes)
    const known = texts.flatMap((text, i) =>
      rangesOf(text).map(([first, last, place]) => {
        return { prefix: prefixes[i] as string, first, last, place }
      }),
    )
    return joinedRanges([...known, ...ranges])
  }

  async #room(client: Client, room: string): Promise<RoomHash | undefined> {
    const found = await client.hGetAll(this.#key('room', room))
    return isRoom(found) ? found : undefined
  }

  #key(kind: string, room: string): string {
    return `${this.#prefix}${kind}:${room}`
  }

  async #tried<T>(what: string, run: (client: Client) => Promise<T>): Promise<T> {
    if (this.#closing) throw new BusError('unavailable', 'the store is closed', { stage: 'log' })
    const running = run(this.#client)
    this.#running.add(running)
    try {
      return await running
    } catch (cause) {
      const message = `Redis cannot ${what}: ${why(cause)}`
      throw new BusError('unavailable', message, { stage: 'log', cause })
    } finally {
      this.#running.delete(running)
    }
  }
}

function isRoom(found: Readonly<Record<string, string>>): found is RoomHash & typeof found {
  return found['epoch'] !== undefined
}

function isOnDemand(key: string): boolean {
  return ON_DEMAND.some((kind) => key.startsWith(kind))
}

function headOf({ epoch, version, place, check, chain, time }: RoomHash): RoomHead {
  return {
    epoch,
    version: Number(version),
    place: Number(place),
    check,
    chain,
    time: Number(time),
  }
}

function recordIn({ message }: { readonly message: Readonly<Record<string, string>> }): RoomRecord {
  return recordOf(JSON.parse(message['r'] as string) as RecordRow)
}

function markText({ place, check, chain }: Mark): string {
  return JSON.stringify([place, check, chain])
}

function markOf(text: string): Mark {
  const [place, check, chain] = JSON.parse(text) as [number, string, string]
  return { place, check, chain }
}

function rangesOf(text: string | null | undefined): [first: number, last: number, place: number][] {
  return text ? (JSON.parse(text) as [number, number, number][]) : []
}

/** As the scripts have it: sorted as the numbers are. */
function padded(number: number): string {
  return String(number).padStart(16, '0')
}

function why(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error)
}
