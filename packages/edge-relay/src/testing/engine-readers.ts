/** What an engine has of a room, as its own client finds it: without a relay, and without a store. */
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import postgres from 'postgres'
import { createClient } from 'redis'
import type { RecordRow } from '../stores/record-rows.ts'

/** An event as it is kept. */
export interface StoredEvent {
  readonly id: string
  readonly data: unknown
}

/**
 * The events of a room of one type, in the room's order.
 *
 * @param url as `--store` takes it
 */
export function readStored(url: string, room: string, type: string): Promise<StoredEvent[]> {
  if (url.startsWith('redis:')) return readRedis(url, room, type)
  return url.startsWith('nats:') ? readNats(url, room, type) : readPostgres(url, room, type)
}

async function readPostgres(url: string, room: string, type: string): Promise<StoredEvent[]> {
  const { searchParams, username, pathname } = new URL(url)
  const host = searchParams.get('host') as string
  const sql = postgres({ host, username, database: pathname.slice(1), max: 1 })
  try {
    const rows = await sql<{ id: string; data: string }[]>`
      SELECT id, data FROM crosstown.events WHERE room = ${room} AND type = ${type} ORDER BY place`
    return rows.map(({ id, data }) => ({ id, data: JSON.parse(data) as unknown }))
  } finally {
    await sql.end()
  }
}

async function readRedis(url: string, room: string, type: string): Promise<StoredEvent[]> {
  const client = createClient({ url })
  await client.connect()
  try {
    const entries = (await client.xRange(`crosstown:log:${room}`, '-', '+')) ?? []
    const rows = entries.map(({ message }) => JSON.parse(message['r'] as string) as RecordRow)
    return rows.flatMap((row) => eventsIn(row, type))
  } finally {
    client.destroy()
  }
}

/** Of a room that was not trimmed: what its log has, message by message. */
async function readNats(url: string, room: string, type: string): Promise<StoredEvent[]> {
  const nc = await connect({ servers: [new URL(url).host] })
  try {
    const { direct } = await jetstreamManager(nc)
    const found: StoredEvent[] = []
    for (let seq = 1; ; ) {
      const asked = { next_by_subj: `crosstown.log.${room}`, seq }
      const message = await direct.getMessage('crosstown', asked)
      if (!message) return found
      seq = message.seq + 1
      const [meta = '', ...rest] = message.string().split('\n')
      const { parts } = JSON.parse(meta) as { parts?: readonly number[] }
      let body = rest.join('\n')
      for (const part of parts ?? [])
        body += (await direct.getMessage('crosstown', { seq: part }))?.string()
      const { records = [] } = JSON.parse(body) as { records?: readonly RecordRow[] }
      found.push(...records.flatMap((row) => eventsIn(row, type)))
    }
  } finally {
    await nc.close()
  }
}

function eventsIn({ headers, data }: RecordRow, type: string): StoredEvent[] {
  if (headers === '') return []
  const texts = data.split('\n')
  return headers.split('\n').flatMap((line, i) => {
    const header = JSON.parse(line) as { id: string; type: string }
    return header.type === type ? [{ id: header.id, data: JSON.parse(texts[i] as string) }] : []
  })
}
