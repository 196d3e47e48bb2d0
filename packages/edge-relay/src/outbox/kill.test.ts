/** Relays that are killed while they drain an outbox: what was committed is there once, in order. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type EngineServer, startPostgres } from '../testing/engine-servers.ts'
import { application, askUrl, eventsOf } from '../testing/outbox-relay.ts'
import {
  endAll,
  type RelayProcessHandle,
  RUNTIMES,
  type Runtime,
} from '../testing/relay-process.ts'
import { sqliteOutboxSql } from './sqlite-tables.ts'

const KILLS = 3
/** Each publishes in one transaction after the other. */
const WRITERS = 4
/** Rows that writers may be ahead of what was seen: slow machines must not get more to do. */
const AHEAD = 4_000
/** Events that a relay is seen to have published before it is killed. */
const BETWEEN = 150
const PATIENCE_MS = 180_000

/** An application that publishes. */
interface App {
  readonly room: string
  /** A transaction with as many rows; whether it was committed. */
  publish(writer: number, first: number, count: number, commit: boolean): Promise<void>
  /** Ends all it has. */
  end(): Promise<void>
}

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-outbox-kill-'))
})
afterEach(endAll)
afterAll(() => rm(folder, { recursive: true, force: true }))

const [NODE] = RUNTIMES as [Runtime]

function relayOn({ start }: Runtime, args: readonly string[]): Promise<RelayProcessHandle> {
  return (start as NonNullable<Runtime['start']>)({ args })
}

/** Writers publish until the last relay is up, each three of four transactions; what each committed. */
async function killRun(app: App, runtime: Runtime, args: readonly string[]): Promise<void> {
  let going = true
  let seen = 0
  let moreIsSeen = Promise.withResolvers<void>()
  const see = (count: number) => {
    seen = count
    moreIsSeen.resolve()
    moreIsSeen = Promise.withResolvers()
  }
  const committed = Array.from({ length: WRITERS }, () => 0)
  const written = () => committed.reduce((sum, count) => sum + count, 0)
  const writers = committed.map(async (_, writer) => {
    for (let transaction = 0; going; transaction++) {
      if (written() > seen + AHEAD) {
        await moreIsSeen.promise
        continue
      }
      const commit = transaction % 4 !== 3
      const count = 1 + (transaction % 3)
      await app.publish(writer, committed[writer] as number, count, commit)
      if (commit) (committed[writer] as number) += count
      // Whoever reads shares this process.
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const relay = await relayOn(runtime, args)
      see((await eventsOf(askUrl(relay.url), app.room, seen + BETWEEN)).length)
      await relay.end('SIGKILL')
    }
  } finally {
    going = false
    see(seen)
    await Promise.all(writers)
  }
  const relay = await relayOn(runtime, args)
  const all = written()
  const events = await eventsOf(askUrl(relay.url), app.room, all)
  for (const [writer, count] of committed.entries()) {
    const own = events.filter(({ stream }) => stream === `writer-${writer}`)
    expect(own.map(({ data }) => data)).toEqual(Array.from({ length: count }, (_, i) => i))
    expect(own.map(({ revision }) => revision)).toEqual(own.map((_, i) => i + 1))
  }
  expect(events).toHaveLength(all)
  expect(all).toBeGreaterThanOrEqual(KILLS * BETWEEN)
}

let rooms = 0

function onPostgres(server: EngineServer): App {
  const room = `room-${++rooms}`
  const sql = application(server)
  return {
    room,
    async publish(writer, first, count, commit) {
      const undone = new Error('undone')
      await sql
        .begin(async (tx) => {
          for (let i = 0; i < count; i++) {
            await tx`SELECT crosstown.publish(${room}, 'tick.came', ${tx.json(commit ? first + i : -1)},
              ${`writer-${writer}`})`
          }
          if (!commit) throw undone
        })
        .catch((error: unknown) => {
          if (error !== undone) throw error
        })
    },
    end: () => sql.end(),
  }
}

function onSqlite(file: string): App {
  const app = new DatabaseSync(file, { timeout: 20_000 })
  app.exec(`PRAGMA journal_mode = WAL; ${sqliteOutboxSql()}`)
  const put = app.prepare(
    `INSERT INTO crosstown_outbox (room, type, data, stream) VALUES ('shop', 'tick.came', ?, ?)`,
  )
  return {
    room: 'shop',
    async publish(writer, first, count, commit) {
      app.exec('BEGIN IMMEDIATE')
      for (let i = 0; i < count; i++) put.run(String(commit ? first + i : -1), `writer-${writer}`)
      app.exec(commit ? 'COMMIT' : 'ROLLBACK')
    },
    end: async () => app.close(),
  }
}

const TITLE =
  'a relay killed three times while it drains: what transactions committed is there once, in the order of each writer, and nothing of those that rolled back'

describe.skipIf(!startPostgres)('in PostgreSQL', () => {
  let server: EngineServer
  beforeAll(async () => {
    server = await (startPostgres as () => Promise<EngineServer>)()
  })
  afterAll(() => server.stop())

  it.each([
    ['its own database', () => ['--store', server.url, '--outbox'], 0],
    ['its own database, and another relay beside it', () => ['--store', server.url, '--outbox'], 1],
    [
      'another store',
      () => ['--store', `sqlite:${join(folder, 'events.db')}`, '--outbox', server.url],
      0,
    ],
  ])(
    `${TITLE}; with %s`,
    async (_, args, beside) => {
      // The tables are made by the first relay that comes.
      await (await relayOn(NODE, args())).end('SIGTERM')
      for (let i = 0; i < beside; i++) await relayOn(NODE, args())
      const app = onPostgres(server)
      try {
        await killRun(app, NODE, args())
      } finally {
        await app.end()
      }
    },
    PATIENCE_MS,
  )
})

describe.each(RUNTIMES.filter(({ hasProcesses }) => hasProcesses))(
  'in SQLite, on $name',
  (runtime) => {
    it.skipIf(!runtime.start)(
      TITLE,
      async () => {
        const [file, rooms] = ['app', 'rooms'].map((name) =>
          join(folder, `${runtime.name}-${name}.db`),
        )
        const app = onSqlite(file as string)
        try {
          await killRun(app, runtime, ['--store', `sqlite:${rooms}`, '--outbox', `sqlite:${file}`])
        } finally {
          await app.end()
        }
      },
      PATIENCE_MS,
    )
  },
)
