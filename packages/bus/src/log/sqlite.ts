/**
 * The log in a SQLite file, through `node:sqlite` (Node 22.13 and later, Deno, Bun). One process
 * at a time has a file open.
 *
 * @example
 * import { sqliteLog } from '@crosstown/bus/log/sqlite'
 * const bus = createBus({ name: 'orders', log: sqliteLog('./orders.db') })
 */
import { BusError } from '../errors.ts'
import { parseId } from '../event.ts'
import type { Platform } from '../platform.ts'
import type { Term } from '../protocol/frames.ts'
import type { ConsumerRow, ConsumerWrite, DeadRow } from './consumers.ts'
import type {
  ExpectedInLog,
  Log,
  LogSource,
  LogState,
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
import {
  confirmedAfter,
  lastDecided,
  pendingOf,
  placed,
  placingRuns,
  validPlacement,
} from './placement.ts'
import { idsIn, indexOfId, mayHold, streamIn } from './record.ts'
import { addUp, NO_TOTALS, planTrim, RECORDS_PER_STEP } from './retention.ts'
import {
  afterFork,
  afterRoomBatch,
  afterTerm,
  afterWelcome,
  assertFollows,
  assertTerm,
  emptyRoomState,
  readRoomState,
  type WrittenRoomState,
} from './room-state.ts'
import { filePath } from './sqlite-file.ts'
import { type Row, SqliteRows, toStored } from './sqlite-rows.ts'
import { assertExpected, markKey, readMark, type StreamMark, trimmedMark } from './stream-mark.ts'

export interface SqliteLogOptions {
  /** `relaxed` survives the end of the process, `strict` a power cut as well. @default 'strict' */
  readonly durability?: 'relaxed' | 'strict'
}

/**
 * Keeps the log in a SQLite file; one file holds the logs of any number of buses of one process.
 *
 * @param path of the file, made where it does not exist; `:memory:` for none
 */
export function sqliteLog(path: string, options: SqliteLogOptions = {}): LogSource {
  if (typeof path !== 'string' || path === '') {
    throw new BusError('invalid_options', 'sqliteLog: give the path of a file, or :memory:')
  }
  const { durability = 'strict' } = options
  return {
    kind: 'disk',
    required: true,
    available: () => true,
    create: (name, room, platform) =>
      new SqliteLog(filePath(path), `${name}:${room}`, platform, durability),
  }
}

const FORMAT = 1

class SqliteLog implements Log {
  readonly kind = 'disk'
  readonly shared = false
  readonly storage: string
  readonly #rows: SqliteRows
  readonly #platform: Platform
  /** Where the next step of `trim` goes on. */
  #trimFrom = 0

  constructor(path: string, log: string, platform: Platform, durability: 'relaxed' | 'strict') {
    this.#rows = new SqliteRows(path, log, durability)
    this.#platform = platform
    this.storage = `sqlite:${path === ':memory:' ? platform.randomText(8) : path}:${log}`
  }

  async open(outbox?: boolean): Promise<LogState> {
    const rows = this.#rows
    const platform = this.#platform
    rows.open(() => {
      if (rows.meta('logId') !== undefined) return
      rows.setMeta('format', FORMAT)
      rows.setMeta('logId', platform.randomText(22))
      rows.setMeta('device', { id: platform.randomText(22), secret: platform.randomText(43) })
      rows.setMeta('room', emptyRoomState())
      rows.setMeta('last', 0)
    })
    return this.state(outbox)
  }

  watch(lost: (error: BusError) => void): void {
    this.#rows.watch(lost)
  }

  async append(batch: OwnBatch, begun?: () => void): Promise<number> {
    const number = this.#rows.write(() => this.#rows.insert(batch, 'own'))
    begun?.()
    return number
  }

  async appendExpected(
    expected: readonly ExpectedInLog[],
    make: (counts: ReadonlyMap<string, number>) => OwnBatch,
    begun?: () => void,
  ): Promise<number> {
    const rows = this.#rows
    const counts = new Map<string, number>()
    const number = rows.write(() => {
      const through = rows.meta('last') as number
      for (const { stream } of expected) {
        const mark = readMark(rows.meta(markKey(stream)))
        const count = mark.count + rows.countStream(stream, mark.through, through + 1)
        rows.setMeta(markKey(stream), { ...mark, count, through } satisfies StreamMark)
        counts.set(stream, count)
      }
      assertExpected(expected, counts)
      return rows.insert(make(counts), 'own')
    })
    begun?.()
    return number
  }

  async countStreams(streams: readonly string[], before: number): Promise<number[] | undefined> {
    if (this.#rows.edge('oldest').batch > before) return undefined
    return streams.map(
      (stream) =>
        readMark(this.#rows.meta(markKey(stream))).trimmed +
        this.#rows.countStream(stream, 0, before),
    )
  }

  async appendRoom(batch: RoomBatch, term: Term): Promise<number> {
    return this.#rows.write(() => {
      const state = this.#room()
      assertFollows(state, batch, term)
      let { confirmed } = state
      let number = 0
      if (batch.runs.length > 0) {
        number = this.#rows.insert(batch, 'room')
        const by = { record: number, epoch: batch.epoch }
        for (const [record, runs] of placingRuns(batch)) {
          const known = this.#rows.placement(record)
          this.#rows.setPlacement(placed(record, known, runs, by, state.cuts))
        }
        const last = lastDecided(batch)
        const own = last && this.#rows.row(last.batch)
        if (last && own) confirmed = confirmedAfter(confirmed, last, idsIn(own.headers))
      }
      this.#rows.setMeta('room', afterRoomBatch(state, batch, confirmed))
      return number
    })
  }

  async takeTerm(nonce: string): Promise<Term> {
    return this.#rows.write(() => {
      const { state, term } = afterTerm(this.#room(), nonce)
      this.#rows.setMeta('room', state)
      return term
    })
  }

  async welcomed(update: WelcomeUpdate): Promise<void> {
    this.#rows.write(() => {
      const state = this.#room()
      assertTerm(state, update.term)
      this.#rows.setMeta('room', afterWelcome(state, update, this.#rows.edge('newest').batch))
    })
  }

  async fork(term: Term, device: LogState['device']): Promise<void> {
    this.#rows.write(() => {
      const state = this.#room()
      assertTerm(state, term)
      this.#rows.setMeta('room', afterFork(state, term, this.#rows.edge('newest').batch))
      this.#rows.setMeta('device', device)
    })
  }

  #room(): WrittenRoomState {
    return readRoomState(this.#rows.meta('room'))
  }

  async state(outbox = true): Promise<LogState> {
    const rows = this.#rows
    const room = this.#room()
    const totals = rows.meta('totals') as Totals | undefined
    return {
      logId: rows.meta('logId') as string,
      device: rows.meta('device') as LogState['device'],
      head: rows.edge('newest'),
      first: rows.edge('oldest').batch,
      ...(totals === undefined ? undefined : { totals }),
      room: { ...room, ...(outbox ? this.#outbox(room) : { pending: 0, pendingBytes: 0 }) },
    }
  }

  #outbox(room: WrittenRoomState): { pending: number; pendingBytes: number } {
    let [pending, pendingBytes] = [0, 0]
    for (const row of this.#rows.outbox(room.confirmed?.batch ?? 0)) {
      const events = pendingOf(row.events, validPlacement(row.placement, room.cuts))
      pending += events
      if (events > 0) pendingBytes += row.bytes
    }
    return { pending, pendingBytes }
  }

  async read(from: number, limit: number): Promise<StoredBatch[]> {
    return this.#rows.from(from, limit).map(toStored)
  }

  async readBack(to: number, limit: number): Promise<StoredBatch[]> {
    return this.#rows.back(to, limit).map(toStored)
  }

  async find(id: string): Promise<{ batch: StoredBatch; index: number } | undefined> {
    for (const row of this.#rows.mayHold(...parseId(id))) {
      if (!mayHold(row.headers, id)) continue
      const batch = toStored(row)
      const index = indexOfId(batch, id)
      if (index >= 0) return { batch, index }
    }
    return undefined
  }

  async readStream(stream: string): Promise<StoredStream[]> {
    return this.#rows.withStream(stream).map((row) => streamIn(toStored(row), stream))
  }

  async highest(prefix: string): Promise<number> {
    return this.#rows.highest(prefix)
  }

  async placement(batch: number): Promise<Placement | undefined> {
    return validPlacement(this.#rows.placement(batch), this.#room().cuts)
  }

  async placements(from: number, to: number): Promise<Placement[]> {
    const { cuts } = this.#room()
    return this.#rows.placements(from, to).flatMap((row) => validPlacement(row, cuts) ?? [])
  }

  async snapshot(name: string): Promise<string | undefined> {
    return this.#rows.snapshot(name)
  }

  async keepSnapshot(name: string, text: string): Promise<void> {
    this.#rows.write(() => this.#rows.keepSnapshot(name, text))
  }

  async consumer(name: string): Promise<ConsumerRow | undefined> {
    return this.#rows.consumer(name)
  }

  async consumers(): Promise<ConsumerRow[]> {
    return this.#rows.consumers()
  }

  async writeConsumer(write: ConsumerWrite): Promise<number | undefined> {
    return this.#rows.write(() => this.#rows.writeConsumer(write))
  }

  async removeConsumer(name: string): Promise<void> {
    this.#rows.write(() => this.#rows.removeConsumer(name))
  }

  async deadLetters(): Promise<DeadRow[]> {
    return this.#rows.deadLetters()
  }

  async changeDead(changes: ReadonlyMap<number, string | undefined>): Promise<number[]> {
    return this.#rows.write(() => this.#rows.changeDead(changes))
  }

  async trim(limits: RetentionLimits, outbox = true): Promise<Trimmed> {
    return this.#rows.write(() => {
      const rows = this.#rows
      const known = (rows.meta('totals') as Totals | undefined) ?? NO_TOTALS
      const unseen = rows.from(known.through + 1, RECORDS_PER_STEP)
      const totals = addUp(known, unseen)
      if (unseen.length === RECORDS_PER_STEP) {
        rows.setMeta('totals', totals)
        return { removed: 0, more: true }
      }
      const oldest = rows.from(this.#trimFrom, RECORDS_PER_STEP)
      const room = this.#room()
      const plan = planTrim(oldest, totals, limits, (row) => {
        if (row.batch === totals.through || row.batch === room.confirmed?.batch) return true
        return outbox && this.#isPending(row, room)
      })
      const gone = plan.remove.map(({ batch }) => batch)
      if (!outbox) {
        for (const [stream, events] of rows.streamsIn(gone)) {
          const mark = readMark(rows.meta(markKey(stream)))
          rows.setMeta(markKey(stream), trimmedMark(mark, events))
        }
      }
      rows.remove(gone)
      rows.setMeta('totals', plan.totals)
      const more = !plan.enough && oldest.length === RECORDS_PER_STEP
      this.#trimFrom = more ? (oldest.at(-1) as Row).batch + 1 : 0
      return { ...plan.trimmed, more }
    })
  }

  #isPending({ batch, room_events }: Row, { confirmed, cuts }: WrittenRoomState): boolean {
    if (batch < (confirmed?.batch ?? 0)) return false
    return pendingOf(room_events, validPlacement(this.#rows.placement(batch), cuts)) > 0
  }

  async clear(): Promise<void> {
    this.#rows.clear()
  }

  async close(): Promise<void> {
    this.#rows.close()
  }
}
