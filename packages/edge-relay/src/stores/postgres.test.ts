import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRelay } from '../relay.ts'
import { type EngineServer, startPostgres } from '../testing/engine-servers.ts'
import { ALL, appendOf, EMPTY, KEEP, recordOf } from '../testing/store-contract/records.ts'
import { storeContract } from '../testing/store-contract.ts'
import { postgresStore } from './postgres.ts'

let server: EngineServer
let schemas = 0
const newSchema = (): string => `s${++schemas}`

describe.skipIf(!startPostgres)('postgresStore', () => {
  beforeAll(async () => {
    server = await (startPostgres as () => Promise<EngineServer>)()
  })
  afterAll(() => server.stop())

  storeContract(
    { describe, it, expect },
    'postgresStore',
    async () => {
      const schema = newSchema()
      const open = () => postgresStore(server.url, { schema, connections: 6 })
      return { store: await open(), reopen: open }
    },
    { lasts: true, shared: true, served: true },
  )

  it('shows events to SQL as rows, whatever their data has in it', async () => {
    const schema = newSchema()
    const store = await postgresStore(server.url, { schema })
    const relay = createRelay({ store })
    const publish = (event: object) =>
      relay.fetch(
        new Request('http://localhost/rooms/42/events', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(event),
        }),
      )
    await publish({ type: 'order.created', stream: 'order-7', data: { total: 3 } })
    await publish({ type: 'order.paid', stream: 'order-7', data: { by: 'a\u0000b\nc' } })
    const url = new URL(server.url)
    const host = url.searchParams.get('host') as string
    const sql = postgres({ host, username: 'relay', database: 'postgres' })
    const rows = await sql`
      SELECT room, place::int, type, stream, revision::int, encoding, data
      FROM ${sql(schema)}.events ORDER BY place`
    expect([...rows]).toEqual([
      {
        room: '42',
        place: 1,
        type: 'order.created',
        stream: 'order-7',
        revision: 1,
        encoding: 'json',
        data: '{"total":3}',
      },
      {
        room: '42',
        place: 2,
        type: 'order.paid',
        stream: 'order-7',
        revision: 2,
        encoding: 'json',
        data: JSON.stringify({ by: 'a\u0000b\nc' }),
      },
    ])
    await sql.end()
    await relay.close()
  })

  it('reads and removes parts of the state by their keys, whatever is in these', async () => {
    const store = await postgresStore(server.url, { schema: newSchema() })
    const keys = ['a"b', 'c\\d', '{e,f}', 'NULL', ' g ', 'ü😀']
    const none = { epoch: 'e', version: 0, place: 0, check: '0', chain: '', time: 0 }
    const head = { ...none, version: 1 }
    const put = (value: string): [string, string][] => keys.map((key) => [key, value && key])
    await store.append('42', { expected: none, head, records: [], state: put('kept') })
    expect(await store.state('42', keys)).toEqual(keys)
    const next = { ...none, version: 2 }
    await store.append('42', { expected: head, head: next, records: [], state: put('') })
    expect(await store.state('42', keys)).toEqual(keys.map(() => undefined))
    await store.close()
  })

  it('asks for no more of a room than a step of trimming takes, however much the room has', async () => {
    let received = 0
    const proxy = createServer((client) => {
      const real = dial(join(server.folder, '.s.PGSQL.5432'))
      real.on('data', ({ length }) => (received += length))
      for (const socket of [client, real]) socket.on('error', () => {})
      client.pipe(real).pipe(client)
    }).listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const { port } = proxy.address() as AddressInfo
    const url = `postgres://relay@127.0.0.1:${port}/postgres`
    const store = await postgresStore(url, { schema: newSchema() })
    const records = Array.from({ length: 3_000 }, (_, i) => recordOf([`a-${i + 1}`]))
    await store.append('r', appendOf(EMPTY, records, []))
    received = 0
    const step = { events: 2, bytes: 1_000_000 }
    expect(await store.trim('r', { ...KEEP, events: 2_997 }, step)).toBe(true)
    expect(await store.trim('r', { ...KEEP, events: 2_997 }, step)).toBe(false)
    expect(await store.trim('r', { ...KEEP, events: 2_997 }, step)).toBe(false)
    // Each of the records takes more than 100 bytes, all of them more than 300,000.
    expect(received).toBeLessThan(50_000)
    const [first] = await store.read('r', 0, { ...ALL, events: 1 })
    expect(first?.place).toBe(4)
    await store.close()
    proxy.close()
  })

  it('says what to do about a URL or a schema that it cannot use', async () => {
    await expect(postgresStore('nowhere')).rejects.toMatchObject({ code: 'invalid_options' })
    await expect(postgresStore(server.url, { schema: 'Shop"' })).rejects.toMatchObject({
      code: 'invalid_options',
    })
  })

  it('waits for a server that cannot be reached, and says so without its password', async () => {
    const store = await postgresStore('postgres://relay:secret@localhost/x?host=/nowhere')
    const status = store.connection?.get()
    expect(status).toMatchObject({ kind: 'postgres', state: 'connecting', reconnections: 0 })
    expect(status?.lastError?.message).toContain('ENOENT')
    expect(JSON.stringify(status)).not.toContain('secret')
    await expect(store.load('r')).rejects.toMatchObject({ code: 'unavailable' })
    await store.close()
  })
})
