/**
 * The log in IndexedDB, shared by all contexts of an origin. IndexedDB costs per request and per
 * transaction, not per byte: a batch is one record, written by one `add` and a `commit`, and
 * nothing is read on the way. The database's own key generator gives the numbers.
 */
import { unwrap } from 'idb'
import { BusError } from '../errors.ts'
import { loaded, type Part } from '../part.ts'
import type { Platform } from '../platform.ts'
import type { Term } from '../protocol/frames.ts'
import type { ConsumerRow, ConsumerWrite, DeadRow } from './consumers.ts'
import { Connection, type Durability } from './indexeddb-connection.ts'
import type * as Rare from './indexeddb-rare.ts'
import { findEvent, readBack, readFrom, readStream } from './indexeddb-read.ts'
import { countOutbox, placeEvents, placementsIn } from './indexeddb-room.ts'
import { addStreams, type BatchRow, quiet, type StoreName } from './indexeddb-rows.ts'
import type {
  ExpectedInLog,
  Log,
  LogSource,
  LogState,
  Merged,
  OwnBatch,
  Placement,
  RetentionLimits,
  RoomBatch,
  StoredBatch,
  StoredStream,
  Totals,
  Trimmed,
  WelcomeUpdate,
} from './log.ts'
import { MAX_SNAPSHOTS } from './retention.ts'
import {
  afterFork,
  afterRoomBatch,
  afterTerm,
  afterWelcome,
  assertFollows,
  assertTerm,
  readRoomState,
  type WrittenRoomState,
} from './room-state.ts'

export interface IndexedDbLogOptions {
  /**
   * Refuse to run without it, instead of falling back to memory. A database that others keep from
   * being opened for 10 s counts as one that cannot be opened.
   *
   * @default false
   */
  readonly required?: boolean
  /**
   * `relaxed` survives the end of the browser, `strict` a power cut as well, for the price of a
   * disk flush each batch. @default 'relaxed'
   */
  readonly durability?: 'relaxed' | 'strict'
}

/** A log in the origin's IndexedDB, in the database `crosstown:<name>:<room>`. @throws {BusError} invalid_options */
export function indexedDbLogWith(
  rare: Part<typeof Rare>,
  { required = false, durability = 'relaxed' }: IndexedDbLogOptions = {},
): LogSource {
  if (durability !== 'relaxed' && durability !== 'strict') {
    throw new BusError('invalid_options', "indexedDbLog: durability must be 'relaxed' or 'strict'")
  }
  return {
    kind: 'disk',
    required,
    available: (platform) => platform.indexedDB !== undefined,
    create: (name, room, platform) =>
      new IndexedDbLog(`crosstown:${name}:${room}`, platform, durability, rare),
  }
}

/** In `consumers`: names of snapshots, the one kept longest ago first, and before each one's key. */
const SNAPSHOTS = 'snapshots'

function ownRow({ time, headers, data, types, ids, roomEvents }: OwnBatch): BatchRow {
  return { kind: 'own', time, headers, data, types, ids, roomEvents }
}

interface Lease {
  readonly holder: string
  readonly until: number
}

function leaseKey(name: string | undefined): string {
  return name === undefined ? 'lease' : `lease/${name}`
}

class IndexedDbLog implements Log {
  readonly kind = 'disk'
  readonly shared = true
  readonly storage: string
  readonly #connection: Connection
  readonly #rare: Part<typeof Rare>
  /** Whether records were merged where one read last. */
  #dense = false
  /** Where the next step of `trim` goes on. */
  #trimFrom = 0

  constructor(name: string, platform: Platform, durability: Durability, rare: Part<typeof Rare>) {
    this.storage = name
    this.#rare = rare
    this.#connection = new Connection(name, platform, durability)
  }

  async open(outbox?: boolean): Promise<LogState> {
    await this.#connection.open()
    return this.state(outbox)
  }

  watch(lost: (error: BusError) => void): void {
    this.#connection.watch(lost)
  }

  append(batch: OwnBatch, begun?: () => void): Promise<number> {
    const write = new Promise<number>((resolve, reject) => {
      const withStreams = batch.streams.size > 0
      const transaction = this.#connection.rawWrite(
        withStreams ? ['batches', 'streams'] : ['batches'],
        withStreams,
      )
      // Transactions are served in the order in which they were made: others may hear of it now.
      begun?.()
      let number = 0
      transaction.oncomplete = () => resolve(number)
      transaction.onabort = () => reject(this.#connection.failure(transaction.error, transaction))
      const added = transaction.objectStore('batches').add(ownRow(batch))
      added.onsuccess = () => {
        number = added.result as number
        if (!withStreams) return
        addStreams(transaction.objectStore('streams'), batch, number)
        transaction.commit()
      }
      if (!withStreams) transaction.commit()
    })
    return this.#connection.track(write)
  }

  async appendExpected(
    expected: readonly ExpectedInLog[],
    make: (counts: ReadonlyMap<string, number>) => OwnBatch,
    begun?: () => void,
  ): Promise<number> {
    const { assertExpected, countNow } = await loaded(this.#rare)
    return this.#connection.write(['batches', 'streams', 'meta'], async (transaction) => {
      const { counts, note } = await countNow(
        transaction,
        expected.map(({ stream }) => stream),
      )
      assertExpected(expected, counts)
      const batch = make(counts)
      // Whatever begins from now on, in whatever context, comes after this transaction.
      begun?.()
      const number = await transaction.objectStore('batches').add(ownRow(batch))
      addStreams(unwrap(transaction).objectStore('streams'), batch, number)
      note(number - 1)
      return number
    })
  }

  async countStreams(streams: readonly string[], before: number): Promise<number[] | undefined> {
    const { countBefore } = await loaded(this.#rare)
    return this.#connection.read(['batches', 'streams', 'meta'], (transaction) =>
      countBefore(transaction, streams, before),
    )
  }

  async appendRoom(batch: RoomBatch, term: Term): Promise<number> {
    return this.#connection.write(['batches', 'streams', 'room', 'meta'], async (transaction) => {
      const meta = transaction.objectStore('meta')
      const state = readRoomState(await meta.get('room'))
      assertFollows(state, batch, term)
      if (batch.runs.length === 0) {
        quiet(meta.put(afterRoomBatch(state, batch, state.confirmed), 'room'))
        return 0
      }
      const number = await transaction.objectStore('batches').add({
        kind: 'room',
        time: batch.time,
        headers: batch.headers,
        data: batch.data,
        types: batch.types,
        ids: batch.ids,
        epoch: batch.epoch,
        prev: batch.prev,
        position: batch.position,
        runs: batch.runs,
      })
      addStreams(unwrap(transaction).objectStore('streams'), batch, number)
      const confirmed = await placeEvents(transaction, batch, number, state)
      quiet(meta.put(afterRoomBatch(state, batch, confirmed), 'room'))
      return number
    })
  }

  async takeTerm(nonce: string): Promise<Term> {
    return this.#changeRoom((state) => {
      const next = afterTerm(state, nonce)
      return { state: next.state, result: next.term }
    })
  }

  async welcomed(update: WelcomeUpdate): Promise<void> {
    return this.#changeRoom((state, head) => {
      assertTerm(state, update.term)
      return { state: afterWelcome(state, update, head), result: undefined }
    })
  }

  async fork(term: Term, device: LogState['device']): Promise<void> {
    return this.#changeRoom((state, head) => {
      assertTerm(state, term)
      return { state: afterFork(state, term, head), result: undefined, device }
    })
  }

  async #changeRoom<T>(
    change: (
      state: WrittenRoomState,
      head: number,
    ) => { state: WrittenRoomState; result: T; device?: LogState['device'] },
  ): Promise<T> {
    return this.#connection.write(['batches', 'meta'], async (transaction) => {
      const meta = transaction.objectStore('meta')
      const [room, newest] = await Promise.all([
        meta.get('room'),
        transaction.objectStore('batches').openKeyCursor(null, 'prev'),
      ])
      const { state, result, device } = change(readRoomState(room), newest?.key ?? 0)
      quiet(meta.put(state, 'room'))
      if (device) quiet(meta.put(device, 'device'))
      return result
    })
  }

  async state(outbox = true): Promise<LogState> {
    return this.#connection.read(['batches', 'room', 'meta'], async (transaction) => {
      const meta = transaction.objectStore('meta')
      const batches = transaction.objectStore('batches')
      const [logId, device, room, totals, oldest, newest] = await Promise.all([
        meta.get('logId'),
        meta.get('device'),
        meta.get('room'),
        meta.get('totals'),
        batches.openKeyCursor(),
        batches.openCursor(null, 'prev'),
      ])
      const state = readRoomState(room)
      const counted = outbox
        ? await countOutbox(transaction, state)
        : { pending: 0, pendingBytes: 0 }
      return {
        logId: logId as string,
        device: device as LogState['device'],
        head: { batch: newest?.key ?? 0, time: newest?.value?.time ?? 0 },
        first: oldest?.key ?? 0,
        ...(totals === undefined ? undefined : { totals: totals as Totals }),
        room: { ...state, ...counted },
      }
    })
  }

  async read(from: number, limit: number): Promise<StoredBatch[]> {
    const { batches, dense } = await this.#connection.read(['batches'], (transaction) =>
      readFrom(transaction, from, limit, this.#dense),
    )
    this.#dense = dense
    return batches
  }

  async readBack(to: number, limit: number): Promise<StoredBatch[]> {
    return this.#connection.read(['batches'], (transaction) => readBack(transaction, to, limit))
  }

  async find(id: string): Promise<{ batch: StoredBatch; index: number } | undefined> {
    return this.#connection.read(['batches'], (transaction) => findEvent(transaction, id))
  }

  async readStream(stream: string): Promise<StoredStream[]> {
    return this.#connection.read(['streams'], (transaction) => readStream(transaction, stream))
  }

  async highest(prefix: string): Promise<number> {
    return this.#connection.read(['batches'], async (transaction) => {
      const ids = transaction.objectStore('batches').index('ids')
      const range = IDBKeyRange.bound([prefix, 0], [prefix, Number.MAX_VALUE])
      return (await ids.openKeyCursor(range, 'prev'))?.key[1] ?? 0
    })
  }

  async placement(batch: number): Promise<Placement | undefined> {
    return (await this.placements(batch, batch))[0]
  }

  async placements(from: number, to: number): Promise<Placement[]> {
    if (to < from) return []
    return this.#connection.read(['room', 'meta'], async (transaction) => {
      const room = await transaction.objectStore('meta').get('room')
      const { cuts } = readRoomState(room)
      return [...(await placementsIn(transaction, from, to, cuts)).values()]
    })
  }

  async snapshot(name: string): Promise<string | undefined> {
    const text = await this.#connection.read(['consumers'], (transaction) =>
      transaction.objectStore('consumers').get(`${SNAPSHOTS}:${name}`),
    )
    return text as string | undefined
  }

  async keepSnapshot(name: string, text: string): Promise<void> {
    return this.#connection.write(['consumers'], async (transaction) => {
      const consumers = transaction.objectStore('consumers')
      const known = await consumers.get(SNAPSHOTS)
      const others = Array.isArray(known) ? known.filter((one) => one !== name) : []
      const names = [...others, name]
      for (const gone of names.splice(0, names.length - MAX_SNAPSHOTS)) {
        quiet(consumers.delete(`${SNAPSHOTS}:${gone}`))
      }
      quiet(consumers.put(names, SNAPSHOTS))
      quiet(consumers.put(text, `${SNAPSHOTS}:${name}`))
    })
  }

  async consumer(name: string): Promise<ConsumerRow | undefined> {
    const { readConsumer } = await loaded(this.#rare)
    return this.#connection.read(['consumers'], (transaction) => readConsumer(transaction, name))
  }

  async consumers(): Promise<ConsumerRow[]> {
    return this.#connection.read(['consumers'], (await loaded(this.#rare)).consumersIn)
  }

  async writeConsumer(write: ConsumerWrite): Promise<number | undefined> {
    const stores: StoreName[] = write.dead?.length ? ['consumers', 'dead'] : ['consumers']
    const { writeConsumer } = await loaded(this.#rare)
    return this.#connection.write(stores, (transaction) => writeConsumer(transaction, write))
  }

  async removeConsumer(name: string): Promise<void> {
    const { consumerKey } = await loaded(this.#rare)
    return this.#connection.write(['consumers'], (transaction) =>
      transaction.objectStore('consumers').delete(consumerKey(name)),
    )
  }

  async deadLetters(): Promise<DeadRow[]> {
    return this.#connection.read(['dead'], (await loaded(this.#rare)).deadIn)
  }

  async changeDead(changes: ReadonlyMap<number, string | undefined>): Promise<number[]> {
    const { changeDead } = await loaded(this.#rare)
    return this.#connection.write(['dead'], (transaction) => changeDead(transaction, changes))
  }

  async trim(limits: RetentionLimits, outbox = true): Promise<Trimmed> {
    const { trimStep } = await loaded(this.#rare)
    const from = this.#trimFrom
    const { trimmed, next } = await this.#connection.write(
      ['batches', 'streams', 'room', 'meta'],
      (transaction) => trimStep(transaction, limits, outbox, from),
    )
    this.#trimFrom = next
    return trimmed
  }

  async merge(outbox = true): Promise<Merged> {
    const { mergeStep } = await loaded(this.#rare)
    return this.#connection.write(['batches', 'room', 'meta'], (transaction) =>
      mergeStep(transaction, outbox),
    )
  }

  async lease(holder: string, now: number, ttlMs: number, name?: string): Promise<boolean> {
    return this.#changeLease(name, (lease) => {
      // A clock that was set back must not leave the device without a leader.
      const runs = lease && lease.until > now && lease.until <= now + 2 * ttlMs
      return runs && lease.holder !== holder ? undefined : { holder, until: now + ttlMs }
    })
  }

  async releaseLease(holder: string, name?: string): Promise<void> {
    await this.#changeLease(name, (lease) =>
      lease?.holder === holder ? { holder, until: 0 } : undefined,
    )
  }

  dropLease(holder: string, name?: string): void {
    const transaction = this.#connection.rawWrite(['meta'], false)
    const lease: Lease = { holder, until: 0 }
    transaction.objectStore('meta').put(lease, leaseKey(name))
    transaction.commit()
  }

  /** Whether the change has a new lease. */
  #changeLease(
    name: string | undefined,
    change: (lease: Lease | undefined) => Lease | undefined,
  ): Promise<boolean> {
    return this.#connection.write(['meta'], async (transaction) => {
      const meta = transaction.objectStore('meta')
      const lease = change((await meta.get(leaseKey(name))) as Lease | undefined)
      if (lease) quiet(meta.put(lease, leaseKey(name)))
      return lease !== undefined
    })
  }

  clear(): Promise<void> {
    return this.#connection.clear()
  }

  halt(): () => void {
    return this.#connection.halt()
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}
