/** The `room` store: where the room has the events of a record, and what waits to get there. */
import type { BatchRef } from '../protocol/frames.ts'
import type { Cut } from '../protocol/position.ts'
import {
  type BatchRow,
  quiet,
  type ReadTransaction,
  type WriteTransaction,
} from './indexeddb-rows.ts'
import type { Placement, RoomBatch } from './log.ts'
import {
  confirmedAfter,
  lastDecided,
  pendingOf,
  placed,
  placingRuns,
  readPlacement,
  validPlacement,
} from './placement.ts'
import { bytesIn } from './retention.ts'
import type { WrittenRoomState } from './room-state.ts'

/** Records read at once. */
const CHUNK = 64

/** Writes the placements in a room batch; the pair of the last confirmed own batch after it. */
export async function placeEvents(
  transaction: WriteTransaction,
  batch: RoomBatch,
  number: number,
  state: WrittenRoomState,
): Promise<BatchRef | undefined> {
  const rows = transaction.objectStore('room')
  const by = { record: number, epoch: batch.epoch }
  const places = [...placingRuns(batch)].map(async ([record, runs]) => {
    const row = await rows.get(record)
    quiet(rows.put(placed(record, row && readPlacement(row, record), runs, by, state.cuts)))
  })
  const last = lastDecided(batch)
  const own = last && (await transaction.objectStore('batches').get(last.batch))
  await Promise.all(places)
  if (!last || !own) return state.confirmed
  return confirmedAfter(state.confirmed, last, own.headers)
}

/** The valid placements of records `from` to `to`, by record. */
export async function placementsIn(
  transaction: ReadTransaction | WriteTransaction,
  from: number,
  to: number,
  cuts: readonly Cut[],
): Promise<Map<number, Placement>> {
  const found = new Map<number, Placement>()
  const rows = await transaction.objectStore('room').getAll(IDBKeyRange.bound(from, to))
  for (const row of rows) {
    const placement = validPlacement(readPlacement(row, row.batch), cuts)
    if (placement) found.set(placement.batch, placement)
  }
  return found
}

/** What of the own batches after the confirmed one the room has not decided on. */
export async function countOutbox(
  transaction: ReadTransaction,
  state: WrittenRoomState,
): Promise<{ pending: number; pendingBytes: number }> {
  const batches = transaction.objectStore('batches')
  let [pending, pendingBytes] = [0, 0]
  let after = state.confirmed?.batch ?? 0
  while (true) {
    const range = IDBKeyRange.lowerBound(after, true)
    const [keys, rows] = await Promise.all([
      batches.getAllKeys(range, CHUNK),
      batches.getAll(range, CHUNK),
    ])
    const newest = keys.at(-1)
    if (newest === undefined) return { pending, pendingBytes }
    const placements = await placementsIn(transaction, after + 1, newest, state.cuts)
    rows.forEach((row, i) => {
      const events = pendingOf(
        (row as BatchRow | null)?.roomEvents,
        placements.get(keys[i] as number),
      )
      pending += events
      if (events > 0) pendingBytes += bytesIn(row)
    })
    if (keys.length < CHUNK) return { pending, pendingBytes }
    after = newest
  }
}
