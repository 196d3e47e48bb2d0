import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EngineServer, startRedis } from '../testing/engine-servers.ts'
import { ALL, appendOf, EMPTY, KEEP, recordOf } from '../testing/store-contract/records.ts'
import { storeContract } from '../testing/store-contract.ts'
import type { ClientHears } from './engine/driver.ts'
import { engineLink } from './engine/engine-store.ts'
import { redisStore } from './redis.ts'
import { redisAddress } from './redis-address.ts'
import { type RedisClient, RedisDriver } from './redis-client.ts'
import { RedisStore } from './redis-store.ts'

let server: EngineServer
let prefixes = 0

/** What happens between the first page of a read and the next one. */
class PagingDriver extends RedisDriver {
  between: (() => Promise<unknown>) | undefined

  override make(hears: ClientHears): RedisClient {
    const made = super.make(hears)
    const xRange = made.client.xRange.bind(made.client)
    Object.assign(made.client, {
      xRange: async (...asked: Parameters<typeof xRange>) => {
        const page = await xRange(...asked)
        const { between } = this
        this.between = undefined
        await between?.()
        return page
      },
    })
    return made
  }
}

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

  it('passes over no events that are trimmed between two pages of a read', async () => {
    const prefix = `s${++prefixes}`
    const driver = new PagingDriver(redisAddress(server.url, { prefix }))
    const link = engineLink(driver, {})
    await link.start()
    const store = new RedisStore(link, `${prefix}:`)
    const other = await redisStore(server.url, { prefix })
    const many = Array.from({ length: 500 }, (_, i) => recordOf([`a-${i + 1}`]))
    const append = appendOf(EMPTY, many, [])
    const { records } = append
    await other.append('r', append)
    driver.between = () => other.trim('r', { ...KEEP, events: 100 }, ALL)
    const read = await store.read('r', 0, ALL)
    expect(driver.between).toBe(undefined)
    expect(read).toEqual(records.slice(0, read.length))
    expect(read.length).toBeGreaterThan(0)
    // Whoever reads on finds where the history begins now.
    expect(await store.read('r', read.length, ALL)).toEqual(records.slice(400))
    await Promise.all([store.close(), other.close()])
  })

  it('trims a room where Redis is full, so that there is room again', async () => {
    const store = await redisStore(server.url, { prefix: `s${++prefixes}` })
    const append = appendOf(EMPTY, [recordOf(['a-1']), recordOf(['a-2'])], [])
    await store.append('r', append)
    const client = createClient({ url: server.url })
    await client.connect()
    await client.configSet('maxmemory', '1')
    try {
      const more = appendOf(append.head, [recordOf(['a-3'])], [])
      await expect(store.append('r', more)).rejects.toThrow('OOM')
      expect(await store.trim('r', { ...KEEP, events: 1 }, ALL)).toBe(false)
    } finally {
      await client.configSet('maxmemory', '0')
      client.destroy()
    }
    expect(await store.read('r', 0, ALL)).toEqual(append.records.slice(1))
    expect((await store.stats('r'))?.events).toBe(1)
    await store.close()
  })

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
