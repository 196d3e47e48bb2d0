/** What a log in memory holds. */
import type { Platform } from '../platform.ts'
import type { ConsumerRow, DeadRow } from './consumers.ts'
import type { LogState, OwnBatch, Placement, RoomBatch, StoredBatch, Totals } from './log.ts'
import { readRecord, readTexts } from './record.ts'
import { emptyRoomState, type WrittenRoomState } from './room-state.ts'
import type { StreamMark } from './stream-mark.ts'

export type NewRow = (OwnBatch & { kind: 'own' }) | (RoomBatch & { kind: 'room' })
export type Row = { readonly batch: number } & NewRow

let made = 0

/** What a log in memory holds; several logs may share it, as contexts share a disk. */
export class MemoryRows {
  readonly name: string = `memory:${++made}`
  readonly #platform: Platform
  logId = ''
  device: LogState['device'] = { id: '', secret: '' }
  /** Ascending by number. */
  batches: Row[] = []
  placements: Map<number, Placement> = new Map()
  /** What is noted of streams, by name. */
  marks: Map<string, StreamMark> = new Map()
  room: WrittenRoomState = emptyRoomState()
  totals: Totals | undefined
  /** By name, the one kept longest ago first. */
  snapshots: Map<string, string> = new Map()
  consumers: Map<string, ConsumerRow> = new Map()
  /** Oldest first. */
  dead: Map<number, DeadRow> = new Map()
  /** The newest number given to a dead letter. */
  lastDead = 0
  /** The newest number given. */
  last = 0
  /** Those who have it open. */
  readonly users: Set<{ cleared(): void }> = new Set()
  /** Called when nobody has it open any more, or when it was cleared. */
  readonly unused: () => void

  constructor(platform: Platform, unused: () => void = () => {}) {
    this.#platform = platform
    this.unused = unused
    this.clear()
  }

  /** An empty log with an id of its own; who had the old one open has none. */
  clear(): void {
    this.logId = this.#platform.randomText(22)
    this.device = { id: this.#platform.randomText(22), secret: this.#platform.randomText(43) }
    this.batches = []
    this.placements = new Map()
    this.marks = new Map()
    this.room = emptyRoomState()
    this.totals = undefined
    this.snapshots = new Map()
    this.consumers = new Map()
    this.dead = new Map()
    this.lastDead = 0
    this.last = 0
    const users = [...this.users]
    this.users.clear()
    for (const user of users) user.cleared()
  }

  /** Where the first record from number `from` on is. */
  indexFrom(from: number): number {
    let [low, high] = [0, this.batches.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.batches[middle] as Row).batch < from) low = middle + 1
      else high = middle
    }
    return low
  }

  row(batch: number): Row | undefined {
    const row = this.batches[this.indexFrom(batch)]
    return row?.batch === batch ? row : undefined
  }
}

export function toStored(row: Row): StoredBatch {
  return readRecord(row.batch, row.time, () => parse(row))
}

function parse(row: Row): StoredBatch {
  const { batch, time } = row
  const { headers, data } = readTexts(row.headers, row.data, batch)
  if (row.kind === 'own')
    return { kind: 'own', batch, time, headers, data, roomEvents: row.roomEvents }
  const { epoch, prev, position, runs } = row
  return { kind: 'room', batch, time, epoch, prev, position, runs, headers, data }
}
