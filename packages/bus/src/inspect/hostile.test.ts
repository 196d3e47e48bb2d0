import { expect, it } from 'vitest'
import { TestInspector } from '../testing/inspector.ts'
import { createTestNetwork } from '../testing/network/network.ts'
import { INSPECT_CHANNEL, INSPECT_VERSION } from './frames.ts'

const ASK = { inspect: INSPECT_VERSION, frame: 'ask', session: 'test', id: 1 }

const NONSENSE: unknown[] = [
  null,
  1,
  {},
  new Map(),
  '',
  'text',
  '[]',
  'null',
  '{}',
  '{"inspect":2}',
  '{"inspect":2,"frame":"attach"}',
  '{"inspect":2,"frame":"attach","session":"s"}',
  '{"inspect":2,"frame":"attach","session":"s","credit":-1}',
  '{"inspect":2,"frame":"attach","session":"s","credit":1,"resume":[]}',
  '{"inspect":2,"frame":"attach","session":"s","credit":1,"resume":{"x":"y"}}',
  '{"inspect":2,"frame":"attach","session":["s"],"credit":1}',
  '{"inspect":2,"frame":"grant","session":"s","credit":1e99}',
  '{"inspect":2,"frame":"constructor","session":"s"}',
  '{"inspect":2,"frame":"hello","peer":"x"}',
  '{"inspect":2,"frame":"batch","peer":"x","first":1,"records":[]}',
  '{"inspect":"1","frame":"attach","session":"s","credit":1}',
  `{"inspect":2,"frame":"attach","session":"${'s'.repeat(300)}","credit":1}`,
]

const ASKS: unknown[] = [
  { what: 'payload' },
  { what: 'payload', event: 1 },
  { what: 'payload', event: 'a-1', path: 'x' },
  { what: 'payload', event: 'a-1', path: [{}] },
  { what: 'payload', event: 'a-1', depth: -1 },
  { what: 'text' },
  { what: 'headers' },
  { what: 'headers', ids: [['a', 1]] },
  { what: 'search', terms: 'x', limit: 1 },
  { what: 'search', terms: [null], limit: 1 },
  { what: 'search', terms: [{ path: ['a'], op: '=', value: 'x' }] },
  { what: 'watch', terms: [{ path: ['a'], op: '~', value: 'x' }] },
  { what: 'log', limit: 0 },
  { what: 'log', from: 'x', limit: 1 },
  { what: 'view', view: {} },
  { what: 'travel', at: 'yesterday' },
  { what: 'publish' },
  { what: 'publish', type: { toString: 1 } },
  { what: 'publish', type: 'a.b', data: 5 },
  { what: 'publish', type: 'a.b', data: '[[', encoding: 'devalue' },
  { what: 'publish', type: 'a.b', options: { stream: 7 } },
  { what: 'publish', type: '$event.refused', data: '{}' },
  { what: 'replay' },
  { what: 'replay', from: 9, to: 1 },
  { what: 'replay', from: 0, to: 1, patterns: [5] },
  { what: 'fault', set: { link: 'tabs' } },
  { what: '__proto__' },
]

it('nothing that anybody posts on the inspect channel gets into the application', async () => {
  const network = createTestNetwork()
  const device = network.device('phone')
  const errors: unknown[] = []
  const heard: unknown[] = []
  const bus = device
    .open()
    .createBus({ name: 'shop', onError: (error) => errors.push(error.message) })
  const Channel = device.open('worker').platform.BroadcastChannel as typeof BroadcastChannel
  const channel = new Channel(INSPECT_CHANNEL)
  const inspector = new TestInspector((text) => channel.postMessage(text))
  channel.onmessage = ({ data }) => inspector.hear(data as string)
  bus.subscribe('**', ({ data }) => heard.push(data))
  bus.subscribe('$event.*', ({ data }) => heard.push(data))
  await network.until(() => inspector.hellos.length > 0)
  const peer = inspector.hellos[0]?.peer
  for (const message of NONSENSE) channel.postMessage(message)
  await network.run(1_000)
  // Who grants without being attached is told who is there.
  expect(inspector.frames.filter(({ frame }) => frame !== 'hello')).toEqual([])
  inspector.attach()
  ASKS.forEach((ask, id) => {
    channel.postMessage(JSON.stringify({ ...ASK, to: peer, id, ask }))
  })
  channel.postMessage(JSON.stringify({ ...ASK, to: 'another', ask: { what: 'store' } }))
  await network.run(1_000)
  const answers = inspector.frames.filter(({ frame }) => frame === 'answer')
  expect(answers).toHaveLength(ASKS.length)
  for (const answer of answers) expect(answer).toHaveProperty('error.code')
  expect(errors).toEqual([])
  expect(heard).toEqual([])
})

it('an inspector of another version is told that it is one', async () => {
  const network = createTestNetwork()
  const device = network.device('phone')
  const bus = device.open().createBus({ name: 'shop' })
  const Channel = device.open('worker').platform.BroadcastChannel as typeof BroadcastChannel
  const channel = new Channel(INSPECT_CHANNEL)
  const inspector = new TestInspector((text) => channel.postMessage(text))
  channel.onmessage = ({ data }) => inspector.hear(data as string)
  bus.subscribe('a.b', () => {})
  await network.until(() => inspector.hellos.length > 0)
  inspector.send({ frame: 'attach', inspect: INSPECT_VERSION + 1, anything: 'new' })
  await network.until(() => inspector.frames.length > 1)
  expect(inspector.frames[1]).toEqual({
    inspect: INSPECT_VERSION,
    frame: 'mismatch',
    peer: inspector.hellos[0]?.peer,
    library: expect.stringMatching(/^\d+\.\d+\.\d+$/),
  })
})
