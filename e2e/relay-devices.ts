/** Devices of the relay tests: buses in this process, with relays in processes of their own. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import {
  type Bus,
  type BusEvent,
  createBus,
  type Gap,
  memoryLog,
  type RelayLink,
  relayLink,
} from '@crosstown/bus'
import { createRelay, type RelayOptions } from '@crosstown/edge-relay'
import { type RelayServer, serve } from '@crosstown/edge-relay/node'
import { expect, type Relay, startRelay, stop } from './fixtures.ts'

type Any = Record<string, unknown>

const ROOM = 'office'
const relays = new Set<ChildProcess>()
const servers: RelayServer[] = []
const buses: Bus<Any>[] = []
const folders: string[] = []

/** Ends all that was started here. */
export async function endAll(): Promise<void> {
  await Promise.all(buses.splice(0).map((bus) => bus.close()))
  await Promise.all([...relays].map(stop))
  await Promise.all(servers.splice(0).map((server) => server.close()))
  relays.clear()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
}

/** A relay in this process. */
export async function serveHere(options: RelayOptions): Promise<Relay> {
  const server = await serve(createRelay({ onError: () => {}, ...options }), { port: 0 })
  servers.push(server)
  return { http: server.url, url: server.url.replace('http:', 'ws:') }
}

interface RunningRelay {
  readonly relay: Relay
  readonly port: string
  /** Ends it without time to say goodbye. */
  kill(): Promise<void>
  /** Asks it to end; resolves with its exit code. */
  drain(): Promise<number | null>
}

/** A relay in a process of its own. */
export async function run(store: string, port?: string): Promise<RunningRelay> {
  const { child, relay } = await startRelay(store, port)
  relays.add(child)
  return {
    relay,
    port: new URL(relay.http).port,
    async kill() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
    async drain() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const [code] = await ended
      return code as number | null
    },
  }
}

export function sqliteFile(): string {
  const folder = mkdtempSync(joinPath(tmpdir(), 'crosstown-'))
  folders.push(folder)
  return `sqlite:${joinPath(folder, 'room.db')}`
}

export interface Device {
  readonly bus: Bus<Any>
  readonly link: RelayLink
  readonly gaps: Gap[]
}

type Token = () => string

export function join(url: string, token?: Token): Device {
  const gaps: Gap[] = []
  const link = relayLink({ url, room: ROOM, ...(token && { token }) })
  const bus = createBus<Any>({
    name: 'relay-restart',
    log: memoryLog(),
    tabs: false,
    relay: link,
    onError: () => {},
    onGap: (gap) => gaps.push(gap),
  })
  buses.push(bus)
  return { bus, link, gaps }
}

/** The events a device hears. */
export function listen(bus: Bus<Any>, pattern: string, from: 'start' | 'now' = 'now'): BusEvent[] {
  const heard: BusEvent[] = []
  bus.subscribe(pattern, (event) => heard.push(event), { from })
  return heard
}

export const online = ({ bus }: Device) => expect.poll(() => bus.status.relay).toBe('online')

export const numbers = (first: number, end: number): number[] =>
  Array.from({ length: end - first }, (_, i) => first + i)

export const dataOf = (events: readonly { readonly data?: unknown }[]): unknown[] =>
  events.map(({ data }) => data)

/** Publishes numbers, ten to a batch of the log; resolves when they are in the log. */
export async function publish(
  { bus }: Device,
  type: string,
  [first, end]: readonly [number, number],
): Promise<Promise<BusEvent>[]> {
  const relayed: Promise<BusEvent>[] = []
  for (const n of numbers(first, end)) {
    relayed.push(bus.publish(type, n, { until: 'relayed' }))
    if (n % 10 === 9) await bus.flush()
  }
  return relayed
}

interface Page {
  readonly events: { id: string; type: string; position: string; data: unknown }[]
  readonly head?: string
  readonly next?: string
}

/** The whole room over HTTP, page by page. */
export async function readRoom({ http }: Relay, limit: number): Promise<Page['events']> {
  const events: Page['events'] = []
  let after = ''
  for (;;) {
    const query = `limit=${limit}${after && `&after=${encodeURIComponent(after)}`}`
    const response = await fetch(`${http}/rooms/${ROOM}/events?${query}`)
    expect(response.status).toBe(200)
    const page = (await response.json()) as Page
    expect(page.events.length).toBeLessThanOrEqual(limit)
    events.push(...page.events)
    if (page.next === undefined) {
      expect(events.at(-1)?.position).toBe(page.head)
      return events
    }
    after = page.next
  }
}
