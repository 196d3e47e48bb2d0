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

  storeContract({ describe, it, expect }, 'redisStore', async () => {
    const prefix = `s${++prefixes}`
    const open = () => redisStore(server.url, { prefix })
    return { store: await open(), reopen: open, deletesAtOnce: true }
  })
})
