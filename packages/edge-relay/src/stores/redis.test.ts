import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EngineServer, startRedis } from '../testing/engine-servers.ts'
import { storeContract } from '../testing/store-contract.ts'
import { redisStore } from './redis.ts'

let server: EngineServer
let prefixes = 0

describe.skipIf(!startRedis)('redisStore', () => {
  beforeAll(async () => {
    server = await (startRedis as () => Promise<EngineServer>)()
  })
  afterAll(() => server.stop())

  storeContract(
    { describe, it, expect },
    'redisStore',
    async () => {
      const prefix = `s${++prefixes}`
      const open = () => redisStore(server.url, { prefix })
      return { store: await open(), reopen: open }
    },
    { lasts: true, shared: true, served: true, deletesAtOnce: true },
  )

  it('refuses a Redis that removes rooms by itself, and says what to set', async () => {
    const client = createClient({ url: server.url })
    await client.connect()
    await client.configSet('maxmemory-policy', 'allkeys-lru')
    const refused = redisStore(server.url)
    await expect(refused).rejects.toMatchObject({ code: 'log_unavailable' })
    await expect(refused).rejects.toThrow('noeviction')
    await client.configSet('maxmemory-policy', 'noeviction')
    client.destroy()
  })

  it('promises the disk only where each write is synced', async () => {
    const client = createClient({ url: server.url })
    await client.connect()
    for (const [fsync, durability] of [
      ['everysec', 'memory'],
      ['always', 'disk'],
    ] as const) {
      await client.configSet('appendfsync', fsync)
      const store = await redisStore(server.url)
      expect(store.durability).toBe(durability)
      await store.close()
    }
    client.destroy()
  })

  it('says that a URL is none', async () => {
    await expect(redisStore('nowhere')).rejects.toMatchObject({ code: 'invalid_options' })
  })

  it('waits for a server that cannot be reached, and says so without its password', async () => {
    const store = await redisStore('redis://me:secret@127.0.0.1:1')
    const status = store.connection?.get()
    expect(status).toMatchObject({ kind: 'redis', state: 'connecting', reconnections: 0 })
    expect(status?.lastError?.message).toContain('ECONNREFUSED')
    expect(JSON.stringify(status)).not.toContain('secret')
    await expect(store.load('r')).rejects.toMatchObject({ code: 'unavailable' })
    await store.close()
  })
})
