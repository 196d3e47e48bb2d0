/** Several relays on one engine are one relay, held by processes of both. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type EngineServer, startPostgres, startRedis } from './testing/engine-servers.ts'
import { connectProbe, headerOf, type Probe, publishOf } from './testing/probe.ts'
import { endAll, type RelayProcessHandle, RUNTIMES } from './testing/relay-process.ts'

const ENGINES = [
  ['PostgreSQL', startPostgres],
  ['Redis', startRedis],
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

/** What the relay says to the batch that was sent last; absent where it sends the device away. */
async function answer(probe: Probe): Promise<string | undefined> {
  for (;;) {
    const found = probe.unread.find(({ frame }) => /^(ack|reject)$/.test(frame.frame))
    if (found || probe.closed) return found?.frame.frame
    await probe.more()
  }
}

/** Comes again with a batch until it is taken: a relay without its engine sends devices away for now. */
async function confirmed(url: string, device: string, batch: number): Promise<void> {
  for (;;) {
    const probe = await connectProbe(url)
    try {
      await probe.join(device)
      probe.send(publishOf(batch, batch - 1, [`k-${batch}`]), [`${batch}`])
      if ((await answer(probe)) === 'ack') return
    } catch {
      expect(probe.closed?.code).toBeLessThan(3_500)
    } finally {
      probe.close()
    }
  }
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
    afterEach(endAll)
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
      const one = await joined(relay.socket, 'seven')
      one.send(publishOf(1, undefined, ['k-1']), ['1'])
      await one.next('ack')
      await server.kill()
      one.send(publishOf(2, 1, ['k-2']), ['2'])
      expect(await answer(one)).not.toBe('ack')
      one.close()
      await server.restart()
      await confirmed(relay.socket, 'seven', 2)
      const reader = await joined(relay.socket, 'eight')
      const { ids } = await reader.stream(reader.from, until('k-2'))
      expect(ids.filter((id) => id.startsWith('k-'))).toEqual(['k-1', 'k-2'])
    })
  })
}
