// What one would do without a relay: each with the client of its engine, events kept in order and told
// to whoever listens.
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import postgres from 'postgres'
import { createClient } from 'redis'

/**
 * @typedef {object} EngineClient
 * @property {(texts: string[]) => Promise<unknown>} append keeps events; resolves when all are kept
 * @property {(texts: string[]) => Promise<unknown>} publish the same, and tells those who listen
 * @property {(heard: (count: number) => void) => Promise<unknown>} listen
 * @property {() => Promise<unknown>} close
 */

const NAME = 'bench'

/** A row an event; of a notification, which holds 8,000 bytes, the event itself. */
async function postgresClient(url) {
  const host = new URL(url).searchParams.get('host')
  const sql = postgres({ host, username: 'relay', database: 'postgres', max: 1, onnotice() {} })
  await sql`SET client_min_messages = error`
  await sql`CREATE TABLE IF NOT EXISTS bench (place bigserial PRIMARY KEY, event text NOT NULL)`
  return {
    append: (texts) =>
      sql`INSERT INTO bench (event) SELECT json_array_elements_text(${sql.json(texts)}::json)`,
    publish: (texts) =>
      sql`WITH kept AS (
          INSERT INTO bench (event) SELECT json_array_elements_text(${sql.json(texts)}::json)
          RETURNING event
        ) SELECT count(pg_notify(${NAME}, event)) FROM kept`,
    listen: (heard) => sql.listen(NAME, () => heard(1)),
    close: () => sql.end(),
  }
}

async function redisClient(url) {
  const client = await createClient({ url }).connect()
  let listening
  const add = (texts, tell) => {
    const all = client.multi()
    for (const event of texts) {
      all.xAdd(NAME, '*', { event })
      if (tell) all.publish(NAME, event)
    }
    return all.exec()
  }
  return {
    append: (texts) => add(texts, false),
    publish: (texts) => add(texts, true),
    async listen(heard) {
      listening = await client.duplicate().connect()
      await listening.subscribe(NAME, () => heard(1))
    },
    close: async () => {
      await listening?.close()
      await client.close()
    },
  }
}

/** Whoever subscribes to the subject is told what the stream takes. */
async function natsClient(url) {
  const connection = await connect({ servers: new URL(url).host })
  const manager = await jetstreamManager(connection)
  await manager.streams.add({ name: NAME, subjects: [NAME], storage: 'file' }).catch(() => {})
  const stream = jetstream(connection)
  const add = (texts) => Promise.all(texts.map((event) => stream.publish(NAME, event)))
  return {
    append: add,
    publish: add,
    async listen(heard) {
      connection.subscribe(NAME, { callback: () => heard(1) })
      await connection.flush()
    },
    close: () => connection.close(),
  }
}

/** @type {Record<string, (url: string) => Promise<EngineClient>>} */
export const engineClients = {
  PostgreSQL: postgresClient,
  Redis: redisClient,
  NATS: natsClient,
}
