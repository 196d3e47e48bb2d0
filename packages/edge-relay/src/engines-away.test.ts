/** What becomes of a relay, and of its devices, while the engine of its store is away. */
import { type Bus, createBus, memoryLog, relayLink } from '@crosstown/bus'
import { BUS_ERROR_CODES } from '@crosstown/bus/protocol'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { LogRecord } from './log.ts'
import { createRelay, type Relay } from './relay.ts'
import { serve } from './runtimes/node.ts'
import { natsStore } from './stores/nats.ts'
import { postgresStore } from './stores/postgres.ts'
import { redisStore } from './stores/redis.ts'
import type { Store } from './stores/store.ts'
import {
  type EngineServer,
  startNats,
  startPostgres,
  startRedis,
} from './testing/engine-servers.ts'
import { connectProbe, type Probe, publishOf } from './testing/probe.ts'
import { socketOf } from './testing/relay-handle.ts'
import { type SilentProxy, silentProxy } from './testing/silent-proxy.ts'

interface Engine {
  readonly kind: string
  readonly start: (() => Promise<EngineServer>) | undefined
  readonly open: (url: string, options: { readonly silenceMs?: number }) => Promise<Store>
}

const ENGINES: readonly Engine[] = [
  { kind: 'postgres', start: startPostgres, open: postgresStore },
  { kind: 'redis', start: startRedis, open: redisStore },
  { kind: 'nats', start: startNats, open: natsStore },
]

/** Long enough for a busy machine, short enough to wait for. */
const SILENCE_MS = 1_000

interface Running {
  readonly relay: Relay
  readonly url: string
  readonly log: LogRecord[]
  close(): Promise<void>
}

type Keys = { 'key.cut': number }
const open: { close(): Promise<unknown> }[] = []

async function running(store: Store): Promise<Running> {
  const log: LogRecord[] = []
  const relay = createRelay({ store, log: (record) => void log.push(record) })
  const server = await serve(relay, { port: 0 })
  const closing = { close: () => server.close() }
  open.push(closing)
  return { relay, url: server.url, log, ...closing }
}

function device({ url }: Running): Bus<Keys> {
  const bus = createBus<Keys>({
    name: `device-${open.length}`,
    log: memoryLog(),
    tabs: false,
    relay: relayLink({ url, room: '42' }),
  })
  open.push(bus)
  return bus
}

/** Of its batch, or of the connection where the room is being read for it. */
async function refusalOf(probe: Probe): Promise<unknown> {
  try {
    return (await probe.next('reject')).frame.code
  } catch {
    return probe.closed?.code === BUS_ERROR_CODES.unavailable ? 'unavailable' : probe.closed
  }
}

function post({ url }: Running, data: number): Promise<Response> {
  return fetch(`${url}/rooms/42/events`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ type: 'key.cut', data }),
  })
}

async function asked(
  url: string,
): Promise<{ status: number; body: unknown; after: string | null }> {
  const response = await fetch(url)
  const after = response.headers.get('Retry-After')
  return { status: response.status, body: await response.json(), after }
}

const becomes = (store: Store, state: string): Promise<void> =>
  expect.poll(() => store.connection?.get().state).toBe(state)

const eventsOf = (log: readonly LogRecord[]): string[] =>
  log.map(({ event }) => event).filter((event) => event === 'offline' || event === 'online')

async function published(url: string): Promise<unknown[]> {
  const { events } = (await (await fetch(`${url}/rooms/42/events`)).json()) as {
    events: { data: unknown }[]
  }
  return events.map(({ data }) => data)
}

for (const { kind, start, open: openStore } of ENGINES) {
  describe.skipIf(!start)(`a relay whose engine is ${kind}`, () => {
    let server: EngineServer
    let proxy: SilentProxy
    beforeAll(async () => {
      server = await (start as () => Promise<EngineServer>)()
      proxy = await silentProxy(server.url)
    })
    afterEach(async () => {
      proxy.heal()
      await Promise.all(open.splice(0).map((each) => each.close()))
    })
    afterAll(async () => {
      await proxy.stop()
      await server.stop()
    })

    it('starts before its engine, is not ready, says so, and is ready by itself', async () => {
      await server.kill()
      const store = await openStore(server.url, {})
      const { log, url } = await running(store)
      expect(store.connection?.get()).toMatchObject({ kind, state: 'connecting' })
      expect(await asked(`${url}/health`)).toMatchObject({ status: 200 })
      const engine = { kind, since: expect.stringMatching(/^\d{4}-.*Z$/) }
      expect(await asked(`${url}/ready`)).toEqual({
        status: 503,
        after: '1',
        body: {
          error: { code: 'unavailable', message: expect.stringContaining('by itself') },
          engine: { ...engine, state: 'connecting' },
        },
      })
      await server.restart()
      await becomes(store, 'online')
      expect(await asked(`${url}/ready`)).toMatchObject({
        status: 200,
        body: {
          status: 'ready',
          engine: { ...engine, state: 'online', durability: store.durability },
        },
      })
      expect(eventsOf(log).at(0)).toBe('offline')
      expect(eventsOf(log).at(-1)).toBe('online')
      await device({ url } as Running).publish('key.cut', 0, { until: 'relayed' })
    })

    it('refuses for a while when its engine is killed, and loses nothing of what its devices keep', async () => {
      const store = await openStore(server.url, {})
      const at = await running(store)
      const writer = device(at)
      await writer.publish('key.cut', 1, { until: 'relayed' })
      const probe = await connectProbe(socketOf(at.url))
      await probe.join('probe')
      await server.kill()
      await becomes(store, 'offline')
      expect(store.connection?.get().lastError).toMatchObject({ code: 'log_unavailable' })
      expect(at.relay.engine?.state).toBe('offline')

      probe.send(publishOf(1, undefined, ['p-1']), ['11'])
      expect(await refusalOf(probe)).toBe('unavailable')
      const posted = await post(at, 12)
      expect([posted.status, posted.headers.get('Retry-After')]).toEqual([503, '1'])
      expect(await asked(`${at.url}/ready`)).toMatchObject({
        status: 503,
        body: { engine: { state: 'offline' } },
      })
      expect(await measured(at.url)).toMatchObject({ online: 0, ready: 0, reconnections: 0 })

      const second = writer.publish('key.cut', 2, { until: 'relayed' })
      const late = device(at).publish('key.cut', 3, { until: 'relayed' })
      await server.restart()
      await Promise.all([second, late])
      expect(await measured(at.url)).toMatchObject({ online: 1, ready: 1, reconnections: 1 })
      const data = await published(at.url)
      expect(data.filter((value) => value !== 0).sort()).toEqual([1, 2, 3])
      expect(eventsOf(at.log)).toContain('online')
    })

    it('knows an engine that is silent by its silence, and asks another connection', async () => {
      const store = await openStore(proxy.url, { silenceMs: SILENCE_MS })
      const at = await running(store)
      const writer = device(at)
      await writer.publish('key.cut', 20, { until: 'relayed' })
      proxy.silence()
      const kept = writer.publish('key.cut', 21, { until: 'relayed' })
      const posted = await post(at, 22)
      expect([posted.status, posted.headers.get('Retry-After')]).toEqual([503, '1'])
      await becomes(store, 'offline')
      expect(store.connection?.get().lastError?.message).toContain('no answer')
      proxy.heal()
      await becomes(store, 'online')
      await kept
      const data = await published(at.url)
      expect(data.filter((value) => value === 21)).toEqual([21])
    })

    it('ends while its engine is away, and while it is silent', async () => {
      await server.kill()
      const away = await running(await openStore(server.url, {}))
      const waiting = device(away)
      void waiting.publish('key.cut', 31).catch(() => {})
      away.relay.drain()
      await away.close()
      await server.restart()

      const store = await openStore(proxy.url, { silenceMs: SILENCE_MS })
      const at = await running(store)
      await device(at).publish('key.cut', 32, { until: 'relayed' })
      proxy.silence()
      const posting = post(at, 33)
      await expect.poll(async () => (await measured(at.url)).queued).toBeGreaterThan(0)
      await at.close()
      expect((await posting).status).toBe(503)
    })
  })
}

/** What `/metrics` says of the engine. */
async function measured(
  url: string,
): Promise<Record<'online' | 'ready' | 'reconnections' | 'queued', number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const value = (name: string): number =>
    Number(new RegExp(`^crosstown_${name}(?:{[^}]*})? (\\d+)$`, 'm').exec(text)?.[1])
  return {
    online: value('engine_online'),
    ready: value('ready'),
    reconnections: value('engine_reconnections_total'),
    queued: value('queue_bytes'),
  }
}
