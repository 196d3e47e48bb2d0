import { deviceName, encodeFrame } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import type { Auth } from '../auth.ts'
import { type ClusterDevice, closeClusters, cluster } from '../testing/relay-cluster.ts'

afterEach(closeClusters)

const TYPE = 'price.of'
const ONE = deviceName('one')

/** Who asks at the first relay, and who responds at the second. */
async function pair(options: Parameters<typeof cluster>[0] = {}) {
  const { nodes, pass } = await cluster(options)
  const [a, b] = nodes as [(typeof nodes)[number], (typeof nodes)[number]]
  const one = await a.device('one')
  const two = await b.device('two')
  two.say(['p2'], [TYPE])
  await pass(1_000)
  return { nodes, a, b, one, two, pass }
}

const requests = ({ probe }: ClusterDevice): string[] =>
  probe.unread.flatMap(({ frame }) =>
    frame.frame === 'request' ? frame.events.map(({ id }) => id) : [],
  )
const cancels = ({ probe }: ClusterDevice): string[] =>
  probe.unread.flatMap(({ frame }) => (frame.frame === 'cancel' ? [frame.id] : []))
const replies = ({ probe }: ClusterDevice): string[] =>
  probe.unread.flatMap(({ data, frame }) =>
    frame.frame === 'reply' ? [frame.code ?? (data[0] as string)] : [],
  )

describe('a request', () => {
  it('is replied to by a device at another relay, also as the first thing that is asked there', async () => {
    const { one, two, pass } = await pair()
    one.ask('r-1', TYPE)
    await pass(250)
    expect(requests(two)).toEqual(['r-1'])
    two.reply('r-1', ONE, '42')
    await pass(250)
    expect(replies(one)).toEqual(['42'])
  })

  it('of any size that may be is carried whole, and so is its reply', async () => {
    const { one, two, pass } = await pair()
    const data = JSON.stringify('é\n#'.repeat(40_000))
    one.ask('r-1', TYPE, { data })
    await pass(250)
    const asked = two.probe.unread.find(({ frame }) => frame.frame === 'request')
    expect(asked?.data).toEqual([data])
    two.reply('r-1', ONE, data)
    await pass(250)
    expect(replies(one)).toEqual([data])
  })

  it('ends with no_responder where nobody at any relay responds, without waiting', async () => {
    const { one, pass } = await pair()
    one.say(['p1'])
    await pass(1_000)
    one.ask('r-1', 'time.now')
    await pass(250)
    expect(replies(one)).toEqual(['no_responder'])
  })

  it('waits for who responds at another relay a moment later', async () => {
    const { one, two, pass } = await pair()
    one.ask('r-1', 'time.now', { waitMs: 4_000 })
    await pass(1_000)
    two.say(['p2'], [TYPE, 'time.now'])
    await pass(1_000)
    expect(requests(two)).toEqual(['r-1'])
    two.reply('r-1', ONE, '"noon"')
    await pass(250)
    expect(replies(one)).toEqual(['"noon"'])
  })

  it('is over for the others when one replied, at whichever relay', async () => {
    const { a, one, two, pass } = await pair()
    const three = await a.device('three')
    three.say(['p3'], [TYPE])
    await pass(1_000)
    one.ask('r-1', TYPE)
    await pass(250)
    expect([...requests(two), ...requests(three)]).toEqual(['r-1', 'r-1'])
    three.reply('r-1', ONE, '1')
    await pass(250)
    expect(replies(one)).toEqual(['1'])
    expect(cancels(two)).toEqual(['r-1'])
  })

  it('that is given up is over at the other relay', async () => {
    const { one, two, pass } = await pair()
    one.ask('r-1', TYPE)
    await pass(250)
    one.probe.sendRaw(encodeFrame({ frame: 'cancel', id: 'r-1' }))
    await pass(250)
    expect(cancels(two)).toEqual(['r-1'])
  })

  it('ends with what went wrong where all who respond failed', async () => {
    const { a, one, two, pass } = await pair()
    const three = await a.device('three')
    three.say(['p3'], [TYPE])
    await pass(1_000)
    one.ask('r-1', TYPE)
    await pass(250)
    for (const device of [two, three]) {
      const failed = { code: 'responder_failed', message: 'no' } as const
      const frame = { frame: 'reply', id: 'r-1', device: ONE, ...failed } as const
      device.probe.sendRaw(encodeFrame(frame, ['']))
      await pass(250)
    }
    expect(replies(one)).toEqual(['responder_failed'])
  })
})

describe('rights', () => {
  it('hold at the relay of who responds: what its token may not read it is not asked', async () => {
    const auth: Auth = (token) => ({
      subject: token ?? '',
      rights: { publish: ['**'], subscribe: token === 'deaf' ? ['other.*'] : ['**'] },
    })
    const { nodes, pass } = await cluster({ auth })
    const one = await nodes[0]?.device('one', { token: 'ada' })
    const deaf = await nodes[1]?.device('two', { token: 'deaf' })
    deaf?.say(['p2'], [TYPE])
    await pass(1_000)
    one?.ask('r-1', TYPE)
    await pass(2_000)
    expect(replies(one as ClusterDevice)).toEqual(['no_responder'])
    expect(requests(deaf as ClusterDevice)).toEqual([])
  })
})

describe('a relay', () => {
  it('that ends, or is heard no more, ends what it was asked', async () => {
    const { b, one, pass } = await pair()
    one.ask('r-1', TYPE)
    await pass(250)
    b.way.cut()
    await pass(4_000)
    expect(replies(one)).toEqual([])
    await pass(3_000)
    expect(replies(one)).toEqual(['no_responder'])
  })

  it('that ends has another one asked that came meanwhile', async () => {
    const { a, b, one, pass } = await pair()
    one.ask('r-1', TYPE)
    await pass(250)
    const three = await a.device('three')
    three.say(['p3'], [TYPE])
    await pass(1_000)
    expect(requests(three)).toEqual([])
    await b.relay.close()
    await pass(1_000)
    expect(requests(three)).toEqual(['r-1'])
  })

  it('that is cut off tells those who responded to a request from elsewhere that it is over', async () => {
    const { b, one, two, pass } = await pair()
    one.ask('r-1', TYPE)
    await pass(250)
    b.way.cut()
    await pass(7_000)
    expect(cancels(two)).toEqual(['r-1'])
  })
})

describe('a device that goes to another relay', () => {
  it('while it asks is replied to there', async () => {
    const { b, one, two, pass } = await pair()
    one.ask('r-1', TYPE)
    await pass(250)
    one.socket.drop()
    const moved = await b.device('one')
    moved.ask('r-1', TYPE)
    await pass(7_000)
    expect(cancels(two)).toEqual([])
    two.reply('r-1', ONE, '7')
    await pass(250)
    expect(replies(moved)).toEqual(['7'])
  })

  it('while it asks is waited for by a third relay on behalf of the one where it is', async () => {
    const { nodes, pass } = await cluster({ count: 3 })
    const [a, b, c] = nodes as [
      (typeof nodes)[number],
      (typeof nodes)[number],
      (typeof nodes)[number],
    ]
    const one = await a.device('one')
    const two = await c.device('two')
    two.say(['p2'], [TYPE])
    await pass(1_000)
    one.ask('r-1', TYPE)
    await pass(1_000)
    one.socket.drop()
    const moved = await b.device('one')
    moved.ask('r-1', TYPE)
    // The relay that it left would have asked again just now.
    await pass(1_500)
    two.reply('r-1', ONE, '7')
    await pass(250)
    expect(replies(moved)).toEqual(['7'])
  })

  it('while it works on a reply gives it there', async () => {
    const { a, one, two, pass } = await pair()
    one.ask('r-1', TYPE)
    await pass(250)
    two.socket.drop()
    const moved = await a.device('two')
    moved.say(['p2'], [TYPE])
    await pass(1_000)
    moved.reply('r-1', ONE, '7')
    await pass(250)
    expect(replies(one)).toEqual(['7'])
  })

  it('before it got the request is asked there', async () => {
    const { a, one, two, pass } = await pair()
    two.socket.drop()
    one.ask('r-1', TYPE)
    await pass(1_000)
    const moved = await a.device('two')
    moved.say(['p2'], [TYPE])
    await pass(7_000)
    expect(requests(moved)).toEqual(['r-1'])
  })
})

it.each(['request', 'reply'])('a %s that is lost on the way is sent again', async (name) => {
  let lost = 0
  const { one, two, pass } = await pair({
    fate: (_, text) => {
      if (!text.includes(`"frame":"${name}"`) || lost > 0) return 1
      lost += 1
      return 0
    },
  })
  one.ask('r-1', TYPE)
  // A responder is asked again for what it replied to, and gives the answer that it kept.
  for (let tries = 0; tries < 20 && replies(one).length === 0; tries++) {
    await pass(250)
    for (const id of requests(two)) two.reply(id, ONE, '42')
    two.probe.unread.length = 0
  }
  expect(lost).toBe(1)
  expect(replies(one)).toEqual(['42'])
})

it('requests that are heard twice are asked once', async () => {
  const { one, two, pass } = await pair({ fate: () => 2 })
  one.ask('r-1', TYPE)
  await pass(5_000)
  expect(requests(two)).toEqual(['r-1'])
})
