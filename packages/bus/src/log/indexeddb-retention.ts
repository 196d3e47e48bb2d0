/** Removing what is over the limits from a log's database. */
import { placementsIn } from './indexeddb-room.ts'
import { type BatchRow, quiet, type WriteTransaction } from './indexeddb-rows.ts'
import type { RetentionLimits, Totals, Trimmed } from './log.ts'
import { pendingOf } from './placement.ts'
import { addUp, NO_TOTALS, planTrim, RECORDS_PER_STEP, type Sized } from './retention.ts'
import { readRoomState } from './room-state.ts'

/** One step, from record number `from` on; `next` is where the next one goes on. */
export async function trimStep(
  transaction: WriteTransaction,
  limits: RetentionLimits,
  outbox: boolean,
  from: number,
): Promise<{ trimmed: Trimmed; next: number }> {
  const meta = transaction.objectStore('meta')
  const [written, room] = await Promise.all([meta.get('totals'), meta.get('room')])
  const known = (written as Totals | undefined) ?? NO_TOTALS
  const unseen = await recordsFrom(transaction, known.through + 1)
  const totals = addUp(known, unseen)
  if (unseen.length === RECORDS_PER_STEP) {
    quiet(meta.put(totals, 'totals'))
    return { trimmed: { removed: 0, more: true }, next: from }
  }
  const oldest = await recordsFrom(transaction, from)
  const last = oldest.at(-1)
  const { confirmed, cuts } = readRoomState(room)
  const placements =
    outbox && last ? await placementsIn(transaction, from, last.batch, cuts) : new Map()
  const byNumber = new Map(oldest.map((row) => [row.batch, row]))
  const plan = planTrim(oldest, totals, limits, (batch) => {
    if (batch === totals.through || batch === confirmed?.batch) return true
    if (!outbox || batch < (confirmed?.batch ?? 0)) return false
    return pendingOf(byNumber.get(batch)?.roomEvents ?? 0, placements.get(batch)) > 0
  })
  for (const batch of plan.remove) remove(transaction, batch)
  quiet(meta.put(plan.totals, 'totals'))
  const more = !plan.enough && oldest.length === RECORDS_PER_STEP
  return { trimmed: { ...plan.trimmed, more }, next: more && last ? last.batch + 1 : 0 }
}

async function recordsFrom(
  transaction: WriteTransaction,
  from: number,
): Promise<(Sized & Pick<BatchRow, 'roomEvents'>)[]> {
  const store = transaction.objectStore('batches')
  const range = IDBKeyRange.lowerBound(from)
  const [keys, rows] = await Promise.all([
    store.getAllKeys(range, RECORDS_PER_STEP),
    store.getAll(range, RECORDS_PER_STEP),
  ])
  return rows.map((row, i) => ({ ...row, batch: keys[i] as number }))
}

function remove(transaction: WriteTransaction, batch: number): void {
  quiet(transaction.objectStore('batches').delete(batch))
  quiet(transaction.objectStore('room').delete(batch))
  quiet(transaction.objectStore('streams').delete(IDBKeyRange.bound([batch], [batch, []])))
}
