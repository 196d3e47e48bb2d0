/** A database of two servers, of which one is a hot standby. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { CutProxy } from '../testing/cut-proxy.ts'
import { type EngineServer, startPostgres } from '../testing/engine-servers.ts'
import { appendOf, EMPTY, recordOf } from '../testing/store-contract/records.ts'
import { postgresStore } from './postgres.ts'

const PATIENCE_MS = 20_000

describe.skipIf(!startPostgres)('postgresStore', () => {
  let primary: EngineServer
  let standby: EngineServer
  beforeAll(async () => {
    const start = startPostgres as NonNullable<typeof startPostgres>
    primary = await start()
    standby = await start()
    // With the tables of a relay, as it would have them from its primary.
    await (await postgresStore(standby.url)).close()
    await standby.kill()
    await writeFile(join(standby.folder, 'data/standby.signal'), '')
    await standby.restart()
  })
  afterAll(() => Promise.all([primary?.stop(), standby?.stop()]))

  const socketOf = ({ folder }: EngineServer): string => join(folder, '.s.PGSQL.5432')

  it.each(['', '?target_session_attrs=read-write'])(
    'writes to, and hears, the one of several hosts that takes writes, asked with %j',
    async (options) => {
      const proxies = [
        await CutProxy.open(socketOf(standby)),
        await CutProxy.open(socketOf(primary)),
      ]
      const hosts = proxies.map(({ port }) => `127.0.0.1:${port}`).join(',')
      const store = await postgresStore(`postgres://relay@${hosts}/postgres${options}`)
      const other = await postgresStore(primary.url)
      const room = `r${options}`
      let said: unknown
      try {
        expect(store.connection?.get()).toMatchObject({ state: 'online' })
        expect(await store.append(room, appendOf(EMPTY, [recordOf(['a-1'])], []))).toBe(true)
        expect((await other.head(room))?.place).toBe(1)
        store.listen?.((_, text) => (said = text))
        await vi.waitFor(() => {
          other.signal(room, 'hello')
          expect(said).toBe('hello')
        }, PATIENCE_MS)
      } finally {
        await Promise.all([store.close(), other.close()])
        for (const proxy of proxies) await proxy.close()
      }
    },
  )

  it('gives up a connection to a server that has become read-only, and writes where its address leads now', async () => {
    const proxy = await CutProxy.open(socketOf(standby))
    const url = `postgres://relay@127.0.0.1:${proxy.port}/postgres?connections=1`
    const store = await postgresStore(url)
    try {
      expect(store.connection?.get()).toMatchObject({ state: 'online' })
      proxy.lead(socketOf(primary))
      const append = appendOf(EMPTY, [recordOf(['a-1'])], [])
      await expect(store.append('moved', append)).rejects.toMatchObject({ code: 'unavailable' })
      await vi.waitFor(async () => {
        expect(await store.append('moved', append)).toBe(true)
      }, PATIENCE_MS)
    } finally {
      await store.close()
      await proxy.close()
    }
  })
})
