/** Relays and applications that share an outbox, for tests. */
import postgres, { type Sql } from 'postgres'
import type { Relay } from '../relay.ts'
import type { Store } from '../stores/store.ts'
import type { EngineServer } from './engine-servers.ts'

/** An event, as a reader of the room over HTTP gets it. */
export interface ReadEvent {
  readonly id: string
  readonly ownId?: string
  readonly type: string
  readonly source: string
  readonly time: number
  readonly stream?: string
  readonly revision?: number
  readonly correlationId: string
  readonly causationId?: string
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly data?: unknown
  readonly encoding?: string
}

/** A connection of an application to the database that a relay drains. */
export function application(server: EngineServer, max = 10): Sql {
  const host = new URL(server.url).searchParams.get('host') as string
  return postgres({ host, username: 'relay', database: 'postgres', max, onnotice: () => {} })
}

/** Requests to a relay of this process, or to one at an address. */
export type Ask = (path: string) => Promise<Response>

export const askRelay =
  (relay: Relay): Ask =>
  async (path) =>
    relay.fetch(new Request(`http://localhost${path}`))

export const askUrl =
  (url: string): Ask =>
  (path) =>
    fetch(`${url}${path}`)

/** All events of a room, from its first one, as soon as there are at least so many. */
export async function eventsOf(ask: Ask, room: string, least: number): Promise<ReadEvent[]> {
  const events: ReadEvent[] = []
  let after: string | undefined
  for (;;) {
    const wait = events.length < least ? '&wait=20000' : ''
    const from = after === undefined ? '' : `&after=${encodeURIComponent(after)}`
    const response = await ask(`/rooms/${room}/events?limit=1000${wait}${from}`)
    if (!response.ok) throw new Error(`the relay answers ${response.status}`)
    const page = (await response.json()) as {
      events: (ReadEvent & { position: string })[]
      next?: string
    }
    events.push(...page.events)
    after = page.events.at(-1)?.position ?? after
    if (page.next === undefined && events.length >= least) return events
  }
}

/** A store is a class: what it has is not its own property. */
export function boundTo(store: Store): Store {
  const methods = [
    'load',
    'state',
    'head',
    'append',
    'read',
    'first',
    'trimmedAt',
    'find',
    'wasTrimmed',
    'findByTime',
    'stats',
    'trim',
    'delete',
    'wasDeleted',
    'purge',
    'rooms',
    'signal',
    'close',
  ] as const
  const bound = methods.map((name) => [name, (store[name] as () => unknown).bind(store)])
  return { durability: store.durability, ...Object.fromEntries(bound) } as Store
}
