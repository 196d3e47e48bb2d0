/** Several relays on one engine are one relay, held by processes of both. */
import { type Bus, createBus, memoryLog, relayLink } from '@crosstown/bus'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type EngineServer,
  startNats,
  startPostgres,
  startRedis,
} from './testing/engine-servers.ts'
import { EventStreamProbe } from './testing/event-stream-probe.ts'
import { connectProbe, headerOf, publishOf } from './testing/probe.ts'
import { endAll, type RelayProcessHandle, RUNTIMES } from './testing/relay-process.ts'

const ENGINES = [
  ['PostgreSQL', startPostgres],
  ['Redis', startRedis],
  ['NATS', startNats],
] as const

async function node(server: EngineServer): Promise<RelayProcessHandle> {
  const start = RUNTIMES[0]?.start as NonNullable<(typeof RUNTIMES)[number]['start']>
  return start({ args: ['--store', server.url] })
}

async function joined(url: string, device: string) {
  const probe = await connectProbe(url)
  const { from } = await probe.join(device)
  return Object.assign(probe, { from })
}

type Keys = { 'key.cut': number }
const devices: Bus<Keys>[] = []

function device(relay: RelayProcessHandle): Bus<Keys> {
  const bus = createBus<Keys>({
    name: `device-${devices.length}`,
    log: memoryLog(),
    tabs: false,
    relay: relayLink({ url: relay.url, room: '43' }),
  })
  devices.push(bus)
  return bus
}

const until =
  (...wanted: string[]) =>
  (ids: readonly string[]): boolean =>
    wanted.every((id) => ids.includes(id))

for (const [name, start] of ENGINES) {
  describe.skipIf(!start)(`relays on ${name}`, () => {
    let server: EngineServer
    beforeAll(async () => {
      server = await (start as () => Promise<EngineServer>)()
    })
    afterEach(async () => {
      await Promise.all(devices.splice(0).map((bus) => bus.close()))
      await endAll()
    })
    afterAll(() => server.stop())

    it('a device hears at once what is published at another relay, and both in one order', async () => {
      const [a, b] = [await node(server), await node(server)]
      const writers = [await joined(a.socket, 'one'), await joined(b.socket, 'two')] as const
      const readers = [await joined(a.socket, 'three'), await joined(b.socket, 'four')] as const
      const all: string[] = []
      for (const [w, writer] of writers.entries()) {
        for (let batch = 1; batch <= 20; batch++) {
          const id = `w${w}-${batch}`
          all.push(id)
          writer.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [id]), [`${batch}`])
        }
      }
      const heard = await Promise.all(
        readers.map((reader) => reader.stream(reader.from, until(...all))),
      )
      expect(heard[0]?.ids).toEqual(heard[1]?.ids)
      expect(heard[0]?.ids.length).toBe(40)
      expect(heard[0]?.position).toBe(heard[1]?.position)
    })

    it('a reader over HTTP that waits hears what was published at another relay, where nobody is in the room', async () => {
      const [a, b] = [await node(server), await node(server)]
      const publish = (data: number) =>
        fetch(`${a.url}/rooms/44/events`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ type: 'key.cut', data }),
        })
      const first = (await (await publish(1)).json()) as { events: [{ position: string }] }
      const after = encodeURIComponent(first.events[0].position)
      const stream = await EventStreamProbe.open(`${b.url}/rooms/44/events`)
      expect(await stream.data(1)).toEqual([1])
      const page = fetch(`${b.url}/rooms/44/events?after=${after}&wait=60000`)
      await publish(2)
      expect(await stream.data(1)).toEqual([2])
      const { events } = (await (await page).json()) as { events: { data: unknown }[] }
      expect(events.map(({ data }) => data)).toEqual([2])
      stream.close()
    })

    it('an unpersisted event reaches the devices of another relay, also where it is long', async () => {
      const [a, b] = [await node(server), await node(server)]
      const one = await joined(a.socket, 'five')
      const two = await joined(b.socket, 'six')
      for (const data of ['"short"', JSON.stringify('long'.repeat(5_000))]) {
        one.send({ frame: 'cast', events: [headerOf('c-1')] }, [data])
        const { data: heard } = await two.next('cast')
        expect(heard).toEqual([data])
      }
    })

    it('what was confirmed before the engine was killed is there after it, once', async () => {
      const relay = await node(server)
      const writer = device(relay)
      await writer.publish('key.cut', 1, { until: 'relayed' })
      await server.kill()
      const second = writer.publish('key.cut', 2, { until: 'relayed' })
      await server.restart()
      await second
      // By another relay: the first one must not remember what the engine does not.
      const reader = device(await node(server))
      const heard: unknown[] = []
      for await (const { data } of reader.events('key.cut', { from: 'start' })) {
        if (heard.push(data) === 2) break
      }
      expect(heard).toEqual([1, 2])
      const page = await fetch(`${relay.url}/rooms/43/events`)
      const { events } = (await page.json()) as { events: { data: unknown }[] }
      expect(events.map(({ data }) => data)).toEqual([1, 2])
    })
  })
}
