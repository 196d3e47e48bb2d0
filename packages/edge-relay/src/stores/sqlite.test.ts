import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lastPlace, type RoomRecord, START } from '../record.ts'
import { createRelay } from '../relay.ts'
import { storeContract } from '../testing/store-contract.ts'
import { sqliteStore } from './sqlite.ts'
import type { Append } from './store.ts'

let folder = ''
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-store-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const newFile = (): string => join(folder, `sub-${++files}`, 'events.db')

storeContract(
  { describe, it, expect },
  'sqliteStore',
  async () => {
    const path = newFile()
    return { store: sqliteStore(path), reopen: async () => sqliteStore(path) }
  },
  { lasts: true },
)

/** Reads a file of a relay as any other process may. */
const READER = `
import { DatabaseSync } from 'node:sqlite'
const database = new DatabaseSync(process.argv[1], { readOnly: true })
process.stdout.write(JSON.stringify(database.prepare('SELECT * FROM events ORDER BY room, place').all()))
`

it('shows events to SQL as rows, to other processes and while it is open, whatever their data has in it', async () => {
  const path = newFile()
  const relay = createRelay({ store: sqliteStore(path) })
  const given = [
    { type: 'order.made', stream: 'order-7', data: { total: 3 } },
    { type: 'order.paid', data: { by: 'a\u0000b\nc', path: 'C:\\new\\\\n "quoted",\t\\' } },
    { type: 'order.seen' },
    { type: 'order.told', correlationId: 'c', data: ['\\n', '\\\\', '","', '\u0001'] },
  ]
  const publish = (room: string, body: unknown) =>
    relay.fetch(
      new Request(`http://localhost/rooms/${room}/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    )
  await publish('42', given)
  await publish('42', given[0])
  await publish('gone', given)
  await relay.deleteRoom('gone')
  const read = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '-e',
    READER,
    path,
  ])
  const rows = JSON.parse(read.stdout) as Record<string, unknown>[]
  expect(
    rows.map(({ room, place, type, stream, revision }) => [room, place, type, stream, revision]),
  ).toEqual([
    ['42', 1, 'order.made', 'order-7', 1],
    ['42', 2, 'order.paid', null, null],
    ['42', 3, 'order.seen', null, null],
    ['42', 4, 'order.told', null, null],
    ['42', 5, 'order.made', 'order-7', 2],
  ])
  expect(rows[2]).toMatchObject({ encoding: 'devalue', data: '-1' })
  for (const i of [0, 1, 3]) {
    expect(rows[i]?.['encoding']).toBe('json')
    expect(JSON.parse(rows[i]?.['data'] as string)).toEqual(given[i]?.data)
  }
  expect(rows[3]?.['correlation_id']).toBe('c')
  expect(Date.parse(rows[0]?.['written_at'] as string)).toBeGreaterThan(Date.now() - 600_000)
  expect(JSON.parse(rows[0]?.['header'] as string)).toMatchObject({ id: rows[0]?.['id'] })
  await relay.close()
})

/** Appends two records at a time as fast as it can, and says how far it got. */
const KILLED = `
const { sqliteStore } = await import(process.argv[1])
const store = sqliteStore(process.argv[2])
let head = { epoch: 'e', version: 0, place: 0, check: '0', chain: '', time: 0 }
const record = (place) => {
  const headers = Array.from({ length: 50 }, (_, i) => ({ id: 'a-' + (place + i), type: 'a.b', source: 's', time: 1 }))
  const data = headers.map(({ id }) => JSON.stringify({ id, filler: 'x'.repeat(500) }))
  return {
    place, count: 50, time: place, lastId: headers.at(-1).id, indexes: headers.map((_, i) => i),
    headers, headerLines: headers.map((header) => JSON.stringify(header)), data, bytes: 1,
    before: '', chain: '',
  }
}
const deletes = process.argv[3] === 'delete'
for (let n = 1; ; n++) {
  if (deletes && n % 4 === 0) {
    await store.delete('r')
    process.stdout.write(n + '\\n')
    head = { ...head, epoch: 'e' + n, version: 0, place: 0, time: 0 }
    // Some of it is left when it is made anew, and when it is killed.
    for (let step = 0; step < n % 12; step++) await store.purge({ events: 40, bytes: 1e9 })
  }
  const version = head.version + 1
  const next = { ...head, version, place: head.place + 100, time: version }
  const records = [record(head.place + 1), record(head.place + 51)]
  await store.append('r', { expected: head, head: next, records, state: [['version', String(version)]] })
  head = next
  if (!deletes) process.stdout.write(version + '\\n')
}
`

/** A room of two batches in a file of format 1, the older one trimmed away. */
const FORMAT_1 = `
  CREATE TABLE rooms (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch TEXT NOT NULL, version INTEGER NOT NULL,
    place INTEGER NOT NULL, "check" TEXT NOT NULL, time REAL NOT NULL, events INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE records (
    room INTEGER NOT NULL, place INTEGER NOT NULL, count INTEGER NOT NULL, time REAL NOT NULL,
    bytes INTEGER NOT NULL, device TEXT, batch INTEGER, last_id TEXT NOT NULL, indexes TEXT,
    refused TEXT, headers TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (room, place)
  ) STRICT;
  CREATE TABLE ids (
    room INTEGER NOT NULL, prefix TEXT NOT NULL, counter INTEGER NOT NULL, place INTEGER NOT NULL,
    PRIMARY KEY (room, prefix, counter, place)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE state (
    room INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (room, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE firsts (room INTEGER PRIMARY KEY, place INTEGER NOT NULL, "check" TEXT NOT NULL) STRICT;
  CREATE INDEX records_by_time ON records (room, time, place);
  INSERT INTO rooms VALUES (1, 'r', 'e', 3, 2, 'c2', 1000, 1, 60);
  INSERT INTO records VALUES (1, 2, 1, 1000, 60, 'd', 2, 'a-2', NULL, NULL,
    '{"id":"a-2","type":"a.b","source":"s","time":1}', '"two"');
  INSERT INTO ids VALUES (1, 'a', 2, 2);
  INSERT INTO firsts VALUES (1, 1, 'c1');
  PRAGMA user_version = 1;
`

/** What format 2 had of the room above, where it had trimmed the second batch as well. */
const FORMAT_2 = `
  CREATE TABLE trimmed (
    room INTEGER NOT NULL, prefix TEXT NOT NULL, counter INTEGER NOT NULL, place INTEGER NOT NULL,
    PRIMARY KEY (room, prefix)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX trimmed_by_place ON trimmed (room, place);
  INSERT INTO trimmed VALUES (1, 'a', 2, 2);
  PRAGMA user_version = 2;
`

describe('a file of a former format', () => {
  it('opens with what it remembers of what was trimmed away', async () => {
    const path = join(folder, 'format-2.db')
    sqliteStore(path).close()
    const file = new DatabaseSync(path)
    file.exec(`DROP TABLE trimmed_ids; DROP TABLE trimmed_marks; ${FORMAT_2}
      INSERT INTO rooms VALUES (1, 'r', 'e', 3, 2, 'c2', 'x', 1000, 0, 0);
      INSERT INTO firsts VALUES (1, 2, 'c2', 'x');`)
    file.close()
    for (let again = 0; again < 2; again++) {
      const store = sqliteStore(path)
      const gone = await Promise.all(['a-1', 'a-2', 'a-3'].map((id) => store.wasTrimmed('r', id)))
      expect(gone).toEqual([true, true, false])
      // How its history went nobody remembers.
      expect(await store.trimmedAt('r', 2)).toBe(undefined)
      await store.close()
    }
  })

  it('opens with all that is in it, without chains, and takes records with them from then on', async () => {
    const path = join(folder, 'format-1.db')
    const file = new DatabaseSync(path)
    file.exec(FORMAT_1)
    file.close()
    const chained = { before: '', chain: 'c3' }
    const head = { epoch: 'e', version: 3, place: 2, check: 'c2', chain: '', time: 1000 }
    const next = { ...head, version: 4, place: 3, chain: 'c3' }

    const store = sqliteStore(path)
    expect(await store.load('r')).toEqual({ head, state: [] })
    expect(await store.first('r')).toEqual({ place: 1, check: 'c1', chain: '' })
    const [old] = await store.read('r', 0, { events: 10, bytes: 1_000 })
    expect(old).toMatchObject({ place: 2, lastId: 'a-2', data: ['"two"'], before: '', chain: '' })
    const record = { ...(old as RoomRecord), place: 3, lastId: 'a-3', ...chained }
    const append = { expected: head, head: next, records: [record], state: [] }
    expect(await store.append('r', append)).toBe(true)
    await store.close()

    const again = sqliteStore(path)
    expect(await again.load('r')).toEqual({ head: next, state: [] })
    expect(await again.read('r', 0, { events: 10, bytes: 1_000 })).toEqual([old, record])
    await again.close()
  })
})

describe('sqliteStore', () => {
  it('says that it keeps rooms on disk', async () => {
    const store = sqliteStore(newFile())
    expect(store.durability).toBe('disk')
    await store.close()
    await store.close()
  })

  it('writes what it can where one of the rooms that share a transaction cannot be written', async () => {
    const store = sqliteStore(newFile())
    const head = { epoch: 'e', version: 0, ...START, time: 0 }
    const row = (key: string): Append => ({
      expected: head,
      head: { ...head, version: 1 },
      records: [],
      state: [[key, 'x']],
    })
    const bad = { ...row('b'), head: { ...head, version: 0.5 } }
    const results = await Promise.allSettled([
      store.append('a', row('a')),
      store.append('b', bad),
      store.append('c', row('c')),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((await store.load('a'))?.state).toEqual([['a', 'x']])
    expect(await store.load('b')).toBe(undefined)
    expect((await store.load('c'))?.state).toEqual([['c', 'x']])
    await store.close()
  })

  it('fails with a code where it cannot be opened', async () => {
    const file = join(folder, 'a-file')
    await writeFile(file, 'x'.repeat(5_000))
    expect(() => sqliteStore(join(file, 'events.db'))).toThrow(
      expect.objectContaining({ code: 'log_unavailable' }),
    )
    if (existsSync('/proc/self')) {
      // Regression: making a folder where none can be made never returned.
      expect(() => sqliteStore('/proc/none/events.db')).toThrow(
        expect.objectContaining({ code: 'log_unavailable' }),
      )
    }
    expect(() => sqliteStore(file)).toThrow(expect.objectContaining({ code: 'log_damaged' }))
    const open = sqliteStore(join(folder, 'in-use.db'))
    expect(() => sqliteStore(join(folder, 'in-use.db'))).toThrow(
      expect.objectContaining({ code: 'log_in_use' }),
    )
    await open.close()
  })

  it('has a room whole or not at all after a kill in the middle of deleting it', async () => {
    const source = new URL('./sqlite.ts', import.meta.url).href
    for (const enough of [12, 20, 36]) {
      const path = newFile()
      const args = ['--input-type=module', '--eval', KILLED, source, path, 'delete']
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      for await (const chunk of child.stdout) {
        if (Math.max(...String(chunk).trim().split('\n').map(Number)) >= enough) break
      }
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')

      const store = sqliteStore(path)
      const loaded = await store.load('r')
      const records = await store.read('r', 0, { events: 1_000_000, bytes: 1_000_000_000 })
      expect(records).toHaveLength((loaded?.head.version ?? 0) * 2)
      expect(records[0]?.place ?? 1).toBe(1)
      expect((await store.stats('r'))?.events ?? 0).toBe(loaded?.head.place ?? 0)
      expect(await store.rooms('', 10)).toEqual(loaded ? ['r'] : [])
      // What deleted ones left can be removed to the last row, and nothing else is.
      while (await store.purge({ events: 100, bytes: 1e9 }));
      expect(await store.read('r', 0, { events: 1_000_000, bytes: 1e9 })).toEqual(records)
      expect(await store.load('r')).toEqual(loaded)
      await store.close()
      const file = new DatabaseSync(path)
      for (const table of ['records', 'ids', 'state', 'trimmed_ids', 'trimmed_marks', 'firsts']) {
        const sql = `SELECT count(*) AS left FROM ${table} WHERE room NOT IN (SELECT id FROM rooms)`
        expect(file.prepare(sql).get()).toEqual({ left: 0 })
      }
      expect(file.prepare('SELECT count(*) AS rooms FROM rooms').get()).toEqual({
        rooms: loaded ? 1 : 0,
      })
      file.close()
    }
  })

  it('has every append whole or not at all after a kill in the middle of them', async () => {
    const path = newFile()
    const source = new URL('./sqlite.ts', import.meta.url).href
    const child = spawn(process.execPath, ['--input-type=module', '--eval', KILLED, source, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let acknowledged = 0
    child.stdout.setEncoding('utf8')
    for await (const chunk of child.stdout) {
      acknowledged = Math.max(acknowledged, ...String(chunk).trim().split('\n').map(Number))
      if (acknowledged >= 20) break
    }
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')

    const store = sqliteStore(path)
    const loaded = await store.load('r')
    const records = await store.read('r', 0, { events: 1_000_000, bytes: 1_000_000_000 })
    const version = loaded?.head.version ?? 0
    expect(version).toBeGreaterThanOrEqual(acknowledged)
    expect(records).toHaveLength(version * 2)
    expect(lastPlace(records.at(-1) as never)).toBe(loaded?.head.place)
    expect(new Map(loaded?.state).get('version')).toBe(String(version))
    expect((await store.stats('r'))?.events).toBe(loaded?.head.place)
    const newest = records.at(-1)?.headers.at(-1)?.id as string
    expect((await store.find('r', newest))?.record.place).toBe(records.at(-1)?.place)
    await store.close()
  })
})
