/** On a server: what is rendered without a document, and what a page makes of it. */
import { Writable } from 'node:stream'
import { renderToPipeableStream, renderToString } from 'react-dom/server'
import { afterEach, expect, it, vi } from 'vitest'
import { createBusOn } from '../bus.ts'
import { type Bus, createBus, memoryLog, relayLink } from '../index.ts'
import { runtimePlatform } from '../platform.ts'
import { BusProvider, useBus, useBusStatus, useEvent, usePresence, useProjection } from './index.ts'

type Shop = { 'cart.added': number }

const buses: Bus<Shop>[] = []
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()))
})

const sum = (state: number, { data }: { data: number }) => state + data

function App() {
  const bus = useBus<Shop>()
  useEvent<Shop>('cart.*', () => expect.unreachable('nothing is heard on a server'))
  const total = useProjection<Shop, number>('cart.added', sum, 5)
  const { relay, log } = useBusStatus()
  const here = usePresence()
  return <p>{`${bus.name} ${total} ${relay} ${log.kind} ${here.length}`}</p>
}

const app = (bus: Bus<Shop>) => (
  <BusProvider bus={bus}>
    <App />
  </BusProvider>
)

it('renders, and neither log nor link is opened, nothing is waited for', () => {
  const log = { ...memoryLog(), create: vi.fn() }
  const tabs = { open: vi.fn() }
  const platform = runtimePlatform()
  const timer = vi.spyOn(platform, 'timer')
  const hold = vi.spyOn(platform, 'hold')
  const relay = relayLink({ url: 'ws://127.0.0.1:9', room: 'r' })
  const bus = createBusOn({ name: 'server', log, tabs, relay }, platform) as unknown as Bus<Shop>
  buses.push(bus)
  expect(renderToString(app(bus))).toBe('<p>server 5 connecting none 0</p>')
  for (const used of [log.create, tabs.open, timer, hold]) expect(used).not.toHaveBeenCalled()
})

it('renders the same after the bus was used, as a page will at first', async () => {
  const bus = createBus<Shop>({ name: 'server-used', tabs: false })
  buses.push(bus)
  const before = renderToString(app(bus))
  await bus.publish('cart.added', 1)
  expect(bus.status.log.kind).toBe('memory')
  expect(renderToString(app(bus))).toBe(before)
})

it('streams', async () => {
  const bus = createBus<Shop>({ name: 'server-stream', tabs: false })
  buses.push(bus)
  let html = ''
  const sink = new Writable({
    write(chunk, _encoding, done) {
      html += chunk
      done()
    },
  })
  await new Promise<void>((resolve, reject) => {
    sink.on('finish', resolve)
    const { pipe } = renderToPipeableStream(app(bus), {
      onAllReady: () => pipe(sink),
      onError: reject,
    })
  })
  expect(html).toContain('server-stream 5 off none 0')
})
