/** The `room` store: where the room has the events of a record, and what waits to get there. */
import type { BatchRef } from '../protocol/frames.ts'
import type { Cut } from '../protocol/position.ts'
import { recordsFrom, recordWith } from './indexeddb-read.ts'
import {
  lastIn,
  type NumberedRow,
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

/** Up to this batch nothing is pending, as far as is written. */
function settledIn({ confirmed, settled = 0 }: WrittenRoomState): number {
  return Math.max(confirmed?.batch ?? 0, settled)
}

/** The records after what is settled, from number `from` on, and how many events each has pending. */
async function pendingFrom(
  transaction: ReadTransaction | WriteTransaction,
  state: WrittenRoomState,
  from: number,
): Promise<{ readonly row: NumberedRow; readonly events: number }[]> {
  const settled = settledIn(state)
  const rows = await recordsFrom(transaction, from, CHUNK)
  const last = rows.at(-1)
  if (!last) return []
  const placements = await placementsIn(transaction, from, lastIn(last), state.cuts)
  return rows.map((row) => ({
    row,
    events: partsOf(row)
      .filter(({ batch }) => batch > settled)
      .reduce((sum, one) => sum + pendingOf(one.roomEvents, placements.get(one.batch)), 0),
  }))
}

/** What of the own batches after the confirmed one the room has not decided on. */
export async function countOutbox(
  transaction: ReadTransaction,
  state: WrittenRoomState,
): Promise<{ pending: number; pendingBytes: number }> {
  let [pending, pendingBytes] = [0, 0]
  for (let from = await recordWith(transaction, settledIn(state) + 1); ; ) {
    const records = await pendingFrom(transaction, state, from)
    for (const { row, events } of records) {
      pending += events
      if (events > 0) pendingBytes += bytesIn(row)
    }
    const last = records.at(-1)
    if (!last || records.length < CHUNK) return { pending, pendingBytes }
    from = lastIn(last.row) + 1
  }
}

/**
 * Looks a step further than is settled. Counting then starts behind it: a log that mostly reads has
 * few own batches, the last of which may be confirmed long since.
 */
export async function settleMore(
  transaction: WriteTransaction,
  state: WrittenRoomState,
): Promise<{ readonly settled: number; readonly more: boolean }> {
  const known = settledIn(state)
  const from = await recordWith(transaction, known + 1)
  const records = await pendingFrom(transaction, state, from)
  const end = records.findIndex(({ events }) => events > 0)
  const last = records.at(end < 0 ? -1 : end - 1)
  const none = end === 0 || last === undefined
  return {
    settled: none ? known : Math.max(known, lastIn(last.row)),
    more: end < 0 && records.length === CHUNK,
  }
}
