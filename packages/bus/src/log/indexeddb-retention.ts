/** Removing what is over the limits from a log's database. */
import { recordsFrom } from './indexeddb-read.ts'
import { placementsIn, settleMore } from './indexeddb-room.ts'
import { lastIn, partsOf, quiet, type WriteTransaction } from './indexeddb-rows.ts'
import { noteTrimmed } from './indexeddb-streams.ts'
import type { RetentionLimits, Totals, Trimmed } from './log.ts'
import { pendingOf } from './placement.ts'
import { addUp, NO_TOTALS, planTrim, RECORDS_PER_STEP } from './retention.ts'
import { readRoomState, type WrittenRoomState } from './room-state.ts'

/** One step, from record number `from` on; `next` is where the next one goes on. */
export async function trimStep(
  transaction: WriteTransaction,
  limits: RetentionLimits,
  outbox: boolean,
  from: number,
): Promise<{ trimmed: Trimmed; next: number }> {
  const meta = transaction.objectStore('meta')
  const [written, room] = await Promise.all([meta.get('totals'), meta.get('room')])
  const state = readRoomState(room)
  const settling = outbox && (await settle(transaction, state))
  const known = (written as Totals | undefined) ?? NO_TOTALS
  const unseen = await recordsFrom(transaction, known.through + 1, RECORDS_PER_STEP)
  const totals = addUp(known, unseen)
  if (unseen.length === RECORDS_PER_STEP) {
    quiet(meta.put(totals, 'totals'))
    return { trimmed: { removed: 0, more: true }, next: from }
  }
  const oldest = await recordsFrom(transaction, from, RECORDS_PER_STEP)
  const records = oldest.map((row) => ({ ...row, last: lastIn(row) }))
  const last = records.at(-1)?.last ?? from
  const { confirmed, cuts } = state
  const placements = await placementsIn(transaction, from, last, cuts)
  const waits = ({ batch, roomEvents }: { batch: number; roomEvents?: number }): boolean =>
    outbox && batch > (confirmed?.batch ?? 0) && pendingOf(roomEvents, placements.get(batch)) > 0
  const plan = planTrim(records, totals, limits, (row) => {
    // The newest record is never a merged one.
    if (row.batch === totals.through) return true
    return partsOf(row).some((one) => one.batch === confirmed?.batch || waits(one))
  })
  if (!outbox) await noteTrimmed(transaction, plan.remove)
  for (const { batch, last } of plan.remove) remove(transaction, batch, last)
  quiet(meta.put(plan.totals, 'totals'))
  const more = !plan.enough && oldest.length === RECORDS_PER_STEP
  return { trimmed: { ...plan.trimmed, more: more || settling }, next: more ? last + 1 : 0 }
}

/** Whether there is more to settle. */
async function settle(transaction: WriteTransaction, state: WrittenRoomState): Promise<boolean> {
  const { settled, more } = await settleMore(transaction, state)
  const changed = settled !== state.settled
  if (changed) quiet(transaction.objectStore('meta').put({ ...state, settled }, 'room'))
  return more && changed
}

/** Removes a record of the batches from one number to another, and all that belongs to them. */
function remove(transaction: WriteTransaction, first: number, last: number): void {
  const range = IDBKeyRange.bound(first, last)
  quiet(transaction.objectStore('batches').delete(range))
  quiet(transaction.objectStore('room').delete(range))
  quiet(transaction.objectStore('streams').delete(IDBKeyRange.bound([first], [last, []])))
}
