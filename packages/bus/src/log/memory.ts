/**
 * The log in memory: for servers, tests, and pages without a database. It is also the reference
 * of the contract: the plainest thing that keeps it.
 */
import { BusError } from '../errors.ts'
import { parseId } from '../event.ts'
import type { Platform } from '../platform.ts'
import type { BatchRef, Term } from '../protocol/frames.ts'
import type {
  Log,
  LogSource,
  LogState,
  OwnBatch,
  Placement,
  RoomBatch,
  RoomState,
  StoredBatch,
  WelcomeUpdate,
} from './log.ts'
import { indexOfId, placementsOf, readRecord, readTexts } from './record.ts'
import {
  afterRoomBatch,
  afterTerm,
  afterWelcome,
  assertFollows,
  assertTerm,
  emptyRoomState,
} from './room-state.ts'

type Row = (OwnBatch & { kind: 'own' }) | (RoomBatch & { kind: 'room' })

/**
 * Keeps the log in this process; gone when the process ends.
 *
 * @example createBus({ name: 'orders', log: memoryLog() })
 */
export function memoryLog(): LogSource {
  return {
    kind: 'memory',
    required: true,
    available: () => true,
    create: (_name, _room, platform) => new MemoryLog(platform),
  }
}

/** Logs in use by name and room: the contexts of one process that use the default share theirs. */
const SHARED = new Map<string, { log: MemoryLog; users: number }>()

/** The default where there is no IndexedDB: one log for all buses of a name in this process. */
export function processMemoryLog(): LogSource {
  return {
    kind: 'memory',
    required: true,
    available: () => true,
    create(name, room, platform) {
      const key = `${name}:${room}`
      const known = SHARED.get(key) ?? { log: new MemoryLog(platform), users: 0 }
      known.users += 1
      SHARED.set(key, known)
      return new SharedMemoryLog(known.log, () => {
        known.users -= 1
        if (known.users === 0) SHARED.delete(key)
      })
    },
  }
}

export class MemoryLog implements Log {
  readonly kind = 'memory'
  readonly shared = false
  readonly #rows: Row[] = []
  readonly #placements = new Map<number, Placement>()
  readonly #logId: string
  readonly #device: LogState['device']
  #room: RoomState = emptyRoomState()
  #closed = false

  constructor(platform: Platform) {
    this.#logId = platform.randomText(22)
    this.#device = { id: platform.randomText(22), secret: platform.randomText(43) }
  }

  open(): Promise<LogState> {
    this.#closed = false
    return this.state()
  }

  async append(batch: OwnBatch, begun?: () => void): Promise<number> {
    this.#assertOpen()
    const number = this.#rows.push({ kind: 'own', ...batch })
    begun?.()
    this.#room = { ...this.#room, pending: this.#room.pending + batch.roomEvents }
    return number
  }

  async appendRoom(batch: RoomBatch, term: Term): Promise<number> {
    this.#assertOpen()
    assertFollows(this.#room, batch, term)
    if (batch.runs.length === 0) {
      this.#room = afterRoomBatch(this.#room, batch, undefined, 0)
      return 0
    }
    const number = this.#rows.push({ kind: 'room', ...batch })
    let confirmed: BatchRef | undefined
    let events = 0
    for (const placement of placementsOf(batch, number)) {
      this.#placements.set(placement.batch, placement)
      const own = this.#rows[placement.batch - 1]
      if (own?.kind !== 'own' || own.lastRoomId === undefined) continue
      confirmed = { batch: placement.batch, id: own.lastRoomId }
      events += own.roomEvents
    }
    this.#room = afterRoomBatch(this.#room, batch, confirmed, events)
    return number
  }

  async takeTerm(nonce: string): Promise<Term> {
    this.#assertOpen()
    const { state, term } = afterTerm(this.#room, nonce)
    this.#room = state
    return term
  }

  async welcomed(update: WelcomeUpdate): Promise<void> {
    this.#assertOpen()
    assertTerm(this.#room, update.term)
    this.#room = afterWelcome(this.#room, update)
  }

  async state(): Promise<LogState> {
    const newest = this.#rows.at(-1)
    return {
      logId: this.#logId,
      device: this.#device,
      head: { batch: this.#rows.length, time: newest?.time ?? 0 },
      room: this.#room,
    }
  }

  async read(from: number, limit: number): Promise<StoredBatch[]> {
    const first = Math.max(from, 1)
    return this.#rows.slice(first - 1, first - 1 + limit).map((row, i) => toStored(row, first + i))
  }

  async readBack(to: number, limit: number): Promise<StoredBatch[]> {
    const last = Math.min(to, this.#rows.length)
    const rows: StoredBatch[] = []
    for (let number = last; number >= 1 && rows.length < limit; number--) {
      rows.push(toStored(this.#rows[number - 1] as Row, number))
    }
    return rows
  }

  async find(id: string): Promise<{ batch: StoredBatch; index: number } | undefined> {
    const [prefix, counter] = parseId(id)
    const at = this.#rows.findIndex((row) =>
      row.ids.some((pair) => pair[0] === prefix && pair[1] >= counter),
    )
    if (at < 0) return undefined
    const batch = toStored(this.#rows[at] as Row, at + 1)
    const index = indexOfId(batch, id)
    return index < 0 ? undefined : { batch, index }
  }

  async placement(batch: number): Promise<Placement | undefined> {
    return this.#placements.get(batch)
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  #assertOpen(): void {
    if (this.#closed) throw new BusError('closed', 'the log was closed', { stage: 'log' })
  }
}

/** One user's handle of a memory log that several use. */
class SharedMemoryLog implements Log {
  readonly kind = 'memory'
  readonly shared = false
  readonly #log: MemoryLog
  #release: (() => void) | undefined

  constructor(log: MemoryLog, release: () => void) {
    this.#log = log
    this.#release = release
  }

  open = async (): Promise<LogState> => this.#open().open()
  append = async (batch: OwnBatch, begun?: () => void): Promise<number> =>
    this.#open().append(batch, begun)
  appendRoom = async (batch: RoomBatch, term: Term): Promise<number> =>
    this.#open().appendRoom(batch, term)
  takeTerm = async (nonce: string): Promise<Term> => this.#open().takeTerm(nonce)
  welcomed = async (update: WelcomeUpdate): Promise<void> => this.#open().welcomed(update)
  state = async (): Promise<LogState> => this.#open().state()
  read = async (from: number, limit: number): Promise<StoredBatch[]> =>
    this.#open().read(from, limit)
  readBack = async (to: number, limit: number): Promise<StoredBatch[]> =>
    this.#open().readBack(to, limit)
  find = async (id: string): ReturnType<Log['find']> => this.#open().find(id)
  placement = async (batch: number): Promise<Placement | undefined> => this.#open().placement(batch)

  async close(): Promise<void> {
    this.#release?.()
    this.#release = undefined
  }

  #open(): MemoryLog {
    if (!this.#release) throw new BusError('closed', 'the log was closed', { stage: 'log' })
    return this.#log
  }
}

function toStored(row: Row, batch: number): StoredBatch {
  return readRecord(batch, row.time, () => parse(row, batch))
}

function parse(row: Row, batch: number): StoredBatch {
  const { headers, data } = readTexts(row.headers, row.data, batch)
  return row.kind === 'own'
    ? { kind: 'own', batch, time: row.time, headers, data, roomEvents: row.roomEvents }
    : {
        kind: 'room',
        batch,
        time: row.time,
        epoch: row.epoch,
        prev: row.prev,
        position: row.position,
        runs: row.runs,
        headers,
        data,
      }
}
