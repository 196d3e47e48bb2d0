import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EngineServer, startNats } from '../testing/engine-servers.ts'
import { storeContract } from '../testing/store-contract.ts'
import { natsStore } from './nats.ts'

let server: EngineServer
let streams = 0
const newStream = (): string => `s${++streams}`

describe.skipIf(!startNats)('natsStore', () => {
  beforeAll(async () => {
    server = await (startNats as () => Promise<EngineServer>)()
  })
  afterAll(() => server.stop())

  storeContract({ describe, it, expect }, 'natsStore', async () => {
    const stream = newStream()
    const open = () => natsStore(server.url, { stream })
    return { store: await open(), reopen: open }
  })
})
