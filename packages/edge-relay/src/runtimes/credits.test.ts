/** Slow readers where the runtime tells nothing of its buffers: devices say what they took. */
import { createBus, memoryLog, relayLink } from '@crosstown/bus'
import { afterEach, expect, it } from 'vitest'
import { connectProbe, type Probe, publishOf } from '../testing/probe.ts'
import { endWorkers, startWorkerd } from '../testing/worker-process.ts'

afterEach(endWorkers)

const FILLER = JSON.stringify('x'.repeat(20_000))
const BATCHES = 40
const PAUSE_BYTES = 100_000

async function publishAll(probe: Probe): Promise<void> {
  for (let batch = 1; batch <= BATCHES; batch++) {
    probe.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`a-${batch}`]), [FILLER])
    await probe.next('ack')
  }
}

/** The relay has sent all it will for now when it has answered this. */
async function answered(probe: Probe): Promise<number> {
  probe.send({ frame: 'token', token: 'another' })
  const is = (name: string) => probe.unread.filter(({ frame }) => frame.frame === name)
  while (is('renewed').length === 0) await probe.more()
  return is('stream').length
}

it('who does not say what it took gets no more than fits, and the rest when it does', async () => {
  const { socket } = await startWorkerd({ limits: { pauseBytes: PAUSE_BYTES } })
  const writer = await connectProbe(socket)
  await writer.join('writer')
  const reader = await connectProbe(socket)
  reader.gives = false
  const { from, limits } = await reader.join('reader')
  expect(limits.creditBytes).toBeLessThanOrEqual(PAUSE_BYTES / 2)
  await publishAll(writer)
  const sent = await answered(reader)
  expect(sent).toBeGreaterThanOrEqual(Math.floor(PAUSE_BYTES / FILLER.length))
  expect(sent).toBeLessThanOrEqual(Math.ceil(PAUSE_BYTES / FILLER.length) + 1)
  reader.give()
  const { ids } = await reader.stream(from, (all) => all.length === BATCHES)
  expect(ids).toEqual(Array.from({ length: BATCHES }, (_, i) => `a-${i + 1}`))
}, 30_000)

it('who never says it is closed as one that does not read, and goes on where it was', async () => {
  const limits = { pauseBytes: PAUSE_BYTES, slowReaderMs: 1_000 }
  const { socket } = await startWorkerd({ limits })
  const writer = await connectProbe(socket)
  await writer.join('writer')
  const reader = await connectProbe(socket)
  reader.gives = false
  const { from } = await reader.join('reader')
  await publishAll(writer)
  expect(await reader.end()).toMatchObject({ reason: 'slow_reader' })
  const before = await reader.stream(from, (_, { position }) => {
    return !reader.unread.some(({ frame }) => frame.frame === 'stream') && position !== from
  })
  const again = await connectProbe(socket)
  const welcome = await again.join('reader', { cursor: before.position })
  expect(welcome).toMatchObject({ recovered: true, from: before.position })
  const after = await again.stream(welcome.from, (all) => all.includes(`a-${BATCHES}`))
  const ids = [...before.ids, ...after.ids]
  expect(ids).toEqual(Array.from({ length: BATCHES }, (_, i) => `a-${i + 1}`))
}, 30_000)

it('what was sent and not taken counts on while the room sleeps', async () => {
  const { socket, evict } = await startWorkerd({ limits: { pauseBytes: PAUSE_BYTES } })
  const writer = await connectProbe(socket)
  await writer.join('writer')
  const reader = await connectProbe(socket)
  reader.gives = false
  await reader.join('reader')
  const few = 3
  for (let batch = 1; batch <= few; batch++) {
    writer.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`a-${batch}`]), [FILLER])
    await writer.next('ack')
  }
  expect(await answered(reader)).toBe(few)
  reader.unread.splice(0)
  expect(await evict()).toBe(true)
  for (let batch = few + 1; batch <= 2 * BATCHES; batch++) {
    writer.send(publishOf(batch, batch - 1, [`a-${batch}`]), [FILLER])
    await writer.next('ack')
  }
  expect(await answered(reader)).toBeLessThanOrEqual(
    Math.ceil(PAUSE_BYTES / FILLER.length) + 1 - few,
  )
}, 30_000)

it('a bus says what it took when it has it in its log, and so gets all there is', async () => {
  const { url } = await startWorkerd({ limits: { pauseBytes: PAUSE_BYTES } })
  const open = () => {
    const failures: unknown[] = []
    const onError = (error: unknown): void => void failures.push(error)
    const relay = relayLink({ url, room: '42' })
    const bus = createBus({ name: 'shop', tabs: false, log: memoryLog(), relay, onError })
    return { bus, failures }
  }
  const [writer, reader] = [open(), open()]
  const total = 60
  const heard: unknown[] = []
  const all = new Promise<void>((resolve) => {
    reader.bus.subscribe('load', ({ data }) => {
      heard.push((data as { n: number }).n)
      if (heard.length === total) resolve()
    })
  })
  await reader.bus.publish('ready', null, { until: 'relayed' })
  for (let n = 1; n <= total; n++)
    await writer.bus.publish('load', { n, text: 'x'.repeat(20_000) }, { until: 'relayed' })
  await all
  expect(heard).toEqual(Array.from({ length: total }, (_, i) => i + 1))
  expect([writer.failures, reader.failures]).toEqual([[], []])
  await Promise.all([writer.bus.close(), reader.bus.close()])
}, 30_000)
