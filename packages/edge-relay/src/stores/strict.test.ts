/** `durability=strict`: an engine that may lose what it confirmed is not used. */
import { createClient } from 'redis'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type EngineServer,
  type StartEngine,
  startNats,
  startPostgres,
  startRedis,
} from '../testing/engine-servers.ts'
import { natsStore } from './nats.ts'
import { postgresStore } from './postgres.ts'
import { redisStore } from './redis.ts'
import type { Store } from './store.ts'

let server: EngineServer | undefined
let store: Store | undefined

afterEach(async () => {
  await store?.close()
  await server?.stop()
  store = undefined
  server = undefined
})

async function started(start: StartEngine | undefined, settings: string[]): Promise<string> {
  server = await (start as StartEngine)({ settings })
  return server.url
}

const refused = (said: string) => ({
  code: 'log_unavailable',
  message: expect.stringContaining(said),
})

describe.skipIf(!startPostgres)('a strict store in PostgreSQL', () => {
  it('refuses a server that does not sync, and says what to set', async () => {
    const url = await started(startPostgres, ['-c', 'fsync=off'])
    await expect(postgresStore(`${url}&durability=strict`)).rejects.toMatchObject(refused('fsync'))
    await expect(postgresStore(url, { durability: 'strict' })).rejects.toMatchObject(
      refused('fsync'),
    )
  })

  it('has its own commits synced, whatever the database does by default', async () => {
    const url = await started(startPostgres, ['-c', 'synchronous_commit=off'])
    store = await postgresStore(url)
    expect(store.durability).toBe('memory')
    await store.close()
    store = await postgresStore(`${url}&durability=strict`)
    expect(store.durability).toBe('disk')
  })

  it('refuses to be asked for both', async () => {
    const url = await started(startPostgres, [])
    const both = `${url}&durability=strict&synchronous_commit=off`
    await expect(postgresStore(both)).rejects.toMatchObject(refused('synchronous_commit'))
  })
})

describe.skipIf(!startRedis)('a strict store in Redis', () => {
  it('refuses a server that does not sync each write, and says what to set', async () => {
    const url = await started(startRedis, ['--appendonly', 'yes'])
    await expect(redisStore(`${url}?durability=strict`)).rejects.toMatchObject(
      refused('appendfsync to always'),
    )
  })

  it('lets go of a server that does so no more when it comes back, until it does again', async () => {
    const url = await started(startRedis, ['--appendonly', 'yes', '--appendfsync', 'always'])
    const made = await redisStore(`${url}?durability=strict`)
    store = made
    expect(made.durability).toBe('disk')
    const client = createClient({ url })
    await client.connect()
    try {
      await client.configSet('appendfsync', 'everysec')
      await client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal'])
      const status = () => made.connection?.get()
      const said = { code: 'log_unavailable', message: expect.stringContaining('appendfsync') }
      await expect.poll(status).toMatchObject({ state: 'offline', lastError: said })
      await expect(made.rooms('', 1)).rejects.toMatchObject({ code: 'unavailable' })
      await client.configSet('appendfsync', 'always')
      await expect.poll(status).toMatchObject({ state: 'online' })
      expect(await made.rooms('', 1)).toEqual([])
    } finally {
      client.destroy()
    }
  })
})

describe.skipIf(!startNats)('a strict store in NATS', () => {
  it('refuses servers of which nobody says that they sync each message', async () => {
    const url = await started(startNats, ['jetstream: enabled'])
    await expect(natsStore(`${url}?durability=strict`)).rejects.toMatchObject(
      refused('sync_interval'),
    )
  })
})
