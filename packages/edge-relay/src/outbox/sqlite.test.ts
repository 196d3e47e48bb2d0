/** Applications that publish inside their own SQLite transactions. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createRelay, type Relay } from '../relay.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import { askRelay, boundTo, eventsOf } from '../testing/outbox-relay.ts'
import { sqliteOutbox, sqliteOutboxSql } from './sqlite.ts'

let folder = ''
let files = 0
const relays: Relay[] = []
const apps: DatabaseSync[] = []

const newFile = (): string => join(folder, `app-${++files}.db`)

function relayOf(options: Parameters<typeof createRelay>[0]): Relay {
  const relay = createRelay({ onError: () => {}, ...options })
  relays.push(relay)
  return relay
}

/** The application's own connection. */
function application(file: string): DatabaseSync {
  const app = new DatabaseSync(file, { timeout: 5_000 })
  apps.push(app)
  return app
}

const waitingIn = (app: DatabaseSync): unknown =>
  app.prepare('SELECT count(*) AS count FROM crosstown_outbox').get()?.['count']

const until = { timeout: 20_000, interval: 20 }

describe('sqliteOutbox', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'relay-outbox-'))
  })
  afterEach(async () => {
    for (const app of apps.splice(0)) app.close()
    await Promise.all(relays.splice(0).map((relay) => relay.close()))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it.each(['DELETE', 'WAL'])(
    'a transaction that rolls back publishes nothing, and one that commits publishes once, in journal mode %s',
    async (mode) => {
      const file = newFile()
      const app = application(file)
      app.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE orders (id TEXT, total INTEGER)`)
      const relay = relayOf({ outbox: sqliteOutbox(file), store: sqliteStore(newFile()) })
      const publish = app.prepare(
        `INSERT INTO crosstown_outbox (room, type, data, stream) VALUES ('shop', ?, ?, 'order-7')`,
      )
      const order = app.prepare('INSERT INTO orders VALUES (?, ?)')
      for (const [type, total, end] of [
        ['order.made', 1, 'COMMIT'],
        ['order.lost', 2, 'ROLLBACK'],
        ['order.paid', 3, 'COMMIT'],
      ] as const) {
        app.exec('BEGIN IMMEDIATE')
        order.run('7', total)
        publish.run(type, JSON.stringify({ total }, undefined, 2))
        app.exec(end)
      }
      const events = await eventsOf(askRelay(relay), 'shop', 2)
      expect(events.map(({ type, data, revision }) => [type, data, revision])).toEqual([
        ['order.made', { total: 1 }, 1],
        ['order.paid', { total: 3 }, 2],
      ])
      await vi.waitFor(() => expect(waitingIn(app)).toBe(0), until)
      expect(app.prepare('SELECT count(*) AS count FROM orders').get()).toEqual({ count: 2 })
    },
  )

  it('what was committed while no relay was there is published when one comes, in order', async () => {
    const file = newFile()
    const app = application(file)
    app.exec(sqliteOutboxSql())
    app.exec(`INSERT INTO crosstown_outbox (room, type, data)
      WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < 2499)
      SELECT 'shop', 'tick.came', i FROM numbers`)
    const relay = relayOf({ outbox: sqliteOutbox(file) })
    const events = await eventsOf(askRelay(relay), 'shop', 2_500)
    expect(events.map(({ data }) => data)).toEqual(Array.from({ length: 2_500 }, (_, i) => i))
  })

  it('an application that writes for long is not waited for, and its rows come once', async () => {
    const file = newFile()
    const app = application(file)
    const relay = relayOf({ outbox: sqliteOutbox(file) })
    const publish = app.prepare(
      `INSERT INTO crosstown_outbox (room, type, data) VALUES ('shop', 'tick.came', ?)`,
    )
    publish.run('1')
    expect(await eventsOf(askRelay(relay), 'shop', 1)).toHaveLength(1)
    // From here on nobody else can write: what was published cannot be removed.
    app.exec('BEGIN IMMEDIATE')
    publish.run('2')
    const other = application(file)
    await vi.waitFor(() => expect(waitingIn(other)).toBeLessThanOrEqual(1), until)
    app.exec('COMMIT')
    expect((await eventsOf(askRelay(relay), 'shop', 2)).map(({ data }) => data)).toEqual([1, 2])
    await vi.waitFor(() => expect(waitingIn(app)).toBe(0), until)
    expect(await eventsOf(askRelay(relay), 'shop', 2)).toHaveLength(2)
  })

  it('two relays on one file and one store: each row once, in order', async () => {
    const file = newFile()
    const app = application(file)
    const store = sqliteStore(newFile())
    const shared = { ...boundTo(store), close: async () => {} }
    relayOf({ outbox: sqliteOutbox(file), store: shared })
    const second = relayOf({ outbox: sqliteOutbox(file), store: shared })
    const publish = app.prepare(
      `INSERT INTO crosstown_outbox (room, type, data) VALUES ('shop', 'tick.came', ?)`,
    )
    for (let i = 0; i < 500; i++) {
      publish.run(String(i))
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await vi.waitFor(() => expect(waitingIn(app)).toBe(0), until)
    const events = await eventsOf(askRelay(second), 'shop', 500)
    expect(events.map(({ data }) => data)).toEqual(Array.from({ length: 500 }, (_, i) => i))
    await Promise.all(relays.splice(0).map((relay) => relay.close()))
    await store.close()
  })

  it('rows that cannot be events are put aside with a code, and the others are published', async () => {
    const file = newFile()
    const app = application(file)
    const relay = relayOf({ outbox: sqliteOutbox(file) })
    const put = (row: Record<string, string | number | bigint>): void => {
      const all = { room: 'shop', type: 'order.made', ...row }
      const names = Object.keys(all)
      app
        .prepare(
          `INSERT INTO crosstown_outbox (${names.join()}) VALUES (${names.map(() => '?').join()})`,
        )
        .run(...Object.values(all))
    }
    app.exec('BEGIN')
    put({ id: 'good-1', data: '{"a":1}' })
    put({ id: 'room', room: 'no room' })
    put({ id: 'type', type: 'not a type' })
    put({ id: 'json', data: '{"a":' })
    put({ id: 'large', data: JSON.stringify('x'.repeat(300_000)) })
    put({ id: 'conflict', stream: 's', expected_revision: 4 })
    // Integers that a number does not hold: reading them must not fail.
    put({ id: 'created', created_at: 2n ** 53n })
    put({ id: 'expected', stream: 's', expected_revision: 2n ** 63n - 1n })
    put({ id: 'version', version: -(2n ** 63n) })
    put({
      id: 'good-2',
      value: '[["Date","2030-01-31T12:00:00.000Z"]]',
      metadata: '{"userId":"a"}',
    })
    app.exec('COMMIT')
    const events = await eventsOf(askRelay(relay), 'shop', 2)
    expect(events.map(({ ownId, data }) => [ownId, data])).toEqual([
      ['good-1', { a: 1 }],
      ['good-2', [['Date', '2030-01-31T12:00:00.000Z']]],
    ])
    await vi.waitFor(() => expect(waitingIn(app)).toBe(0), until)
    const refused = app.prepare('SELECT id, code, message FROM crosstown_outbox_refused').all()
    expect(refused.map(({ id, code }) => [id, code])).toEqual([
      ['room', 'invalid_room'],
      ['type', 'invalid_type'],
      ['json', 'invalid_data'],
      ['large', 'too_large'],
      ['conflict', 'conflict'],
      ['created', 'invalid_options'],
      ['expected', 'invalid_options'],
      ['version', 'invalid_options'],
    ])
  })

  it('one refused row does not hold up more rows than the room may take at once', async () => {
    const file = newFile()
    const app = application(file)
    app.exec(sqliteOutboxSql())
    // Ten may come at once, and then one a second.
    app.exec(`INSERT INTO crosstown_outbox (room, type, data)
      WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < 59)
      SELECT 'shop', 'tick.came', i FROM numbers;
      UPDATE crosstown_outbox SET stream = 's', expected_revision = 4 WHERE data = '30'`)
    const relay = relayOf({ outbox: sqliteOutbox(file), limits: { roomRate: 1 } })
    await vi.waitFor(() => expect(waitingIn(app)).toBe(0), until)
    const events = await eventsOf(askRelay(relay), 'shop', 59)
    const others = Array.from({ length: 60 }, (_, i) => i).filter((i) => i !== 30)
    expect(events.map(({ data }) => data)).toEqual(others)
    const refused = app.prepare('SELECT data, code FROM crosstown_outbox_refused').all()
    expect(refused).toEqual([{ data: '30', code: 'conflict' }])
  })

  it('what waits is counted though the oldest row has a time that no number holds', async () => {
    const file = newFile()
    const outbox = sqliteOutbox(file)
    application(file)
      .prepare(`INSERT INTO crosstown_outbox (room, type, created_at) VALUES ('shop', 'a.b', ?)`)
      .run(2n ** 62n)
    expect(await outbox.waiting()).toEqual({ rows: 1, oldest: 2 ** 62 })
    await outbox.close()
  })

  it('says what to do about a path or a file that it cannot use', () => {
    const open = (path: string) => () => sqliteOutbox(path)
    expect(open(join(folder, 'no', 'such', 'folder.db'))).toThrow(/give the path of a database/)
    const file = newFile()
    application(file).exec(`${sqliteOutboxSql()}; UPDATE crosstown_outbox_format SET version = 9`)
    expect(open(file)).toThrow(/format 9/)
    expect(() => sqliteOutbox(newFile(), { pollMs: 0 })).toThrow(/pollMs/)
  })
})
