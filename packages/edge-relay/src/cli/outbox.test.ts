/** What the command says of outboxes. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Commands } from '../testing/cli-run.ts'

const NOBODY = 'http://127.0.0.1:9'
const EXIT_USAGE = 2

let commands: Commands
beforeAll(async () => {
  commands = await Commands.open()
})
afterAll(() => commands.close())

async function printed(...args: string[]): Promise<string> {
  const run = commands.start(NOBODY, ['outbox', '--print-sql', ...args])
  expect(await run.exited).toBe(0)
  return run.seen.out
}

it('prints the SQL of the tables, for each engine and schema', async () => {
  expect(await printed()).toContain('CREATE TABLE IF NOT EXISTS crosstown.outbox (')
  const other = await printed('--schema', 'events_of')
  expect(other).toContain('FUNCTION events_of.publish(')
  expect(other).not.toContain('crosstown.')
  const database = new DatabaseSync(':memory:')
  database.exec(await printed('--engine', 'sqlite'))
  database.exec(`INSERT INTO crosstown_outbox (room, type) VALUES ('shop', 'order.made')`)
  database.close()
})

it.each([
  [['outbox'], 'say --print-sql'],
  [['outbox', '--print-sql', '--schema', 'a"b'], 'lower case letters'],
  [['serve', '--port', '0', '--outbox'], 'the store is no PostgreSQL'],
  [['serve', '--port', '0', '--outbox', 'store'], 'the store is no PostgreSQL'],
  [['serve', '--port', '0', '--outbox', 'mysql://me:secret@db/shop'], '--outbox mysql: use'],
  [['serve', '--port', '0', '--outbox', `sqlite:${join('no', 'such', 'app.db')}`], 'give the path'],
])('says in one line what is wrong with %j', async (args, what) => {
  const [code, said] = await commands.fails(NOBODY, args)
  expect(code).toBe(EXIT_USAGE)
  expect(said).toContain(what)
  expect(said).not.toContain('secret')
})
