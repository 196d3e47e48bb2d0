/** The stores `consumers`, which snapshots share, and `dead`. */
import { isAmount, isObject } from '../protocol/checks.ts'
import { type ConsumerRow, type ConsumerWrite, type DeadRow, deadTooMany } from './consumers.ts'
import { quiet, type ReadTransaction, type WriteTransaction } from './indexeddb-rows.ts'

/** Before the key of each consumer. */
const CONSUMER = 'consumer:'
/** In `consumers`: how long each dead letter is, so that no letter is read to know it. */
const SIZES = 'dead'

export function consumerKey(name: string): string {
  return CONSUMER + name
}

export async function readConsumer(
  transaction: ReadTransaction | WriteTransaction,
  name: string,
): Promise<ConsumerRow | undefined> {
  const row: unknown = await transaction.objectStore('consumers').get(consumerKey(name))
  return rowOf(row, name)
}

export async function consumersIn(transaction: ReadTransaction): Promise<ConsumerRow[]> {
  const range = IDBKeyRange.bound(CONSUMER, `${CONSUMER}\uffff`)
  const store = transaction.objectStore('consumers')
  const [keys, rows] = await Promise.all([store.getAllKeys(range), store.getAll(range)])
  return rows.flatMap((row, nth) => rowOf(row, (keys[nth] as string).slice(CONSUMER.length)) ?? [])
}

/** A row that others made something else of is none: the consumer begins anew. */
function rowOf(row: unknown, name: string): ConsumerRow | undefined {
  if (!isObject(row) || !isAmount(row['generation']) || typeof row['state'] !== 'string')
    return undefined
  return { name, generation: row['generation'] as number, state: row['state'] }
}

export async function writeConsumer(
  transaction: WriteTransaction,
  { name, generation, state, expected, dead = [] }: ConsumerWrite,
): Promise<number | undefined> {
  const consumers = transaction.objectStore('consumers')
  const row = await readConsumer(transaction, name)
  if ((row?.generation ?? 0) !== expected) return undefined
  quiet(consumers.put({ generation, state }, consumerKey(name)))
  if (dead.length === 0) return 0
  const letters = transaction.objectStore('dead')
  const [known, ids] = await Promise.all([consumers.get(SIZES), letters.getAllKeys()])
  const there = new Set(ids)
  const sizes = ((Array.isArray(known) ? known : []) as [id: number, size: number][]).filter(
    ([id]) => there.has(id),
  )
  for (const letter of dead) sizes.push([await letters.add(letter), letter.text.length])
  const gone = deadTooMany(sizes.map(([, size]) => size))
  for (const [id] of sizes.splice(0, gone)) quiet(letters.delete(id))
  quiet(consumers.put(sizes, SIZES))
  return gone
}

export async function deadIn(transaction: ReadTransaction | WriteTransaction): Promise<DeadRow[]> {
  const store = transaction.objectStore('dead')
  const [ids, letters] = await Promise.all([store.getAllKeys(), store.getAll()])
  return letters.map(({ consumer, text }, nth) => ({ id: ids[nth] as number, consumer, text }))
}

export async function changeDead(
  transaction: WriteTransaction,
  changes: ReadonlyMap<number, string | undefined>,
): Promise<number[]> {
  const store = transaction.objectStore('dead')
  const changed: number[] = []
  for (const [id, text] of changes) {
    const letter = await store.get(id)
    if (!letter) continue
    changed.push(id)
    quiet(text === undefined ? store.delete(id) : store.put({ ...letter, text }, id))
  }
  return changed
}
