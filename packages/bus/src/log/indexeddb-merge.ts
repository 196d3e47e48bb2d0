/**
 * Merging: reading costs by the record, so that small neighbours of one kind become one record. It
 * holds them as parts that keep their numbers; nobody who reads sees a difference.
 */

import { recordsFrom } from './indexeddb-read.ts'
import { placementsIn } from './indexeddb-room.ts'
import {
  type BatchRow,
  type NumberedRow,
  quiet,
  toBatches,
  type WriteTransaction,
} from './indexeddb-rows.ts'
import type { Merged, Totals } from './log.ts'
import { pendingOf } from './placement.ts'
import { bytesIn, NO_TOTALS } from './retention.ts'
import { readRoomState } from './room-state.ts'

/** Records looked at in one transaction. */
const RECORDS_PER_STEP = 256

/** Parts of a record at most: about what is read at once, so that little is read twice. */
const MAX_PARTS = 32
const MAX_BYTES = 256 * 1024
/** Characters of a record that is small. */
const SMALL_BYTES = 16 * 1024

type Small = NumberedRow & { readonly events: number }

/** One step. A group that could still grow is left for a later one. */
export async function mergeStep(transaction: WriteTransaction, outbox: boolean): Promise<Merged> {
  const meta = transaction.objectStore('meta')
  const [written, room, counted, newest] = await Promise.all([
    meta.get('merged'),
    meta.get('room'),
    meta.get('totals'),
    transaction.objectStore('batches').openKeyCursor(null, 'prev'),
  ])
  const { confirmed, cuts } = readRoomState(room)
  let through = (written as number | undefined) ?? 0
  let totals = (counted as Totals | undefined) ?? NO_TOTALS
  const records = await recordsFrom(transaction, through + 1, RECORDS_PER_STEP)
  const last = records.at(-1)
  if (!last) return { merged: 0, more: false }
  const placements = await placementsIn(transaction, through + 1, last.batch, cuts)
  const waits = ({ batch, kind, roomEvents }: NumberedRow): boolean =>
    batch === newest?.key ||
    (outbox &&
      kind === 'own' &&
      batch > (confirmed?.batch ?? 0) &&
      pendingOf(roomEvents, placements.get(batch)) > 0)

  let merged = 0
  let group: Small[] = []
  const close = (): void => {
    if (group.length > 1) {
      const size = merge(transaction, group)
      merged += group.length
      if ((group[0] as Small).batch <= totals.through) {
        totals = { ...totals, bytes: totals.bytes + size }
      }
    }
    through = group.at(-1)?.batch ?? through
    group = []
  }
  const end = records.findIndex(waits)
  for (const record of end < 0 ? records : records.slice(0, end)) {
    const small = record.batch === confirmed?.batch ? undefined : asSmall(record)
    if (!small || !fits(group, small, totals.through)) close()
    if (small) group.push(small)
    else through = record.batch
  }
  quiet(meta.put(through, 'merged'))
  if (merged > 0 && counted !== undefined) quiet(meta.put(totals, 'totals'))
  return { merged, more: end < 0 && records.length === RECORDS_PER_STEP }
}

/** A record that may be merged. One that is damaged stays alone: it must not spoil others. */
function asSmall(record: NumberedRow): Small | undefined {
  if (record.merged || bytesIn(record) > SMALL_BYTES) return undefined
  const [batch] = toBatches(record)
  return batch && !batch.damaged ? { ...record, events: batch.headers.length } : undefined
}

/** Whether a record can be in a group with others; what was counted must not get into what was not. */
function fits(group: readonly Small[], next: Small, counted: number): boolean {
  const first = group[0]
  if (!first) return true
  const bytes = group.reduce((sum, one) => sum + bytesIn(one), bytesIn(next))
  return (
    first.kind === next.kind &&
    group.length < MAX_PARTS &&
    bytes <= MAX_BYTES &&
    first.batch <= counted === next.batch <= counted
  )
}

/** Writes one record in the place of several; by how much it is larger. */
function merge(transaction: WriteTransaction, group: readonly Small[]): number {
  const [first, last] = [group[0] as Small, group.at(-1) as Small]
  const full = group.filter(({ events }) => events > 0)
  const ids = new Map<string, number>()
  for (const [prefix, counter] of group.flatMap((one) => one.ids)) {
    ids.set(prefix, Math.max(counter, ids.get(prefix) ?? 0))
  }
  const row: BatchRow = {
    kind: first.kind,
    time: last.time,
    headers: `[${full.map(({ headers }) => headers.slice(1, -1)).join()}]`,
    data: full.map(({ data }) => data).join('\n'),
    types: [...new Set(group.flatMap((one) => one.types))],
    ids: [...ids],
    merged: group.map(({ kind, headers, data, types, ids, merged, ...part }) => part),
  }
  const store = transaction.objectStore('batches')
  quiet(store.delete(IDBKeyRange.bound(first.batch, last.batch)))
  quiet(store.put(row, first.batch))
  return bytesIn(row) - group.reduce((sum, one) => sum + bytesIn(one), 0)
}
