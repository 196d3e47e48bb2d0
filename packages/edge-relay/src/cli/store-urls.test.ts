/** What `crosstown-relay serve --store` says of an engine that it cannot use: one line, and it ends. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Commands } from '../testing/cli-run.ts'
import { type EngineServer, startPostgres, startRedis } from '../testing/engine-servers.ts'

let commands: Commands
beforeAll(async () => {
  commands = await Commands.open()
})
afterEach(() => commands.end())
afterAll(() => commands.close())

const EXIT_USAGE = 2

async function refusal(store: string): Promise<string> {
  const [code, line] = await commands.fails('', ['serve', '--port', '0', '--store', store])
  expect(code).toBe(EXIT_USAGE)
  expect(line).not.toContain('secret')
  return line
}

it.each([
  ['tape:secret', 'use memory, sqlite:'],
  ['postgres://me:secret@db/x?pool=7', 'pool is no option of the URL'],
  ['redis://me:secret@db/x', 'redis://user:password@host:port/number'],
])('a URL that is none is refused by what there is: %s', async (store, what) => {
  expect(await refusal(store)).toContain(what)
})

describe.skipIf(!startPostgres)('a PostgreSQL that says no', () => {
  let server: EngineServer
  beforeAll(async () => {
    server = await (startPostgres as NonNullable<typeof startPostgres>)()
  })
  afterAll(() => server.stop())

  it('to a role, or a database, that is not there', async () => {
    const { url } = server
    expect(await refusal(url.replace('relay@', 'nobody:secret@'))).toContain('role "nobody"')
    expect(await refusal(url.replace('/postgres', '/nothing'))).toContain('database "nothing"')
  })

  it('to TLS, which it does not have', async () => {
    expect(await refusal(`${server.url}&sslmode=require`)).toContain('the server has no TLS')
  })
})

describe.skipIf(!startRedis)('a Redis that says no', () => {
  let server: EngineServer
  beforeAll(async () => {
    const settings = ['--requirepass', 'right', '--maxmemory-policy', 'allkeys-lru']
    server = await (startRedis as NonNullable<typeof startRedis>)({ settings })
  })
  afterAll(() => server.stop())

  it('to a wrong password, or to none', async () => {
    const { url } = server
    expect(await refusal(url.replace('//', '//:secret@'))).toContain('WRONGPASS')
    expect(await refusal(url)).toContain('NOAUTH')
  })

  it('because it would remove rooms, with what to set', async () => {
    const line = await refusal(server.url.replace('//', '//:right@'))
    expect(line).toContain('maxmemory-policy is allkeys-lru; set it to noeviction')
  })
})
