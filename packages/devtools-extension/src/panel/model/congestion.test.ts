// Taps behind a relay, to which a device whose uplink is congested sends nothing for inspectors.
import { Outlet, readInspectorFrame } from '@crosstown/bus/inspect'
import { expect, test } from 'vitest'
import type { InspectSource, SourceSink } from '../../sources/source.ts'
import { createHub } from './hub.ts'
import { Link } from './link.ts'
import { makeCapture } from './testing/capture.ts'
import { ManualTiming } from './testing/manual-timing.ts'

const { peer, text } = makeCapture({ events: 0 }).frames[0]!
const HELLO = JSON.parse(text)

/** A tap, and the way to it through a relay. */
class Device implements InspectSource {
  readonly label = 'relay'
  readonly kind: InspectSource['kind']
  congested = false
  attaches = 0
  readonly #outlet: Outlet
  readonly #timing: ManualTiming
  #sink: SourceSink | undefined
  #events = 0

  constructor(timing: ManualTiming, kind: InspectSource['kind'] = 'relay') {
    this.#timing = timing
    this.kind = kind
    this.#outlet = new Outlet({
      peer,
      library: '1.0.0',
      clock: { monotonic: () => timing.now(), timer: (ms, run) => timing.later(ms, run) },
      post: (frame) => this.congested || this.#sink?.frame(frame),
      hello: () => ({ ...HELLO, now: [timing.now(), timing.now()] }),
      active: () => {},
      settle: () => {},
      answer: async () => ({ fault: null }),
    })
  }

  start(sink: SourceSink): void {
    this.#sink = sink
    sink.state('open')
  }

  send(text: string): void {
    const frame = readInspectorFrame(text)
    if (!frame || frame === 'mismatch') throw new Error(`no tap reads ${text}`)
    if (frame.frame === 'attach') this.attaches++
    this.#outlet.receive(frame)
  }

  close(): void {}

  /** One event, in a batch of its own. */
  publish(): void {
    const id = `a-${++this.#events}`
    const at = this.#timing.now()
    const event = { id, type: 'cart.item_added', source: 'page', time: at, bytes: 200 }
    this.#outlet.add(JSON.stringify({ at, is: 'published', events: [event] }))
    this.#outlet.flush()
    this.#timing.settle()
  }
}

function inspect(kind?: InspectSource['kind']) {
  const timing = new ManualTiming()
  const device = new Device(timing, kind)
  const begin = () => createHub([device], { timing })
  return { timing, device, begin }
}

test('a device whose frames were lost in a congestion is heard again, and nothing is missing', () => {
  const { timing, device, begin } = inspect()
  const { session } = begin()
  timing.settle()
  device.publish()
  device.congested = true
  // All it was granted, and more.
  for (let n = 0; n < 2 * Link.CREDIT; n++) device.publish()
  device.congested = false
  device.publish()
  timing.pass(1_000)
  expect(session.captured).toBeLessThan(10)
  timing.pass(60_000)
  for (let n = 1; n <= 2 * Link.CREDIT + 2; n++) expect(session.event(`a-${n}`)).toBeDefined()
  expect(session.peers.get(peer)!.lost).toBe(0)
})

test('a device whose hello was lost in a congestion appears', () => {
  const { timing, device, begin } = inspect()
  device.congested = true
  const { session } = begin()
  timing.pass(1_000)
  device.publish()
  device.congested = false
  timing.pass(60_000)
  expect([...session.peers.keys()]).toEqual([peer])
  expect(session.event('a-1')).toBeDefined()
})

test('while recording is off, nothing is sent twice', () => {
  const { timing, device, begin } = inspect()
  const hub = begin()
  timing.settle()
  hub.setRecording(false)
  const { attaches } = device
  for (let n = 0; n < 2 * Link.CREDIT; n++) device.publish()
  timing.pass(300_000)
  expect(device.attaches).toBe(attaches)
  hub.setRecording(true)
  timing.pass(60_000)
  expect(hub.session.event(`a-${2 * Link.CREDIT}`)).toBeDefined()
})

test('the contexts of a page, where no frame is lost, are not attached to again and again', () => {
  const { timing, device, begin } = inspect('page')
  begin()
  timing.settle()
  const { attaches } = device
  timing.pass(300_000)
  expect(device.attaches).toBe(attaches)
})
