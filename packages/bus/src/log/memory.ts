/**
 * The log in memory: for servers, tests, and pages without a database. It is also the reference
 * of the contract: the plainest thing that keeps it.
 */
import { BusError } from '../errors.ts'
import { parseId } from '../event.ts'
import type { Platform } from '../platform.ts'
import type { Term } from '../protocol/frames.ts'
import { type ConsumerRow, type ConsumerWrite, type DeadRow, deadTooMany } from './consumers.ts'
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
  Trimmed,
  WelcomeUpdate,
} from './log.ts'
import { MemoryRows, type NewRow, type Row, toStored } from './memory-rows.ts'
import {
  confirmedAfter,
  lastDecided,
  pendingOf,
  placed,
  placingRuns,
  validPlacement,
} from './placement.ts'
import { idsIn, indexOfId, mayHold, streamIn } from './record.ts'
import {
  addUp,
  bytesIn,
  MAX_SNAPSHOTS,
  NO_TOTALS,
  planTrim,
  RECORDS_PER_STEP,
} from './retention.ts'
import {
  afterFork,
  afterRoomBatch,
  afterTerm,
  afterWelcome,
  assertFollows,
  assertTerm,
} from './room-state.ts'
import { assertExpected, readMark, trimmedMark } from './stream-mark.ts'

/** Keeps the log in this process; gone when the process ends. */
export function memoryLog(): LogSource {
  return {
    kind: 'memory',
    required: true,
    available: () => true,
    create: (_name, _room, platform) => new MemoryLog(platform),
  }
}

/** Logs in use by name and room: the contexts of one process that use the default share theirs. */
const SHARED = new Map<string, MemoryRows>()

/** The default where there is no IndexedDB: one log for all buses of a name in this process. */
export function processMemoryLog(): LogSource {
  return {
    kind: 'memory',
    required: true,
    available: () => true,
    create(name, room, platform) {
      const key = `${name}:${room}`
      const known = SHARED.get(key)
      const rows = known ?? new MemoryRows(platform, () => SHARED.delete(key))
      SHARED.set(key, rows)
      return new MemoryLog(platform, rows)
    },
  }
}

function markTrimmed({ marks }: MemoryRows, { batch, streams }: Row): void {
  for (const [stream, { indexes }] of streams) {
    const gone = [{ batch, events: indexes.length }]
    marks.set(stream, trimmedMark(readMark(marks.get(stream)), gone))
  }
}

export class MemoryLog implements Log {
  readonly kind = 'memory'
  readonly shared = false
  readonly storage: string
  readonly #rows: MemoryRows
  /** Why nothing can be written any more. */
  #gone: BusError | undefined
  #lost: ((error: BusError) => void) | undefined
  /** Where the next step of `trim` goes on. */
  #trimFrom = 0

  constructor(platform: Platform, rows: MemoryRows = new MemoryRows(platform)) {
    this.#rows = rows
    this.storage = rows.name
    rows.users.add(this)
  }

  async open(outbox?: boolean): Promise<LogState> {
    if (this.#gone?.code === 'closed') this.#gone = undefined
    this.#assertOpen()
    this.#rows.users.add(this)
    return this.state(outbox)
  }

  watch(lost: (error: BusError) => void): void {
    this.#lost = lost
    if (this.#gone?.code === 'log_cleared') lost(this.#gone)
  }

  async append(batch: OwnBatch, begun?: () => void): Promise<number> {
    this.#assertOpen()
    const number = this.#push({ kind: 'own', ...batch })
    begun?.()
    return number
  }

  async appendExpected(
    expected: readonly ExpectedInLog[],
    make: (counts: ReadonlyMap<string, number>) => OwnBatch,
    begun?: () => void,
  ): Promise<number> {
    this.#assertOpen()
    const { marks, last } = this.#rows
    const counts = new Map<string, number>()
    for (const { stream } of expected) {
      const mark = marks.get(stream)
      const count = (mark?.count ?? 0) + this.#countIn(stream, mark?.through ?? 0, last + 1)
      marks.set(stream, { trimmed: mark?.trimmed ?? 0, count, through: last })
      counts.set(stream, count)
    }
    assertExpected(expected, counts)
    const number = this.#push({ kind: 'own', ...make(counts) })
    begun?.()
    return number
  }

  /** Events of a stream in the records between two numbers. */
  #countIn(stream: string, after: number, before: number): number {
    const { batches } = this.#rows
    let count = 0
    for (let i = this.#rows.indexFrom(after + 1); i < batches.length; i++) {
      const { batch, kind, streams } = batches[i] as Row
      if (batch >= before) break
      if (kind === 'own') count += streams.get(stream)?.indexes.length ?? 0
    }
    return count
  }

  async countStreams(streams: readonly string[], before: number): Promise<number[] | undefined> {
    this.#assertOpen()
    if ((this.#rows.batches[0]?.batch ?? 0) > before) return undefined
    return streams.map(
      (stream) => (this.#rows.marks.get(stream)?.trimmed ?? 0) + this.#countIn(stream, 0, before),
    )
  }

  async appendRoom(batch: RoomBatch, term: Term): Promise<number> {
    this.#assertOpen()
    const rows = this.#rows
    assertFollows(rows.room, batch, term)
    let { confirmed } = rows.room
    let number = 0
    if (batch.runs.length > 0) {
      number = this.#push({ kind: 'room', ...batch })
      const by = { record: number, epoch: batch.epoch }
      for (const [record, runs] of placingRuns(batch)) {
        const known = rows.placements.get(record)
        rows.placements.set(record, placed(record, known, runs, by, rows.room.cuts))
      }
      const last = lastDecided(batch)
      const own = last && rows.row(last.batch)
      if (last && own) confirmed = confirmedAfter(confirmed, last, idsIn(own.headers))
    }
    rows.room = afterRoomBatch(rows.room, batch, confirmed)
    return number
  }

  #push(row: NewRow): number {
    const batch = ++this.#rows.last
    this.#rows.batches.push({ ...row, batch })
    return batch
  }

  async takeTerm(nonce: string): Promise<Term> {
    this.#assertOpen()
    const { state, term } = afterTerm(this.#rows.room, nonce)
    this.#rows.room = state
    return term
  }

  async welcomed(update: WelcomeUpdate): Promise<void> {
    this.#assertOpen()
    const rows = this.#rows
    assertTerm(rows.room, update.term)
    rows.room = afterWelcome(rows.room, update, this.#head())
  }

  async fork(term: Term, device: LogState['device']): Promise<void> {
    this.#assertOpen()
    assertTerm(this.#rows.room, term)
    this.#rows.room = afterFork(this.#rows.room, term, this.#head())
    this.#rows.device = device
  }

  #head(): number {
    return this.#rows.batches.at(-1)?.batch ?? 0
  }

  async state(outbox = true): Promise<LogState> {
    this.#assertOpen()
    const { logId, device, batches, totals, room } = this.#rows
    const newest = batches.at(-1)
    return {
      logId,
      device,
      head: { batch: newest?.batch ?? 0, time: newest?.time ?? 0 },
      first: batches[0]?.batch ?? 0,
      ...(totals === undefined ? undefined : { totals }),
      room: { ...room, ...(outbox ? this.#outbox() : { pending: 0, pendingBytes: 0 }) },
    }
  }

  #outbox(): { pending: number; pendingBytes: number } {
    const { batches, room } = this.#rows
    const first = this.#rows.indexFrom((room.confirmed?.batch ?? 0) + 1)
    let [pending, pendingBytes] = [0, 0]
    for (let i = first; i < batches.length; i++) {
      const row = batches[i] as Row
      const events = this.#pendingIn(row)
      pending += events
      if (events > 0) pendingBytes += bytesIn(row)
    }
    return { pending, pendingBytes }
  }

  #pendingIn(row: Row): number {
    if (row.kind !== 'own' || row.roomEvents === 0) return 0
    return pendingOf(row.roomEvents, this.#placement(row.batch))
  }

  async read(from: number, limit: number): Promise<StoredBatch[]> {
    this.#assertOpen()
    const first = this.#rows.indexFrom(from)
    return this.#rows.batches.slice(first, first + limit).map(toStored)
  }

  async readBack(to: number, limit: number): Promise<StoredBatch[]> {
    this.#assertOpen()
    const end = this.#rows.indexFrom(to + 1)
    return this.#rows.batches
      .slice(Math.max(0, end - limit), end)
      .reverse()
      .map(toStored)
  }

  async find(id: string): Promise<{ batch: StoredBatch; index: number } | undefined> {
    this.#assertOpen()
    const [prefix, counter] = parseId(id)
    for (const row of this.#rows.batches) {
      if (!row.ids.some((pair) => pair[0] === prefix && pair[1] >= counter)) continue
      if (!mayHold(row.headers, id)) continue
      const batch = toStored(row)
      const index = indexOfId(batch, id)
      if (index >= 0) return { batch, index }
    }
    return undefined
  }

  async readStream(stream: string): Promise<StoredStream[]> {
    this.#assertOpen()
    const rows = this.#rows.batches.filter(({ streams }) => streams.has(stream))
    return rows.map((row) => streamIn(toStored(row), stream))
  }

  async highest(prefix: string): Promise<number> {
    this.#assertOpen()
    let highest = 0
    for (const { ids } of this.#rows.batches) {
      for (const [known, counter] of ids)
        if (known === prefix && counter > highest) highest = counter
    }
    return highest
  }

  async placement(batch: number): Promise<Placement | undefined> {
    this.#assertOpen()
    return this.#placement(batch)
  }

  #placement(batch: number): Placement | undefined {
    return validPlacement(this.#rows.placements.get(batch), this.#rows.room.cuts)
  }

  async placements(from: number, to: number): Promise<Placement[]> {
    this.#assertOpen()
    const { batches } = this.#rows
    const found: Placement[] = []
    for (let i = this.#rows.indexFrom(from); i < batches.length; i++) {
      const { batch } = batches[i] as Row
      if (batch > to) break
      const placement = this.#placement(batch)
      if (placement) found.push(placement)
    }
    return found
  }

  async snapshot(name: string): Promise<string | undefined> {
    this.#assertOpen()
    return this.#rows.snapshots.get(name)
  }

  async keepSnapshot(name: string, text: string): Promise<void> {
    this.#assertOpen()
    const { snapshots } = this.#rows
    snapshots.delete(name)
    snapshots.set(name, text)
    for (const oldest of snapshots.keys()) {
      if (snapshots.size <= MAX_SNAPSHOTS) return
      snapshots.delete(oldest)
    }
  }

  async consumer(name: string): Promise<ConsumerRow | undefined> {
    this.#assertOpen()
    return this.#rows.consumers.get(name)
  }

  async consumers(): Promise<ConsumerRow[]> {
    this.#assertOpen()
    return [...this.#rows.consumers.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async writeConsumer(write: ConsumerWrite): Promise<number | undefined> {
    this.#assertOpen()
    const { name, generation, state, expected, dead: letters = [] } = write
    const { consumers, dead } = this.#rows
    if ((consumers.get(name)?.generation ?? 0) !== expected) return undefined
    consumers.set(name, { name, generation, state })
    if (letters.length === 0) return 0
    for (const { consumer, text } of letters) {
      const id = ++this.#rows.lastDead
      dead.set(id, { id, consumer, text })
    }
    const gone = deadTooMany([...dead.values()].map(({ text }) => text.length))
    for (const id of [...dead.keys()].slice(0, gone)) dead.delete(id)
    return gone
  }

  async removeConsumer(name: string): Promise<void> {
    this.#assertOpen()
    this.#rows.consumers.delete(name)
  }

  async deadLetters(): Promise<DeadRow[]> {
    this.#assertOpen()
    return [...this.#rows.dead.values()]
  }

  async changeDead(changes: ReadonlyMap<number, string | undefined>): Promise<number[]> {
    this.#assertOpen()
    const { dead } = this.#rows
    const changed: number[] = []
    for (const [id, text] of changes) {
      const row = dead.get(id)
      if (!row) continue
      changed.push(id)
      if (text === undefined) dead.delete(id)
      else dead.set(id, { ...row, text })
    }
    return changed
  }

  async trim(limits: RetentionLimits, outbox = true): Promise<Trimmed> {
    this.#assertOpen()
    const rows = this.#rows
    const known = rows.totals ?? NO_TOTALS
    const unseen = rows.indexFrom(known.through + 1)
    const added = rows.batches.slice(unseen, unseen + RECORDS_PER_STEP)
    rows.totals = addUp(known, added)
    if (added.length === RECORDS_PER_STEP) return { removed: 0, more: true }
    const start = rows.indexFrom(this.#trimFrom)
    const oldest = rows.batches.slice(start, start + RECORDS_PER_STEP)
    const plan = planTrim(oldest, rows.totals, limits, (row) => this.#stays(row, outbox))
    const gone = new Set(plan.remove)
    const kept = oldest.filter((row) => !gone.has(row))
    rows.batches.splice(start, oldest.length, ...kept)
    for (const row of plan.remove) {
      rows.placements.delete(row.batch)
      if (!outbox) markTrimmed(rows, row)
    }
    rows.totals = plan.totals
    const more = !plan.enough && oldest.length === RECORDS_PER_STEP
    this.#trimFrom = more ? (oldest.at(-1) as Row).batch + 1 : 0
    return { ...plan.trimmed, more }
  }

  #stays(row: Row, outbox: boolean): boolean {
    const { batches, room } = this.#rows
    const confirmed = room.confirmed?.batch ?? 0
    if (row === batches.at(-1) || row.batch === confirmed) return true
    return outbox && row.batch > confirmed && this.#pendingIn(row) > 0
  }

  async clear(): Promise<void> {
    this.#assertOpen()
    this.#lost = undefined
    this.#rows.clear()
    // Whoever was told may have opened it anew by now.
    if (this.#rows.users.size === 0) this.#rows.unused()
  }

  /** Somebody cleared the rows. */
  cleared(): void {
    this.#gone = new BusError('log_cleared', 'the log was cleared', { stage: 'log' })
    this.#lost?.(this.#gone)
  }

  async close(): Promise<void> {
    this.#gone ??= new BusError('closed', 'the log was closed', { stage: 'log' })
    if (this.#rows.users.delete(this) && this.#rows.users.size === 0) this.#rows.unused()
  }

  #assertOpen(): void {
    if (this.#gone) throw this.#gone
  }
}
