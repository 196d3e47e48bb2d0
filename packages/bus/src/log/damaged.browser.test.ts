import { describe, expect, it } from 'vitest'
import { indexedDbLog } from '../indexed-db-log.ts'
import { runtimePlatform } from '../platform.ts'
import { damagedRecords } from '../testing/damaged-records.ts'
import type { Log, OwnBatch } from './log.ts'
import { ownBatch } from './record.ts'

const platform = runtimePlatform()
let names = 0
const nameOf = new Map<Log, string>()

function open(): Log {
  const name = `damaged-${Date.now()}-${++names}`
  const log = indexedDbLog().create(name, 'room', platform)
  nameOf.set(log, name)
  return log
}

function own(id: string, stream?: string): OwnBatch {
  const event = { id, type: 'a', source: 'x', time: 1, ...(stream && { stream }) }
  return ownBatch([{ event, headerText: JSON.stringify(event), dataText: '1' }], 1)
}

/** Reads a row on a connection of its own, and writes what `change` makes of it. */
async function rewrite(
  log: Log,
  store: string,
  key: IDBValidKey,
  change: (row: Record<string, unknown>) => unknown,
): Promise<void> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(`crosstown:${nameOf.get(log)}:room`)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  await new Promise<void>((resolve, reject) => {
    const transaction = database.transaction(store, 'readwrite')
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    const rows = transaction.objectStore(store)
    const read = rows.get(key)
    read.onsuccess = () => {
      const row = change(read.result as Record<string, unknown>)
      if (rows.keyPath === null) rows.put(row, key)
      else rows.put(row)
    }
  })
  database.close()
}

damagedRecords(
  'indexeddb',
  { describe, it },
  {
    create: open,
    damage: (log, record, field, value) =>
      rewrite(log, 'batches', record, (row) => ({ ...row, [field]: value })),
    // Its key is in the row: without it the row would be another's.
    damagePlacement: (log, record, value) =>
      rewrite(log, 'room', record, () => ({ ...(value as object), batch: record })),
  },
)

describe('indexeddb log', () => {
  it('says so of a row that is no record at all, and reads the others', async () => {
    for (const row of [null, 7, 'x', []]) {
      const log = open()
      await log.open()
      for (const n of [1, 2, 3]) await log.append(own(`p-${n}`))
      await rewrite(log, 'batches', 2, () => row)
      const read = await log.read(0, 9)
      expect(read.map(({ headers }) => headers.map(({ id }) => id))).toEqual([['p-1'], [], ['p-3']])
      expect(read[1]?.damaged).toMatchObject({ code: 'log_damaged' })
      await rewrite(log, 'batches', 3, () => row)
      expect((await log.state()).head).toEqual({ batch: 3, time: 0 })
      await log.close()
    }
  })

  it('is trimmed where the copy of a stream is no such thing', async () => {
    for (const row of [null, 7, {}, { streams: 7 }, { streams: [7, 's'] }]) {
      const log = open()
      await log.open()
      for (const n of [1, 2, 3, 4]) await log.append(own(`p-${n}`, 's'))
      await rewrite(log, 'streams', [2, 0], () => row)
      const limits = { events: 1, bytes: Number.POSITIVE_INFINITY, before: 0 }
      while ((await log.trim(limits, false)).more);
      expect((await log.read(0, 9)).map(({ batch }) => batch)).toEqual([4])
      await log.close()
    }
  })
})
