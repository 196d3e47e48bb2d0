import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import { runtimePlatform } from '../platform.ts'
import { damagedRecords } from '../testing/damaged-records.ts'
import type { Log, OwnBatch } from './log.ts'
import { MemoryLog } from './memory.ts'
import { MemoryRows } from './memory-rows.ts'
import { ownBatch } from './record.ts'
import { sqliteLog } from './sqlite.ts'

const platform = runtimePlatform()

const rowsOf = new Map<Log, MemoryRows>()
damagedRecords(
  'memory',
  { describe, it },
  {
    create() {
      const rows = new MemoryRows(platform)
      const log = new MemoryLog(platform, rows)
      rowsOf.set(log, rows)
      return log
    },
    damage(log, record, field, value) {
      const batches = rowsOf.get(log)?.batches ?? []
      batches[record - 1] = Object.assign({ ...batches[record - 1] }, { [field]: value }) as never
    },
  },
)

const folder = mkdtempSync(join(tmpdir(), 'crosstown-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const paths = new Map<Log, string>()

/** A log has its file for itself: it is closed while something else writes to it. */
async function change(log: Log, sql: string, ...values: (string | number)[]): Promise<void> {
  await log.close()
  const database = new DatabaseSync(paths.get(log) as string)
  database.prepare(sql).run(...values)
  database.close()
  await log.open()
}

const textOf = (value: unknown): string | number =>
  typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value)

damagedRecords(
  'sqlite',
  { describe, it },
  {
    create() {
      const path = join(folder, `${++files}.db`)
      const log = sqliteLog(path).create('shop', '42', platform)
      paths.set(log, path)
      return log
    },
    damage(log, record, field, value) {
      const column = field === 'roomEvents' ? 'room_events' : field
      const sql = `UPDATE crosstown_batches SET ${column} = ? WHERE batch = ?`
      return change(log, sql, textOf(value), record)
    },
    damagePlacement(log, record, value) {
      return change(
        log,
        'UPDATE crosstown_room SET placement = ? WHERE batch = ?',
        textOf(value),
        record,
      )
    },
  },
)

describe('sqlite log', () => {
  it('is trimmed, written to and counted where the copy of a stream is no such thing', async () => {
    const path = join(folder, `${++files}.db`)
    const log = sqliteLog(path).create('shop', '', platform)
    paths.set(log, path)
    await log.open()
    const batch = (n: number): OwnBatch => {
      const event = { id: `p-${n}`, type: 'a', source: 'x', time: 1, stream: 's' }
      return ownBatch([{ event, headerText: JSON.stringify(event), dataText: '1' }], 1)
    }
    for (const n of [1, 2, 3]) await log.append(batch(n))
    await change(log, 'UPDATE crosstown_streams SET indexes = ? WHERE batch = 2', '[')
    const exists = [{ stream: 's', before: 0, expected: 'exists' }] as const
    expect(await log.appendExpected(exists, () => batch(4))).toBe(4)
    expect(await log.countStreams(['s'], 9)).toEqual([3])
    const limits = { events: 1, bytes: Number.POSITIVE_INFINITY, before: 0 }
    while ((await log.trim(limits, false)).more);
    expect((await log.read(0, 9)).map((one) => one.batch)).toEqual([4])
    await log.close()
  })
})
