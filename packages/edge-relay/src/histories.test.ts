/** Streams at several relays on one engine are as one relay would have them that did one thing at a time. */
import { createBus, isBusError, memoryLog, relayLink } from '@crosstown/bus'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type EngineServer,
  startNats,
  startPostgres,
  startRedis,
} from './testing/engine-servers.ts'
import { runHistory } from './testing/history-run.ts'
import { Gate } from './testing/kill-gate.ts'
import { endAll, type RelayProcessHandle, RUNTIMES } from './testing/relay-process.ts'

const ENGINES = [
  ['PostgreSQL', startPostgres],
  ['Redis', startRedis],
  ['NATS', startNats],
] as const

for (const [name, start] of ENGINES) {
  describe.skipIf(!start)(`streams at two relays on ${name}`, () => {
    let server: EngineServer
    beforeAll(async () => {
      server = await (start as () => Promise<EngineServer>)()
    })
    afterEach(endAll)
    afterAll(() => server.stop())

    function node(): Promise<RelayProcessHandle> {
      const [onNode] = RUNTIMES
      if (!onNode?.start) throw new Error('Node runs this test')
      return onNode.start({ args: ['--store', server.url] })
    }

    it('ten writers that expect revisions, while one relay is killed: their history is linearizable', async () => {
      const { counts, history, streams } = await runHistory(node, 1)
      expect(history.faults()).toEqual([])
      const [s, t, ...again] = streams
      expect(again).toEqual([s, t])
      for (const events of [s, t]) {
        expect(events?.map(([, revision]) => revision)).toEqual(events?.map((_, i) => i + 1))
        expect(new Set(events?.map(([key]) => key)).size).toBe(events?.length)
      }
      for (const kind of ['taken', 'refused', 'read', 'resent'] as const)
        expect(counts[kind], kind).toBeGreaterThan(0)
    })

    it('a writer whose answer is lost learns at the other relay whether it was taken, and is taken once', async () => {
      const [a, b] = [await node(), await node()]
      const gate = await Gate.open({ up() {}, down: () => gate.cut() })
      const post = (url: string, body: unknown): Promise<Response> =>
        fetch(`${url}/rooms/resent/events`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
      const put = (id: string, expectedRevision: unknown) => ({
        id,
        type: 'key.put',
        data: id,
        stream: 's',
        expectedRevision,
      })
      for (const batch of [
        [put('one', 'none'), put('two', 1)],
        [put('three', 2)],
        [put('four', 'exists'), put('five', 'any')],
      ]) {
        gate.lead(a.url)
        // It is committed: only the answer does not come through.
        await expect(post(gate.url.replace('ws', 'http'), batch)).rejects.toThrow()
        for (const { url } of [b, a, b]) {
          const response = await post(url, batch)
          expect(response.status).toBe(200)
        }
      }
      // What was not taken is not, however often it comes.
      const late = [put('six', 'any'), put('seven', 4)]
      gate.lead(a.url)
      await expect(post(gate.url.replace('ws', 'http'), late)).rejects.toThrow()
      for (const { url } of [b, a]) {
        const response = await post(url, late)
        expect([response.status, await response.json()]).toMatchObject([
          409,
          { error: { code: 'conflict', currentRevision: 5 } },
        ])
      }
      await gate.close()
      for (const { url } of [a, b])
        expect(await keysIn(url)).toEqual(['one', 'two', 'three', 'four', 'five'])
    })

    it('a device whose answer is lost learns at the other relay that it was taken, and is taken once', async () => {
      const [a, b] = [await node(), await node()]
      let acks = 0
      const gate = await Gate.open({
        up() {},
        down(chunk) {
          if (!chunk.includes('{"frame":"ack"')) return
          // The first one is on its way: it comes no further, and the device goes to the other relay.
          acks += 1
          gate.cut()
          gate.lead(b.url)
        },
      })
      gate.lead(a.url)
      const bus = createBus<Record<string, string>>({
        name: 'resent',
        log: memoryLog(),
        tabs: false,
        relay: relayLink({ url: gate.url, room: 'resent-too' }),
      })
      const published = await bus.publishBatch(
        [
          { type: 'key.put', data: 'one', stream: 's', expectedRevision: 'none' },
          { type: 'key.put', data: 'two', stream: 's', expectedRevision: 1 },
        ],
        { until: 'relayed' },
      )
      expect(published.map(({ revision }) => revision)).toEqual([1, 2])
      expect(acks).toBeGreaterThan(0)
      const late = await bus
        .publishBatch(
          [
            { type: 'key.put', data: 'three', stream: 's' },
            { type: 'key.put', data: 'four', stream: 's', expectedRevision: 'none' },
          ],
          { until: 'relayed' },
        )
        .catch((error: unknown) => error)
      expect(isBusError(late, 'conflict') && late.currentRevision).toBe(2)
      await bus.close()
      await gate.close()
      for (const { url } of [a, b]) expect(await keysIn(url, 'resent-too')).toEqual(['one', 'two'])
    })
  })
}

async function keysIn(url: string, room = 'resent'): Promise<unknown[]> {
  const response = await fetch(`${url}/rooms/${room}/events?stream=s`)
  const { events } = (await response.json()) as { events: { data: unknown; revision: number }[] }
  expect(events.map(({ revision }) => revision)).toEqual(events.map((_, i) => i + 1))
  return events.map(({ data }) => data)
}
