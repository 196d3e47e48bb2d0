/** Applications that publish inside their own PostgreSQL transactions. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Sql } from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createRelay, type Relay } from '../relay.ts'
import { memoryStore } from '../stores/memory.ts'
import { postgresStore } from '../stores/postgres.ts'
import type { Store } from '../stores/store.ts'
import { type EngineServer, startPostgres } from '../testing/engine-servers.ts'
import { application, askRelay, boundTo, eventsOf } from '../testing/outbox-relay.ts'
import type { Outbox } from './outbox.ts'
import { postgresOutbox, postgresOutboxSql } from './postgres.ts'

let server: EngineServer
let sql: Sql
let schemas = 0
const relays: Relay[] = []

const newSchema = (): string => `o${++schemas}`

/** Tests wait for what a notification starts, and not for the table to be looked at. */
const RARELY = { pollMs: 3_600_000 }

async function opened(schema: string): Promise<{ store: Store; outbox: Outbox }> {
  const store = await postgresStore(server.url, { schema, connections: 4 })
  return { store, outbox: await postgresOutbox(server.url, { schema, ...RARELY }) }
}

function relayOf(options: Parameters<typeof createRelay>[0]): Relay {
  const relay = createRelay({ onError: () => {}, ...options })
  relays.push(relay)
  return relay
}

const refusedIn = (schema: string) => sql`
  SELECT id, code, message FROM ${sql(schema)}.outbox_refused ORDER BY seq`

const waitingIn = async (schema: string): Promise<number> => {
  const [row] = await sql<{ count: number }[]>`SELECT count(*)::int FROM ${sql(schema)}.outbox`
  return row?.count ?? Number.NaN
}

const until = { timeout: 20_000, interval: 20 }

describe.skipIf(!startPostgres)('postgresOutbox', () => {
  beforeAll(async () => {
    server = await (startPostgres as () => Promise<EngineServer>)()
    sql = application(server)
  })
  afterEach(async () => {
    await Promise.all(relays.splice(0).map((relay) => relay.close()))
  })
  afterAll(async () => {
    await sql.end()
    await server.stop()
  })

  it('a transaction that rolls back publishes nothing, and one that commits publishes once', async () => {
    const schema = newSchema()
    const relay = relayOf(await opened(schema))
    const publish = (tx: Sql, type: string, data: object) =>
      tx`SELECT ${tx(schema)}.publish('shop', ${type}, ${tx.json(data as never)}, stream => 'order-7')`
    await sql.begin(async (tx) => {
      await publish(tx as unknown as Sql, 'order.made', { total: 1 })
    })
    const rolledBack = sql.begin(async (tx) => {
      await publish(tx as unknown as Sql, 'order.lost', { total: 2 })
      throw new Error('the order cannot be had')
    })
    await expect(rolledBack).rejects.toThrow('cannot be had')
    await sql.begin(async (tx) => {
      await publish(tx as unknown as Sql, 'order.paid', { total: 3 })
      await publish(tx as unknown as Sql, 'order.sent', { total: 4 })
    })
    const events = await eventsOf(askRelay(relay), 'shop', 3)
    expect(events.map(({ type, data, revision }) => [type, data, revision])).toEqual([
      ['order.made', { total: 1 }, 1],
      ['order.paid', { total: 3 }, 2],
      ['order.sent', { total: 4 }, 3],
    ])
    await vi.waitFor(async () => expect(await waitingIn(schema)).toBe(0), until)
  })

  it('what was committed while no relay was there is published when one comes, in order', async () => {
    const schema = newSchema()
    await sql.unsafe(postgresOutboxSql(schema))
    for (let i = 0; i < 2_500; i += 500) {
      await sql`INSERT INTO ${sql(schema)}.outbox (room, type, data)
        SELECT 'r' || i % 2, 'tick.came', to_jsonb(i) FROM generate_series(${i}::int, ${i + 499}::int) AS i`
    }
    const relay = relayOf(await opened(schema))
    for (const room of [0, 1]) {
      const events = await eventsOf(askRelay(relay), `r${room}`, 1_250)
      expect(events.map(({ data }) => data)).toEqual(
        Array.from({ length: 1_250 }, (_, i) => 2 * i + room),
      )
    }
  })

  it('an event has all that its row says of it', async () => {
    const schema = newSchema()
    const relay = relayOf(await opened(schema))
    await sql`INSERT INTO ${sql(schema)}.outbox ${sql({
      id: 'own-1',
      room: 'shop',
      type: 'order.made',
      data: sql.json({ big: 1, text: 'a\nb' }) as never,
      stream: 'order-7',
      expected_revision: 0,
      correlation_id: 'c-1',
      causation_id: 'd-1',
      metadata: sql.json({ userId: 'ann' }) as never,
      source: 'billing',
    })}`
    await sql`SELECT ${sql(schema)}.publish('shop', 'order.seen')`
    await sql`INSERT INTO ${sql(schema)}.outbox (room, type, value)
      VALUES ('shop', 'order.dated', '[["Date","2030-01-31T12:00:00.000Z"]]')`
    const [made, seen, dated] = await eventsOf(askRelay(relay), 'shop', 3)
    expect(made).toMatchObject({
      ownId: 'own-1',
      type: 'order.made',
      data: { big: 1, text: 'a\nb' },
      stream: 'order-7',
      revision: 1,
      correlationId: 'c-1',
      causationId: 'd-1',
      metadata: { userId: 'ann' },
      source: 'billing',
    })
    expect(Math.abs((made?.time ?? 0) - Date.now())).toBeLessThan(600_000)
    expect(seen).toMatchObject({ type: 'order.seen', source: 'outbox' })
    expect(seen).not.toHaveProperty('data')
    expect(dated).toMatchObject({
      encoding: 'devalue',
      data: [['Date', '2030-01-31T12:00:00.000Z']],
    })
  })

  it('rows that cannot be events are put aside with a code, and the others are published', async () => {
    const schema = newSchema()
    const log: { event: string; code?: string }[] = []
    const relay = relayOf({
      ...(await opened(schema)),
      metrics: 'open',
      log: (record) => log.push(record),
      authorize: ({ type }) => type !== 'admin.done',
    })
    const rows = [
      { id: 'good-1', type: 'order.made' },
      { id: 'room', type: 'order.made', room: 'no room' },
      { id: 'type', type: 'not a type' },
      { id: 'system', type: '$crosstown.done' },
      { id: 'right', type: 'admin.done' },
      { id: 'good-2', type: 'order.made', stream: 's', expected_revision: 0 },
      { id: 'conflict', type: 'order.made', stream: 's', expected_revision: 0 },
      { id: 'large', type: 'order.made', data: 'x'.repeat(300_000) },
      { id: 'deep', type: 'order.made', data: JSON.parse(`${'['.repeat(600)}${']'.repeat(600)}`) },
      { id: 'both', type: 'order.made', data: 1, value: '[1]' },
      { id: 'text', type: 'order.made', value: 'no JSON' },
      { id: 'meta', type: 'order.made', metadata: { deep: {} } },
      { id: 'stream', type: 'order.made', stream: 'x'.repeat(300) },
      { id: 'good-3', type: 'order.made' },
    ]
    await sql.begin(async (tx) => {
      for (const { data, metadata, ...row } of rows) {
        const values = {
          room: 'shop',
          ...row,
          ...(data !== undefined && { data: tx.json(data as never) }),
          ...(metadata && { metadata: tx.json(metadata as never) }),
        }
        await tx`INSERT INTO ${tx(schema)}.outbox ${tx(values as never)}`
      }
    })
    const events = await eventsOf(askRelay(relay), 'shop', 3)
    await vi.waitFor(async () => expect(await waitingIn(schema)).toBe(0), until)
    expect(events.map(({ ownId }) => ownId)).toEqual(['good-1', 'good-2', 'good-3'])
    const refused = await refusedIn(schema)
    expect(refused.map(({ id, code }) => [id, code])).toEqual([
      ['room', 'invalid_room'],
      ['type', 'invalid_type'],
      ['system', 'invalid_type'],
      ['right', 'forbidden'],
      ['conflict', 'conflict'],
      ['large', 'too_large'],
      ['deep', 'invalid_data'],
      ['both', 'invalid_options'],
      ['text', 'invalid_data'],
      ['meta', 'invalid_options'],
      ['stream', 'invalid_options'],
    ])
    for (const { message } of refused) expect(message).toMatch(/\w+ \w+/)
    const told = log.filter(({ event }) => event === 'outbox')
    expect(told.map(({ code }) => code)).toEqual(refused.map(({ code }) => code))
    const metrics = await (await askRelay(relay)('/metrics')).text()
    expect(metrics).toContain('crosstown_outbox_drained_total 3')
    expect(metrics).toContain('crosstown_outbox_refused_total{code="invalid_type"} 2')
    expect(metrics).toMatch(/^crosstown_outbox_pending \d+$/m)
    expect(metrics).toMatch(/^crosstown_outbox_lag_seconds [\d.]+$/m)
  })

  it('two relays at once: each row once, in order', async () => {
    const schema = newSchema()
    relayOf(await opened(schema))
    const second = relayOf(await opened(schema))
    for (let i = 0; i < 1_000; i += 100) {
      await sql`INSERT INTO ${sql(schema)}.outbox (room, type, data)
        SELECT 'shop', 'tick.came', to_jsonb(i) FROM generate_series(${i}::int, ${i + 99}::int) AS i`
    }
    const events = await eventsOf(askRelay(second), 'shop', 1_000)
    expect(events.map(({ data }) => data)).toEqual(Array.from({ length: 1_000 }, (_, i) => i))
  })

  it('in the database of the store, rows go with the append of their events: no end of a relay is between', async () => {
    const schema = newSchema()
    const { store, outbox } = await opened(schema)
    let ended = false
    const relay = relayOf({
      store,
      outbox: stepOf(outbox, async (rows, publish) => {
        await publish(rows)
        ended = true
        throw new Error('the relay is gone')
      }),
    })
    await sql`SELECT ${sql(schema)}.publish('shop', 'order.made')`
    expect(await eventsOf(askRelay(relay), 'shop', 1)).toHaveLength(1)
    await vi.waitFor(() => expect(ended).toBe(true), until)
    expect(await waitingIn(schema)).toBe(0)
  })

  it('in the database of the store, a row that another relay took meanwhile is published by that one alone', async () => {
    const schema = newSchema()
    const { store, outbox } = await opened(schema)
    const relay = relayOf({
      store,
      outbox: stepOf(outbox, async (rows, publish) => {
        await sql`DELETE FROM ${sql(schema)}.outbox`
        return publish(rows)
      }),
    })
    await sql`SELECT ${sql(schema)}.publish('shop', 'order.made')`
    await vi.waitFor(async () => expect(await waitingIn(schema)).toBe(0), until)
    await relay.close()
    const [count] = await sql`SELECT count(*)::int FROM ${sql(schema)}.events`
    expect(count).toEqual({ count: 0 })
  })

  it('a relay whose connection is cut between append and removal publishes no row twice', async () => {
    const schema = newSchema()
    const store = memoryStore()
    const proxy = await proxyTo(server)
    const outbox = await postgresOutbox(proxy.url, { schema, pollMs: 250 })
    // Another database than the store's: rows and events cannot go together.
    let due = false
    let cuts = 0
    const relay = relayOf({
      outbox,
      store: {
        ...boundTo(store),
        async append(room, append) {
          const done = await store.append(room, append)
          if (due) {
            proxy.cut()
            cuts += 1
          }
          due = false
          return done
        },
      },
    })
    for (let i = 0; i < 300; i += 100) {
      due = true
      await sql`INSERT INTO ${sql(schema)}.outbox (room, type, data)
        SELECT 'shop', 'tick.came', to_jsonb(i) FROM generate_series(${i}::int, ${i + 99}::int) AS i`
      await eventsOf(askRelay(relay), 'shop', i + 100)
    }
    await vi.waitFor(async () => expect(await waitingIn(schema)).toBe(0), until)
    expect(cuts).toBe(3)
    const events = await eventsOf(askRelay(relay), 'shop', 300)
    expect(events.map(({ data }) => data)).toEqual(Array.from({ length: 300 }, (_, i) => i))
    await relays.pop()?.close()
    proxy.close()
  })

  it('a room that takes nothing now holds up no other', async () => {
    const schema = newSchema()
    const { store, outbox } = await opened(schema)
    let broken = true
    const relay = relayOf({
      outbox,
      store: {
        ...boundTo(store),
        append(room, append) {
          if (room === 'broken' && broken) return Promise.reject(new Error('not now'))
          return store.append(room, append)
        },
      },
    })
    await sql`INSERT INTO ${sql(schema)}.outbox (room, type, data)
      SELECT CASE WHEN i < 1500 THEN 'broken' ELSE 'well' END, 'tick.came', to_jsonb(i)
      FROM generate_series(0, 1600) AS i`
    expect(await eventsOf(askRelay(relay), 'well', 101)).toHaveLength(101)
    // Its rows go in a statement of their own, after the events can be read.
    await vi.waitFor(async () => expect(await waitingIn(schema)).toBe(1_500), until)
    await vi.waitFor(async () => {
      const metrics = await (await askRelay(relay)('/metrics')).text()
      expect(metrics).toContain('crosstown_outbox_pending 1500')
    }, until)
    broken = false
    await vi.waitFor(async () => {
      // As a new row would.
      await sql`SELECT pg_notify(${`${schema}_outbox`}, '')`
      expect(await waitingIn(schema)).toBe(0)
    }, until)
    expect(await eventsOf(askRelay(relay), 'broken', 1_500)).toHaveLength(1_500)
  })

  it('a relay that may not make tables says who can, and works with those that are there', async () => {
    const schema = newSchema()
    const user = `u${schema}`
    await sql.unsafe(`CREATE ROLE ${user} LOGIN; REVOKE CREATE ON DATABASE postgres FROM ${user}`)
    const url = server.url.replace('relay@', `${user}@`)
    const error = await postgresOutbox(url, { schema }).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'log_unavailable' })
    expect(String(error)).toContain('crosstown-relay outbox --print-sql')
    await sql.unsafe(postgresOutboxSql(schema))
    await sql.unsafe(`GRANT USAGE ON SCHEMA ${schema} TO ${user};
      GRANT SELECT ON ${schema}.outbox_format TO ${user};
      GRANT SELECT, UPDATE ON ${schema}.outbox_lease TO ${user};
      GRANT SELECT, DELETE ON ${schema}.outbox TO ${user};
      GRANT SELECT, INSERT, DELETE ON ${schema}.outbox_refused TO ${user}`)
    const relay = relayOf({ outbox: await postgresOutbox(url, { schema, ...RARELY }) })
    await sql`SELECT ${sql(schema)}.publish('shop', 'order.made')`
    await sql`SELECT ${sql(schema)}.publish('no room', 'order.made')`
    expect(await eventsOf(askRelay(relay), 'shop', 1)).toHaveLength(1)
    await vi.waitFor(async () => expect(await waitingIn(schema)).toBe(0), until)
    expect(await refusedIn(schema)).toHaveLength(1)
  })

  it('an application needs no more than the right to insert', async () => {
    const schema = newSchema()
    const relay = relayOf(await opened(schema))
    const user = `u${schema}`
    await sql.unsafe(`CREATE ROLE ${user};
      GRANT USAGE ON SCHEMA ${schema} TO ${user}; GRANT INSERT ON ${schema}.outbox TO ${user}`)
    await sql.begin(async (tx) => {
      await tx.unsafe(`SET LOCAL ROLE ${user}`)
      await tx`SELECT ${tx(schema)}.publish('shop', 'order.made')`
    })
    expect(await eventsOf(askRelay(relay), 'shop', 1)).toHaveLength(1)
  })

  it('says what to do about a URL, a schema, a format or a server that it cannot use', async () => {
    await expect(postgresOutbox('nowhere')).rejects.toMatchObject({ code: 'invalid_options' })
    for (const options of [{ schema: 'Shop"' }, { pollMs: 0 }])
      await expect(postgresOutbox(server.url, options)).rejects.toMatchObject({
        code: 'invalid_options',
      })
    const schema = newSchema()
    await sql.unsafe(postgresOutboxSql(schema))
    await sql`UPDATE ${sql(schema)}.outbox_format SET version = 9`
    await expect(postgresOutbox(server.url, { schema })).rejects.toMatchObject({
      code: 'log_damaged',
    })
  })
})

type Publish = Parameters<Outbox['step']>[2]

/** An outbox whose steps do something else between reading and removing. */
function stepOf(
  outbox: Outbox,
  between: (rows: Parameters<Publish>[0], publish: Publish) => ReturnType<Publish>,
): Outbox {
  return {
    engine: outbox.engine,
    pollMs: outbox.pollMs,
    ...(outbox.id !== undefined && { id: outbox.id }),
    step: (limit, waiting, publish) =>
      outbox.step(limit, waiting, (rows) => between(rows, publish)),
    waiting: () => outbox.waiting(),
    listen: (heard) => outbox.listen?.(heard),
    close: () => outbox.close(),
  }
}

/** A way to the server that can be cut. */
async function proxyTo(server: EngineServer) {
  const folder = new URL(server.url).searchParams.get('host') as string
  const sockets = new Set<Socket>()
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const listener = createServer((near) => {
    const far = connect(join(folder, '.s.PGSQL.5432'))
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far).pipe(near)
  })
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const { port } = listener.address() as AddressInfo
  return {
    url: `postgres://relay@127.0.0.1:${port}/postgres`,
    cut,
    close() {
      listener.close()
      cut()
    },
  }
}
