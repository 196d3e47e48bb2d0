import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EngineServer, startPostgres } from '../testing/engine-servers.ts'
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

  storeContract({ describe, it, expect }, 'postgresStore', async () => {
    const schema = newSchema()
    const open = () => postgresStore(server.url, { schema, connections: 2 })
    return { store: await open(), reopen: open }
  })
})
