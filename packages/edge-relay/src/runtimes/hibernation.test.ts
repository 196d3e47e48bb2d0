/** What holds of a room that the runtime puts out of memory while its devices stay connected. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Present, Term } from '@crosstown/bus/protocol'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { connectProbe, headerOf, publishOf } from '../testing/probe.ts'
import { RawDevice } from '../testing/raw-device.ts'
import { endWorkers, startWorkerd } from '../testing/worker-process.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-hibernation-'))
})
afterEach(endWorkers)
afterAll(() => rm(folder, { recursive: true, force: true }))

async function joined(url: string, device: string, extra = {}) {
  const probe = await connectProbe(url)
  const welcome = await probe.join(device, extra)
  return Object.assign(probe, { welcome })
}

/** A module with an auth function, of this body. */
async function authOf(name: string, body: string): Promise<string> {
  const file = join(folder, `${name}.mjs`)
  await writeFile(file, `export default (token) => { ${body} }\n`)
  return file
}

/** What a device says of itself. */
const here = (id: string): { readonly members: readonly Present[] } => ({
  members: [{ id, kind: 'page', source: 'page', leader: true }],
})

it('devices do not notice: what is published next reaches them, in the same stream', async () => {
  const { socket, evict } = await startWorkerd()
  const [one, two] = [await joined(socket, 'one'), await joined(socket, 'two')]
  one.send(publishOf(1, undefined, ['a-1']), ['1'])
  await one.next('ack')
  const heard = await two.next('stream')
  expect(await evict()).toBe(true)
  one.send(publishOf(2, 1, ['a-2']), ['2'])
  await one.next('ack')
  const { frame, data } = await two.next('stream')
  expect(frame.prev).toBe(heard.frame.position)
  expect(data).toEqual(['2'])
  expect(await evict()).toBe(true)
  expect(await evict()).toBe(false)
  two.send(publishOf(1, undefined, ['b-1']), ['3'])
  await two.next('ack')
  expect((await one.next('stream')).frame.runs).toMatchObject([{ own: { batch: 2 } }])
  expect((await one.next('stream')).data).toEqual(['3'])
  expect([one.closed, two.closed]).toEqual([undefined, undefined])
})

it('what comes by HTTP wakes it, and reaches the devices that were connected all the time', async () => {
  const { socket, url, evict } = await startWorkerd()
  const one = await joined(socket, 'one')
  await evict()
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ type: 'a.b', data: 7 })
  await fetch(`${url}/rooms/42/events`, { method: 'POST', headers, body })
  const { frame, data } = await one.next('stream')
  expect(frame.prev).toBe(one.welcome.from)
  expect(data).toEqual(['7'])
  const stats = await (await fetch(`${url}/rooms/42/stats`)).json()
  expect(stats).toMatchObject({ connections: 1 })
})

it('pings are answered with the head, and wake nobody', async () => {
  const { socket, evict } = await startWorkerd()
  const [one, two] = [await joined(socket, 'one'), await joined(socket, 'two')]
  one.send(publishOf(1, undefined, ['a-1']), ['1'])
  const { position } = (await two.next('stream')).frame
  await evict()
  for (const device of [one, two, one]) {
    device.send({ frame: 'ping' })
    expect((await device.next('heartbeat')).frame.head).toBe(position)
  }
  expect(await evict()).toBe(false)
})

it('who has not said who it is hears nothing of the room, and is welcomed where it was evicted', async () => {
  const { socket, url, evict } = await startWorkerd({ limits: { helloMs: 60_000 } })
  const one = await joined(socket, 'one')
  one.send(publishOf(1, undefined, ['a-1']), ['1'])
  await one.next('ack')
  await evict()
  const silent = await connectProbe(socket)
  silent.send({ frame: 'ping' })
  await evict()
  silent.send({ frame: 'ping' })
  await (await fetch(`${url}/rooms/42/stats`)).json()
  const welcome = await silent.join('two')
  expect(silent.unread).toEqual([])
  expect(welcome.recovered).toBe(true)
  expect((await silent.next('stream')).data).toEqual(['1'])
})

it('rights are what they were: of publishing, of reading, and of what a device asked to read', async () => {
  const rights = "{ publish: ['chat'], subscribe: ['chat', 'news'] }"
  const auth = await authOf(
    'rights',
    `return token === 'all'
      ? { subject: 'all', rights: { publish: ['**'], subscribe: ['**'] } }
      : { subject: 'guest', rights: ${rights} }`,
  )
  const { socket, evict } = await startWorkerd({ auth })
  const all = await joined(socket, 'all', { token: 'all' })
  const guest = await joined(socket, 'guest', { token: 'guest' })
  const news = await joined(socket, 'news', { token: 'guest', types: ['news'] })
  await evict()
  guest.send(publishOf(1, undefined, [headerOf('g-1', 'admin'), headerOf('g-2', 'chat')]), [
    '1',
    '2',
  ])
  expect((await guest.next('ack')).frame.refused).toEqual([[0, 'forbidden']])
  await evict()
  const types = ['admin', 'chat', 'news']
  all.send(
    publishOf(
      1,
      undefined,
      types.map((type, i) => headerOf(`a-${i + 1}`, type)),
    ),
    ['"admin"', '"chat"', '"news"'],
  )
  await guest.next('stream')
  expect((await guest.next('stream')).data).toEqual(['"chat"', '"news"'])
  const read: string[] = []
  while (read.length === 0) read.push(...(await news.next('stream')).data)
  expect(read).toEqual(['"news"'])
})

it('who may read nothing of what came is moved on, and no ping shows it a hole', async () => {
  const auth = await authOf(
    'deaf',
    "return { subject: 'u', rights: { publish: ['**'], subscribe: token === 'deaf' ? ['nothing'] : ['**'] } }",
  )
  const { socket, evict } = await startWorkerd({ auth })
  const one = await joined(socket, 'one', { token: 'all' })
  const deaf = await joined(socket, 'deaf', { token: 'deaf' })
  await evict()
  one.send(publishOf(1, undefined, ['a-1']), ['1'])
  await one.next('ack')
  await evict()
  const { frame } = await deaf.next('stream')
  expect(frame).toMatchObject({ prev: deaf.welcome.from, runs: [] })
  deaf.send({ frame: 'ping' })
  expect((await deaf.next('heartbeat')).frame.head).toBe(frame.position)
})

it('a token that ends is found by the alarm', async () => {
  const auth = await authOf(
    'short',
    "return { subject: 'u', rights: { publish: ['**'], subscribe: ['**'] }, ...(token === 'short' && { expiresAt: Date.now() + 5_000 }) }",
  )
  const { socket, evict } = await startWorkerd({ auth })
  const long = await joined(socket, 'long', { token: 'long' })
  const short = await joined(socket, 'short', { token: 'short' })
  expect(await evict()).toBe(true)
  expect(await short.end()).toMatchObject({ reason: 'token_expired' })
  expect(long.closed).toBeUndefined()
}, 20_000)

it('a token that is called back ends its connection, however long that slept', async () => {
  const auth = await authOf(
    'subjects',
    "return { subject: token, rights: { publish: ['**'], subscribe: ['**'] } }",
  )
  const { socket, url, evict } = await startWorkerd({ auth })
  const ann = await joined(socket, 'ann', { token: 'ann' })
  const bob = await joined(socket, 'bob', { token: 'bob' })
  await evict()
  const ended = await fetch(`${url}/rooms/42/revoke?subject=ann`)
  expect(await ended.json()).toBe(1)
  expect(await ann.end()).toMatchObject({ reason: 'token_expired' })
  bob.send(publishOf(1, undefined, ['b-1']), ['1'])
  await bob.next('ack')
})

it('a device that connects anew ends what slept of it, and an older term is stale', async () => {
  const { socket, evict } = await startWorkerd()
  const before = await joined(socket, 'one')
  before.send(publishOf(1, undefined, ['a-1']), ['1'])
  await before.next('ack')
  await evict()
  const terms: Term[] = [
    [1, 'one'],
    [2, 'two'],
  ]
  const now = await joined(socket, 'one', { terms })
  expect(await before.end()).toMatchObject({ reason: 'stale_term' })
  await evict()
  now.send(publishOf(2, 1, ['a-2']), ['2'])
  expect((await now.next('reject')).frame.code).toBe('stale_term')
  now.send(publishOf(2, 1, ['a-2'], { term: [2, 'two'] }), ['2'])
  await now.next('ack')
})

it('a copy of a device stays one: it gets no stream, and its batches are rejected', async () => {
  const { socket, evict } = await startWorkerd()
  const original = await joined(socket, 'one', { terms: [[2, 'original']] })
  const copy = await joined(socket, 'one', { terms: [[1, 'one']] })
  expect(copy.welcome.term).toEqual([2, 'original'])
  await evict()
  original.send(publishOf(1, undefined, ['a-1'], { term: [2, 'original'] }), ['1'])
  await original.next('ack')
  copy.send(publishOf(1, undefined, ['c-1']), ['1'])
  await copy.next('reject')
  expect(copy.unread.filter(({ frame }) => frame.frame === 'stream')).toEqual([])
  expect(original.closed).toBeUndefined()
})

it('who is there is known as before: nobody is told twice, and who leaves meanwhile is missed', async () => {
  const { socket, evict } = await startWorkerd()
  const [one, two, three] = [
    await joined(socket, 'one'),
    await joined(socket, 'two'),
    await joined(socket, 'three'),
  ]
  for (const [i, device] of [one, two, three].entries())
    device.send({ frame: 'presence', devices: [here(`p${i}`)] })
  const known = new Set<string>()
  while (known.size < 2)
    for (const { device = '' } of (await one.next('presence')).frame.devices) known.add(device)
  await evict()
  one.send(publishOf(1, undefined, ['a-1']), ['1'])
  await two.next('stream')
  await evict()
  expect(one.unread.filter(({ frame }) => frame.frame === 'presence')).toEqual([])
  three.close()
  await three.end()
  await evict()
  const { frame } = await one.next('presence')
  const left = frame.whole ? undefined : frame.devices
  expect(left ?? frame.devices).toHaveLength(1)
  if (left) expect(left[0]?.members).toEqual([])
}, 30_000)

it('rights that are too large for an attachment survive as well', async () => {
  const auth = await authOf(
    'large',
    "const many = Array.from({ length: 1000 }, (_, i) => 'a-type-of-some-length.number-' + i + '.**'); return { subject: 'u', rights: { publish: many, subscribe: many } }",
  )
  const { socket, evict } = await startWorkerd({ auth })
  const one = await joined(socket, 'one', { token: 't' })
  const two = await joined(socket, 'two', { token: 't' })
  await evict()
  one.send(
    publishOf(1, undefined, [
      headerOf('a-1', 'a-type-of-some-length.number-999.x'),
      headerOf('a-2', 'other'),
    ]),
    ['1', '2'],
  )
  expect((await one.next('ack')).frame.refused).toEqual([[1, 'forbidden']])
  await evict()
  one.send(publishOf(2, 1, [headerOf('a-3', 'a-type-of-some-length.number-0.x')]), ['3'])
  expect((await two.next('stream')).data).toEqual(['1'])
  expect((await two.next('stream')).data).toEqual(['3'])
})

it('sockets that end with it come back and miss nothing', async () => {
  const { socket, evict } = await startWorkerd()
  const one = await joined(socket, 'one')
  one.send(publishOf(1, undefined, ['a-1']), ['1'])
  const { position } = (await one.next('stream')).frame
  await evict('close')
  expect((await one.end()).code).toBe(1006)
  const again = await joined(socket, 'one', { cursor: position })
  expect(again.welcome).toMatchObject({ recovered: true, taken: { batch: 1 }, head: position })
})

it('evicted again and again while devices publish: nothing is lost, skipped or doubled, and nobody noticed', async () => {
  const { socket, evict } = await startWorkerd()
  const ROUNDS = 5
  let acks = 0
  const devices = [...'abcd'].map((id) => {
    return new RawDevice(id, (name) => {
      if (name === 'ack') acks += 1
    })
  })
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const ended: Promise<void>[] = []
  for (const device of devices) {
    ended.push(device.connect(socket))
    while (device.welcomes.length === 0) await turn()
  }
  const isWhole = (): boolean => {
    const total = devices.reduce((sum, { published }) => sum + published.length, 0)
    return devices.every(({ done, room }) => done && room.length === total)
  }
  for (let round = 1; round <= ROUNDS; round++) {
    for (const device of devices) {
      device.add(20)
      device.go()
    }
    const before = acks
    while (acks < before + round * 10) await turn()
    // What still comes is dealt with by the one that goes, or by the one that comes.
    const evicted = evict()
    while (!isWhole()) await turn()
    expect(await evicted).toBe(true)
  }
  for (const device of devices) device.close()
  await Promise.all(ended)
  for (const { codes, room, welcomes } of devices) {
    expect(room).toEqual(devices[0]?.room)
    expect(welcomes).toHaveLength(1)
    expect(codes).toHaveLength(1)
  }
}, 60_000)

it('a room in which nothing happens goes out of memory by itself, however often it is pinged', async () => {
  const { socket, evict } = await startWorkerd()
  const one = await joined(socket, 'one')
  const two = await joined(socket, 'two')
  one.send(publishOf(1, undefined, ['a-1']), ['1'])
  const { position } = (await two.next('stream')).frame
  // The runtime waits for ten seconds in which it has nothing to do with the object.
  for (let pings = 0; pings < 15; pings++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    two.send({ frame: 'ping' })
    expect((await two.next('heartbeat')).frame.head).toBe(position)
  }
  expect(await evict()).toBe(false)
  one.send(publishOf(2, 1, ['a-2']), ['2'])
  expect((await two.next('stream')).frame.prev).toBe(position)
}, 40_000)
