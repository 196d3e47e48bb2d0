/** Each piece of SQL in the documents is one that its database takes. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRelay, type Relay } from '../relay.ts'
import { postgresStore } from '../stores/postgres.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import { type EngineServer, startPostgres } from '../testing/engine-servers.ts'
import { application, askRelay, eventsOf } from '../testing/outbox-relay.ts'
import { postgresOutbox } from './postgres.ts'
import { sqliteOutbox } from './sqlite.ts'

const DOCUMENTS = ['sql.md', 'stores.md', 'outbox.md']

interface Piece {
  readonly document: string
  readonly engine: 'postgres' | 'sqlite'
  readonly text: string
}

/** The blocks of SQL, by the section they are in. */
async function pieces(): Promise<Piece[]> {
  const all: Piece[] = []
  for (const document of DOCUMENTS) {
    const text = await readFile(new URL(`../../../../docs/${document}`, import.meta.url), 'utf8')
    let engine: Piece['engine'] = 'postgres'
    for (const [, heading, block] of text.matchAll(/^#+ (.*)$|^```sql\n([\s\S]*?)^```$/gm)) {
      if (heading !== undefined) engine = heading.includes('SQLite') ? 'sqlite' : 'postgres'
      else all.push({ document, engine, text: block as string })
    }
  }
  return all
}

let folder = ''
const relays: Relay[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-sql-'))
})
afterAll(async () => {
  await Promise.all(relays.map((relay) => relay.close()))
  await rm(folder, { recursive: true, force: true })
})

const publish = (relay: Relay) =>
  relay.fetch(
    new Request('http://localhost/rooms/shop/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'order.created', stream: 'order-7', data: { total: 3 } }),
    }),
  )

it('finds SQL of both engines in the documents', async () => {
  const all = await pieces()
  expect(all.filter(({ engine }) => engine === 'postgres').length).toBeGreaterThan(7)
  expect(all.filter(({ engine }) => engine === 'sqlite').length).toBeGreaterThan(2)
})

it('SQLite takes what the documents have for it, and the relay publishes what that inserts', async () => {
  const file = join(folder, 'app.db')
  const app = new DatabaseSync(file, { timeout: 5_000 })
  app.exec('CREATE TABLE orders (id INTEGER, paid INTEGER); INSERT INTO orders VALUES (7, 0)')
  const store = join(folder, 'events.db')
  const relay = createRelay({ store: sqliteStore(store), outbox: sqliteOutbox(file) })
  relays.push(relay)
  await publish(relay)
  const rooms = new DatabaseSync(store, { readOnly: true })
  for (const { engine, text } of await pieces()) {
    if (engine !== 'sqlite') continue
    if (text.includes('FROM events')) expect(rooms.prepare(text).all()).toHaveLength(1)
    else app.exec(text)
  }
  const events = await eventsOf(askRelay(relay), 'shop', 2)
  expect(events[1]).toMatchObject({ type: 'order.paid', data: { id: 7 }, stream: 'order-7' })
  app.close()
  rooms.close()
})

describe.skipIf(!startPostgres)('PostgreSQL', () => {
  let server: EngineServer
  beforeAll(async () => {
    server = await (startPostgres as () => Promise<EngineServer>)()
  })
  afterAll(() => server.stop())

  it('takes what the documents have for it, and the relay publishes what that inserts', async () => {
    // Statements of a document that begin a transaction end it as well.
    const sql = application(server, 1)
    const relay = createRelay({
      store: await postgresStore(server.url),
      outbox: await postgresOutbox(server.url),
    })
    relays.push(relay)
    await publish(relay)
    await sql.unsafe(`CREATE TABLE orders (id integer, paid boolean);
      INSERT INTO orders VALUES (7, false), (8, false); CREATE ROLE shop`)
    for (const { document, engine, text } of await pieces()) {
      if (engine !== 'postgres') continue
      const run = sql.unsafe(text).simple()
      const rows = await run.catch((error: unknown) => {
        throw new Error(`${document} has what PostgreSQL does not take:\n${text}`, { cause: error })
      })
      if (text.includes('crosstown.events')) expect(rows).toHaveLength(1)
    }
    const events = await eventsOf(askRelay(relay), 'shop', 3)
    expect(events.slice(1).map(({ type, data }) => [type, data])).toEqual([
      ['order.paid', { id: 7 }],
      ['order.expired', { id: 8 }],
    ])
    await sql.end()
    await relay.close()
  })
})
