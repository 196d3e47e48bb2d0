import { describe, expect, it } from 'vitest'
import { INSPECT_CHANNEL } from '../../inspect/frames.ts'
import type { TestContext } from '../network/context.ts'
import { createTestNetwork } from '../network/network.ts'
import type { Carrier } from './questions.ts'
import { Recorder } from './recorder.ts'
import { TestSession } from './session.ts'

const onError = (): void => {}

/** A recorder of a device in a network, with a pipe in a context of its own. */
function start() {
  const network = createTestNetwork()
  const device = network.device('laptop')
  const first = device.open()
  const written = new TestSession()
  const recorder = new Recorder({ session: 'test', clock: first.platform, written })
  const channel = (context: TestContext) => {
    const Channel = context.platform.BroadcastChannel as typeof BroadcastChannel
    return new Channel(INSPECT_CHANNEL)
  }
  /** What the pipe of a page does, without a page. */
  const pipe = (context: TestContext, alive: () => boolean = () => context.alive) => {
    const known = new Set<string>()
    const own = channel(context)
    const post = (frame: object) =>
      own.postMessage(JSON.stringify({ inspect: 2, session: 'test', ...frame }))
    const carrier: Carrier = {
      async send(texts) {
        if (!alive()) return false
        for (const text of texts) own.postMessage(text)
        return true
      },
    }
    own.onmessage = ({ data }) => {
      if (!alive()) return
      recorder.hear(carrier, data as string)
      const { frame, peer } = JSON.parse(data as string)
      if (frame !== 'hello' || known.has(peer)) return
      known.add(peer)
      post({ frame: 'attach', to: peer, credit: 100 })
    }
    return carrier
  }
  const recorded = async () => {
    await network.until(recorder.settle())
    const events = await network.until(recorder.events(() => true))
    return events.map(({ type, data, source }) => [type, data, source])
  }
  const open = (source: string) => {
    const context = device.open(source === 'worker' ? 'worker' : 'page')
    return { context, bus: context.createBus({ name: 'shop', source, onError }) }
  }
  return { network, device, first, recorder, written, pipe, channel, recorded, open }
}

describe('a recorder', () => {
  it('has an event once, however many pipes it comes through, and in the file, too', async () => {
    const { network, device, first, written, pipe, recorded, open } = start()
    pipe(first)
    pipe(device.open())
    const { bus } = open('tab')
    bus.subscribe('none', () => {})
    await network.run(100)
    await network.until(bus.publish('a', new Set([1])))
    expect(await recorded()).toEqual([['a', new Set([1]), 'tab']])
    const lines = written
      .text('label', 7)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines[0]).toEqual({ crosstown: 'session', version: 1, at: 7, label: 'label' })
    const numbers = lines.flatMap(({ frame, first: from, records }) =>
      frame === 'batch' ? records.map((_: unknown, i: number) => from + i) : [],
    )
    expect(numbers).toEqual(numbers.map((_, i) => i + 1))
    expect(lines.filter(({ frame }) => frame === 'payload')).toMatchObject([
      { tree: { type: 'set' }, encoding: 'devalue' },
    ])
  })

  it('has what was published before anybody attached, from the log', async () => {
    const { network, first, pipe, recorded, open } = start()
    pipe(first)
    const { bus } = open('worker')
    void bus.publish('at.once', 1)
    await network.run(100)
    expect(await recorded()).toEqual([['at.once', 1, 'worker']])
  })

  it('asks through another pipe when one is gone, and others when the publisher is', async () => {
    const { network, device, first, pipe, recorded, open } = start()
    let alive = true
    pipe(first)
    pipe(device.open(), () => alive)
    const [tab, other] = [open('tab'), open('other')]
    for (const { bus } of [tab, other]) bus.subscribe('a', () => {})
    await network.run(100)
    await network.until(tab.bus.publish('a', 1))
    tab.context.crash()
    alive = false
    expect(await recorded()).toEqual([['a', 1, 'tab']])
  })

  it('passes over who does not answer for five seconds, and hears the others', async () => {
    const { network, first, recorder, pipe, recorded, open } = start()
    pipe(first)
    const [tab, other] = [open('tab'), open('other')]
    for (const { bus } of [tab, other]) bus.subscribe('a', () => {})
    await network.run(100)
    tab.context.freeze()
    await network.until(other.bus.publish('a', 1))
    const before = network.now
    expect(await recorded()).toEqual([['a', 1, 'other']])
    expect(network.now - before).toBe(5_000)
    expect(recorder.living.map(({ hello }) => hello.source)).toEqual(['other'])
    tab.context.thaw()
    await network.run(1_000)
    await network.until(tab.bus.publish('a', 2))
    await network.run(100)
    expect((await recorded()).at(-1)).toEqual(['a', 2, 'tab'])
  })

  it('passes over what is no frame of a tap', async () => {
    const { network, device, first, recorder, pipe, channel, recorded, open } = start()
    pipe(first)
    const { bus } = open('tab')
    bus.subscribe('a', () => {})
    await network.run(100)
    const carrier: Carrier = { send: async () => false }
    const [peer] = recorder.peers.keys()
    const texts = [
      '',
      'null',
      '{"inspect":2,"frame":"hello"',
      '{"inspect":2,"frame":"hello","peer":"x"}',
      '{"inspect":2,"frame":"mismatch","peer":"x","library":"0"}',
      `{"inspect":2,"frame":"batch","peer":"${peer}","first":1}`,
      '{"inspect":2,"frame":"batch","peer":"nobody","first":1,"records":[]}',
      `{"inspect":2,"frame":"answer","peer":"${peer}","session":"test","id":999,"result":1}`,
    ]
    for (const text of texts) recorder.hear(carrier, text)
    channel(device.open()).postMessage('{"inspect":2,"frame":"bye","peer":"nobody"}')
    await network.until(bus.publish('a', 1))
    expect(await recorded()).toEqual([['a', 1, 'tab']])
  })
})
