/** The `room` store: where the room has the events of a record, and what waits to get there. */
import type { BatchRef } from '../protocol/frames.ts'
import type { Cut } from '../protocol/position.ts'
import { recordsFrom, recordWith } from './indexeddb-read.ts'
import {
  lastIn,
  numbered,
  partsOf,
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
import { idsIn } from './record.ts'
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
  const ids = last && (await idsOf(transaction, last.batch))
  await Promise.all(places)
  return last && ids ? confirmedAfter(state.confirmed, last, ids) : state.confirmed
}

/** The ids of a batch's events, by index; of a batch alone in its record that is one request. */
async function idsOf(
  transaction: WriteTransaction,
  batch: number,
): Promise<readonly (string | undefined)[]> {
  const store = transaction.objectStore('batches')
  let key = batch
  let found: unknown = await store.get(key)
  if (found === undefined) {
    key = await recordWith(transaction, batch)
    found = await store.get(key)
  }
  const row = numbered(found, key)
  const ids = idsIn(row.headers)
  let first = 0
  for (const part of row.merged ?? [{ batch: key, events: ids.length }]) {
    if (part.batch === batch) return ids.slice(first, first + part.events)
    first += part.events
  }
  return []
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
  const after = state.confirmed?.batch ?? 0
  let [pending, pendingBytes] = [0, 0]
  for (let from = await recordWith(transaction, after + 1); ; ) {
    const rows = await recordsFrom(transaction, from, CHUNK)
    const last = rows.at(-1)
    if (!last) return { pending, pendingBytes }
    const placements = await placementsIn(transaction, from, lastIn(last), state.cuts)
    for (const row of rows) {
      const events = partsOf(row)
        .filter(({ batch }) => batch > after)
        .reduce((sum, one) => sum + pendingOf(one.roomEvents, placements.get(one.batch)), 0)
      pending += events
      if (events > 0) pendingBytes += bytesIn(row)
    }
    if (rows.length < CHUNK) return { pending, pendingBytes }
    from = lastIn(last) + 1
  }
}
