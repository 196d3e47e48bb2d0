import {
  BUS_ERROR_CODES,
  checkOf,
  MAX_FRAME_BYTES,
  type Rights,
  startOf,
} from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import type { Auth } from './auth.ts'
import { createRelay, type Relay } from './relay.ts'
import { memoryStore } from './stores/memory.ts'
import type { Store } from './stores/store.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import {
  cursorAfter,
  headerOf,
  helloOf,
  type Probe,
  ProbeSocket,
  publishOf,
  TERM,
} from './testing/probe.ts'

const relays: Relay[] = []
afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.close()))
})

interface Setup {
  readonly auth?: Auth
  readonly limits?: object
  readonly store?: Store
}

function setup({ auth, limits = {}, store = memoryStore() }: Setup = {}) {
  const platform = new ManualPlatform()
  const errors: unknown[] = []
  const relay = createRelay({
    store,
    platform,
    limits,
    ...(auth && { auth }),
    onError: (error) => errors.push(error),
  })
  relays.push(relay)
  const connect = (room = 'r'): ProbeSocket => {
    const socket = new ProbeSocket()
    return socket.open(relay.accept(socket, { room }))
  }
  const join = async (
    device: string,
    extra = {},
  ): Promise<Probe & { socket: ProbeSocket; from: string }> => {
    const socket = connect()
    const { from } = await socket.probe.join(device, extra)
    return Object.assign(socket.probe, { socket, from })
  }
  return { relay, platform, errors, connect, join }
}

/** Everything queued in this turn of the event loop, and what follows from it, is done. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
}

const rightsAuth =
  (rights: Record<string, Rights>): Auth =>
  (token) => {
    const found = rights[token ?? '']
    return found && { subject: token as string, rights: found }
  }

describe('joining', () => {
  it('welcomes a new device', async () => {
    const { connect } = setup({ limits: { heartbeatMs: 7_000 } })
    const welcome = await connect().probe.join('d')
    expect(welcome).toEqual({
      frame: 'welcome',
      version: 1,
      subject: 'anonymous',
      rights: { publish: ['**'], subscribe: ['**'] },
      epoch: welcome.epoch,
      head: startOf(welcome.epoch),
      first: startOf(welcome.epoch),
      from: startOf(welcome.epoch),
      recovered: true,
      limits: { frameBytes: MAX_FRAME_BYTES, batchEvents: 1_000, heartbeatMs: 7_000 },
      durability: 'memory',
      groups: true,
    })
  })

  it('tells what it has of a device that comes again', async () => {
    const { connect, join } = setup()
    const first = await join('d')
    first.send(publishOf(4, undefined, ['a-1', 'a-2']), ['1', '2'])
    await first.next('ack')
    const again = await connect().probe.join('d', {
      terms: [
        [1, 'one'],
        [2, 'two'],
      ],
    })
    expect(again).toMatchObject({ taken: { batch: 4, id: 'a-2' }, term: TERM })
  })

  it('closes the older connection of a device that comes again: one leads at a time', async () => {
    const { connect, join } = setup()
    const first = await join('d')
    const other = await join('e')
    const again = connect().probe
    await again.join('d', { terms: [TERM, [2, 'two']] })
    expect((await first.next('error')).frame.code).toBe('stale_term')
    expect(await first.end()).toMatchObject({ code: 3006 })
    again.send(publishOf(1, undefined, ['a-1'], { term: [2, 'two'] }), ['1'])
    await again.next('ack')
    expect((await other.next('stream')).frame.runs).toMatchObject([{ events: [{ id: 'a-1' }] }])
  })

  it('tells a copy that it is one, takes nothing from it and sends it nothing, and leaves the other alone', async () => {
    const { platform, connect, join } = setup()
    const first = await join('d')
    const copy = connect().probe
    const copied = [[1, 'copy'] as const]
    expect(await copy.join('d', { terms: copied })).toMatchObject({ term: TERM })
    copy.send(publishOf(1, undefined, ['b-1'], { term: [1, 'copy'] }), ['1'])
    expect((await copy.next('reject')).frame).toMatchObject({ code: 'stale_term', term: TERM })
    first.send(publishOf(1, undefined, ['a-1']), ['1'])
    await first.next('ack')
    const { frame } = await first.next('stream')
    expect(frame.runs).toMatchObject([{ own: { batch: 1 } }])
    platform.advance(1_000)
    copy.send({ frame: 'ping' })
    expect((await copy.next('heartbeat')).frame.head).toBe(frame.position)
    expect(copy.unread).toEqual([])
  })

  it('takes the events of a copy that its original sent before once, also after a restart', async () => {
    const store = memoryStore()
    let { join } = setup({ store })
    const first = await join('d')
    first.send(publishOf(1, undefined, ['a-1', 'a-2']), ['1', '2'])
    first.send(publishOf(2, 1, ['a-3']), ['3'])
    expect((await first.next('ack')).frame.batch).toBe(1)
    expect((await first.next('ack')).frame.batch).toBe(2)
    ;({ join } = setup({ store }))
    const reader = await join('reader')
    const copy = await join('e', { log: 'log-of-d' })
    copy.send(publishOf(1, undefined, ['a-1', 'a-2']), ['1', '2'])
    copy.send(publishOf(2, 1, ['a-3', 'b-1']), ['3', '4'])
    copy.send(publishOf(3, 2, ['b-2']), ['5'])
    const { ids } = await reader.stream(reader.from, (seen) => seen.includes('b-2'))
    expect(ids).toEqual(['a-1', 'a-2', 'a-3', 'b-1', 'b-2'])
    const { ids: foreign, own } = await copy.stream(copy.from, (_, { runs }) =>
      runs.some((run) => 'own' in run && run.own.batch === 3),
    )
    expect(foreign).toEqual(['a-1', 'a-2', 'a-3'])
    expect(own).toEqual([1, 2, 3])
  })

  it('takes an id from devices with different logs as often as it comes: nobody can keep it from others', async () => {
    const { join } = setup()
    const first = await join('d')
    const other = await join('e')
    first.send(publishOf(1, undefined, ['a-1']), ['1'])
    await first.next('ack')
    other.send(publishOf(1, undefined, ['a-1']), ['2'])
    const { ids, own } = await other.stream(other.from, (_, { runs }) =>
      runs.some((run) => 'own' in run && run.own.indexes.length === 1),
    )
    expect({ ids, own }).toEqual({ ids: ['a-1'], own: [1] })
  })

  const wrong: [string, object, keyof typeof BUS_ERROR_CODES][] = [
    ['another secret', { device: { id: 'd', secret: 'guessed' } }, 'bad_device'],
    ['another subject', { token: 'bob' }, 'subject_changed'],
    ['no token', { token: undefined }, 'unauthorized'],
    ['a wrong token', { token: 'x' }, 'unauthorized'],
    ['a token over which auth fails', { token: 'throw' }, 'unauthorized'],
    ['a token for which auth answers nonsense', { token: 'nonsense' }, 'unauthorized'],
    ['another version', { version: 2 }, 'unsupported_version'],
    ['types that are no patterns', { types: ['a..b'] }, 'invalid_pattern'],
  ]
  it.each(wrong)('refuses %s, and only that connection', async (_, extra, code) => {
    const all = { publish: ['**'], subscribe: ['**'] }
    const { connect, errors } = setup({
      auth: (token) => {
        if (token === 'throw') throw new Error('database password is hunter2')
        if (token === 'nonsense') return { subject: '', rights: all }
        return rightsAuth({ ann: all, bob: all })(token, { room: 'r' })
      },
    })
    const { probe: first } = connect()
    await first.join('d', { token: 'ann' })
    const { probe } = connect()
    probe.send({ ...helloOf('d', { token: 'ann' }), ...extra } as never)
    const { frame } = await probe.next('error')
    expect(frame.code).toBe(code)
    expect(frame.message).not.toContain('hunter2')
    expect(await probe.end()).toEqual({ code: BUS_ERROR_CODES[code], reason: code })
    expect(errors.length).toBe(/fails|nonsense/.test(_) ? 1 : 0)
    first.send({ frame: 'ping' })
    await first.next('heartbeat')
  })

  it('closes a socket that says nothing, and drops its timer with the last one', async () => {
    const { platform, connect } = setup()
    const { probe } = connect()
    platform.advance(9_000)
    expect(probe.closed).toBe(undefined)
    platform.advance(2_000)
    expect(await probe.end()).toMatchObject({ reason: 'timeout' })
    expect(platform.timers).toBe(0)
  })
})

describe('the room stream', () => {
  it('carries a batch to other devices, and its positions to the one that sent it', async () => {
    const { platform, join } = setup()
    const [one, two] = [await join('one'), await join('two')]
    one.send(publishOf(5, undefined, ['a-1', 'a-2'], { indexes: [0, 3] }), ['{"x":1}', '2'])
    expect((await one.next('ack')).frame).toEqual({ frame: 'ack', batch: 5 })
    const heard = await two.next('stream')
    const epoch = two.from.split('.')[0] as string
    const position = cursorAfter(epoch, ['a-1', 'a-2'])
    expect(heard).toEqual({
      frame: {
        frame: 'stream',
        prev: two.from,
        position,
        runs: [{ place: 1, events: [headerOf('a-1'), headerOf('a-2')], time: platform.now() }],
      },
      data: ['{"x":1}', '2'],
    })
    expect((await one.next('stream')).frame).toEqual({
      frame: 'stream',
      prev: one.from,
      position,
      runs: [{ place: 1, own: { batch: 5, indexes: [0, 3] }, time: platform.now() }],
    })
  })

  it('a relay with small limits takes a full batch of a device', async () => {
    const { join } = setup({ limits: { postEvents: 100, bodyBytes: 10_000, queueBytes: 10_000 } })
    const [one, two] = [await join('one'), await join('two')]
    const ids = Array.from({ length: 1_000 }, (_, i) => `a-${i + 1}`)
    one.send(
      publishOf(1, undefined, ids),
      ids.map(() => JSON.stringify('x'.repeat(400))),
    )
    expect((await one.next('ack')).frame).toEqual({ frame: 'ack', batch: 1 })
    expect((await two.stream(two.from, (heard) => heard.length === 1_000)).ids).toEqual(ids)
  })

  it('goes on where a device left, with exactly what it missed', async () => {
    const { join } = setup({ limits: { streamEvents: 3 } })
    const writer = await join('writer')
    const reader = await join('reader')
    for (let batch = 1; batch <= 20; batch++) {
      writer.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`a-${batch}`]), ['0'])
    }
    const before = await reader.stream(reader.from, (ids) => ids.length >= 6)
    reader.socket.drop()
    for (let batch = 21; batch <= 30; batch++)
      writer.send(publishOf(batch, batch - 1, [`a-${batch}`]), ['0'])
    await writer.stream(writer.from, (_, { runs }) =>
      runs.some((run) => 'own' in run && run.own.batch === 30),
    )
    const again = await join('reader', { cursor: before.position })
    expect(again.from).toBe(before.position)
    for (let batch = 31; batch <= 33; batch++)
      writer.send(publishOf(batch, batch - 1, [`a-${batch}`]), ['0'])
    const after = await again.stream(again.from, (ids) => ids.includes('a-33'))
    expect([...before.ids, ...after.ids]).toEqual(
      Array.from({ length: 33 }, (_, i) => `a-${i + 1}`),
    )
  })

  it('ends a catch-up frame at the head of the welcome, before what was committed meanwhile', async () => {
    const { connect, join } = setup()
    const writer = await join('writer')
    for (let batch = 1; batch <= 5; batch++) {
      writer.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`a-${batch}`]), ['0'])
    }
    await writer.stream(writer.from, (_, { runs }) =>
      runs.some((run) => 'own' in run && run.own.batch === 5),
    )
    const { probe } = connect()
    const welcome = probe.join('late')
    void welcome.then(() => {
      for (let batch = 6; batch <= 9; batch++)
        writer.send(publishOf(batch, batch - 1, [`a-${batch}`]), ['0'])
    })
    const { from, head } = await welcome
    const { frames, ids } = await probe.stream(from, (all) => all.includes('a-9'))
    expect(frames.map(({ position }) => position)).toContain(head)
    expect(ids).toEqual(Array.from({ length: 9 }, (_, i) => `a-${i + 1}`))
  })

  const froms: [string, (positions: string[]) => object, string[]][] = [
    ['the start', () => ({ from: 'start' }), ['a-1', 'a-2', 'a-3', 'a-4']],
    ['now', () => ({ from: 'now' }), ['a-4']],
    ['a position', (positions) => ({ from: { position: positions[1] } }), ['a-3', 'a-4']],
    ['the last two', () => ({ from: { last: 2 } }), ['a-2', 'a-3', 'a-4']],
    ['more than there are', () => ({ from: { last: 99 } }), ['a-1', 'a-2', 'a-3', 'a-4']],
    ['a time', () => ({ from: { time: 1_700_000_002_000 } }), ['a-3', 'a-4']],
    ['a time to come', () => ({ from: { time: 1_800_000_000_000 } }), ['a-4']],
  ]
  it.each(froms)('lets a new device begin at %s', async (_, fromOf, expected) => {
    const { platform, join } = setup()
    platform.set(1_700_000_000_000)
    const writer = await join('writer')
    const positions: string[] = []
    let position = writer.from
    const write = async (batch: number): Promise<void> => {
      writer.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`a-${batch}`]), ['0'])
      position = (await writer.stream(position, () => true)).position
      positions.push(position)
      platform.set(platform.now() + 1_000)
    }
    for (const batch of [1, 2, 3]) await write(batch)
    const reader = await join('reader', fromOf(positions))
    await write(4)
    expect((await reader.stream(reader.from, (ids) => ids.includes('a-4'))).ids).toEqual(expected)
  })

  it('finds the newest position it recognises, and says why the cursor was not it', async () => {
    const { connect, join } = setup()
    const writer = await join('writer')
    writer.send(publishOf(1, undefined, ['a-1', 'a-2', 'a-3']), ['0', '0', '0'])
    await writer.next('stream')
    const epoch = writer.from.split('.')[0] as string
    const good = cursorAfter(epoch, ['a-1', 'a-2'])
    const welcome = async (cursor: string, older: string[] = []) => {
      const { head: _, ...rest } = await connect().probe.join('reader', { cursor, older })
      return {
        from: rest.from,
        recovered: rest.recovered,
        ...(rest.reason && { reason: rest.reason }),
      }
    }
    expect(await welcome(good)).toEqual({ from: good, recovered: true })
    expect(await welcome(startOf(epoch))).toEqual({ from: startOf(epoch), recovered: true })
    const bad = `${epoch}.3.${checkOf('other')}`
    expect(await welcome(bad, [good])).toEqual({
      from: good,
      recovered: false,
      reason: 'restored',
    })
    expect(await welcome(`${epoch}.9.abc`)).toEqual({
      from: startOf(epoch),
      recovered: false,
      reason: 'restored',
    })
    expect(await welcome('garbage')).toEqual({
      from: startOf(epoch),
      recovered: false,
      reason: 'unknown_position',
    })
    expect(await welcome('other.2.abc', ['garbage'])).toEqual({
      from: startOf(epoch),
      recovered: false,
      reason: 'new_epoch',
    })
  })

  it('holds rights when sending and reading, and moves restricted readers on without a gap', async () => {
    const auth = rightsAuth({
      writer: { publish: ['public.**', 'secret.**'], subscribe: ['**'] },
      guest: { publish: ['public.chat'], subscribe: ['public.**'] },
    })
    const { platform, join } = setup({ auth })
    const writer = await join('writer', { token: 'writer' })
    const guest = await join('guest', { token: 'guest' })
    const chat = await join('chat', { token: 'guest', types: ['public.chat'] })

    writer.send(
      publishOf(1, undefined, [headerOf('a-1', 'secret.x'), headerOf('a-2', 'secret.y')]),
      ['1', '2'],
    )
    writer.send(publishOf(2, 1, [headerOf('a-3', 'secret.x')]), ['3'])
    await writer.stream(writer.from, (_, { runs }) =>
      runs.some((run) => 'own' in run && run.own.batch === 2),
    )
    expect(guest.unread).toEqual([])
    platform.advance(1_000)
    const { frame: advance } = await guest.next('stream')
    expect(advance).toMatchObject({ prev: guest.from, runs: [] })
    expect(guest.unread).toEqual([])
    platform.advance(5_000)
    expect(guest.unread).toEqual([])

    const mixed = [
      headerOf('a-4', 'public.news'),
      headerOf('a-5', 'secret.x'),
      headerOf('a-6', 'public.chat'),
    ]
    writer.send(publishOf(3, 2, [headerOf('a-0', 'secret.q')]), ['0'])
    writer.send(publishOf(4, 3, mixed), ['"4"', '"5"', '"6"'])
    const heard = await guest.next('stream')
    expect(heard.frame).toMatchObject({
      prev: advance.position,
      runs: [{ place: 5 }, { place: 7 }],
    })
    expect(heard.data).toEqual(['"4"', '"6"'])
    await chat.next('stream')
    const chatted = await chat.next('stream')
    expect(chatted.data).toEqual(['"6"'])
    expect(chatted.frame.position).toBe(heard.frame.position)

    guest.send(
      publishOf(1, undefined, [headerOf('g-1', 'public.news'), headerOf('g-2', 'public.chat')]),
      ['1', '2'],
    )
    expect((await guest.next('ack')).frame).toEqual({
      frame: 'ack',
      batch: 1,
      refused: [[0, 'forbidden']],
    })
    const own = (await guest.next('stream')).frame.runs[0]
    expect(own).toMatchObject({ own: { batch: 1, indexes: [1], refused: [[0, 'forbidden']] } })
    expect((await chat.next('stream')).data).toEqual(['2'])
  })

  it('reads on from the store for a socket that is full, and closes one that stays so', async () => {
    const { platform, join } = setup()
    const writer = await join('writer')
    const slow = await join('slow')
    slow.socket.bufferedAmount = 2 * 1024 * 1024
    for (let batch = 1; batch <= 9; batch++) {
      writer.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`a-${batch}`]), ['0'])
      await writer.next('ack')
    }
    await settled()
    expect(slow.unread.length).toBeLessThan(3)
    slow.socket.drain()
    const { ids } = await slow.stream(slow.from, (all) => all.includes('a-9'))
    expect(ids).toHaveLength(9)

    slow.socket.bufferedAmount = 2 * 1024 * 1024
    writer.send(publishOf(10, 9, ['a-10']), ['0'])
    writer.send(publishOf(11, 10, ['a-11']), ['0'])
    await writer.next('ack')
    await settled()
    platform.advance(61_000)
    expect(await slow.end()).toEqual({ code: BUS_ERROR_CODES.slow_reader, reason: 'slow_reader' })

    const full = await join('full', { from: 'now' })
    full.socket.bufferedAmount = 9 * 1024 * 1024
    writer.send(publishOf(12, 11, ['a-12']), ['0'])
    expect(await full.end()).toMatchObject({ reason: 'slow_reader' })
  })

  it('goes on for a socket that emptied, but to above the mark of which sockets tell', async () => {
    const { platform, join } = setup({ limits: { pauseBytes: 1_000 } })
    const writer = await join('writer')
    const slow = await join('slow')
    slow.socket.bufferedAmount = 2_000
    for (let batch = 1; batch <= 3; batch++) {
      writer.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`a-${batch}`]), ['0'])
      await writer.next('ack')
    }
    await settled()
    slow.socket.bufferedAmount = 0
    platform.advance(1_000)
    const { ids } = await slow.stream(slow.from, (all) => all.includes('a-3'))
    expect(ids).toEqual(['a-1', 'a-2', 'a-3'])
  })

  it('lets connections read what another process wrote, without a gap', async () => {
    const store = memoryStore()
    const [here, there] = [setup({ store }), setup({ store })]
    const reader = await here.join('reader')
    const writer = await here.join('writer')
    const far = await there.join('far')
    far.send(publishOf(1, undefined, ['f-1']), ['0'])
    await far.next('ack')
    writer.send(publishOf(1, undefined, ['a-1']), ['0'])
    await writer.next('ack')
    expect((await reader.stream(reader.from, (ids) => ids.includes('a-1'))).ids).toEqual([
      'f-1',
      'a-1',
    ])
  })

  it('sends everyone away where the room became another', async () => {
    const { connect, join } = setup({ store: restorable() })
    const one = await join('one')
    restore()
    one.send(publishOf(1, undefined, ['a-1']), ['0'])
    expect(await one.end()).toEqual({ code: BUS_ERROR_CODES.going_away, reason: 'going_away' })
    expect(await connect().probe.join('one')).not.toHaveProperty('taken')
  })
})

let restore = (): void => {}
/** A store that can be swapped for an empty one underneath. */
function restorable(): Store {
  let current = memoryStore()
  restore = () => {
    current = memoryStore()
  }
  return new Proxy({} as Store, {
    get: (_, key) => {
      const value = current[key as keyof Store]
      return typeof value === 'function' ? value.bind(current) : value
    },
  })
}

describe('other frames', () => {
  it('hands a cast to those who may read it, not to its sender, and stores nothing', async () => {
    const auth = rightsAuth({
      ann: { publish: ['a.**', 'b.**'], subscribe: ['**'] },
      bob: { publish: [], subscribe: ['a.**'] },
    })
    const { join } = setup({ auth })
    const [one, two] = [await join('one', { token: 'ann' }), await join('two', { token: 'bob' })]
    one.send(
      {
        frame: 'cast',
        events: [headerOf('u-1', 'b.x'), headerOf('u-2', 'a.x'), headerOf('u-3', 'c.x')],
      },
      ['1', '2', '3'],
    )
    expect(await two.next('cast')).toEqual({
      frame: { frame: 'cast', events: [headerOf('u-2', 'a.x')] },
      data: ['2'],
    })
    two.send({ frame: 'cast', events: [headerOf('u-4', 'a.x')] }, ['4'])
    two.send({ frame: 'ping' })
    expect((await two.next('heartbeat')).frame.head).toBe(two.from)
    expect(one.unread).toEqual([])
  })

  it('answers a ping, and beats by itself where nothing else was sent', async () => {
    const { platform, join } = setup()
    const one = await join('one')
    platform.advance(24_000)
    expect(one.unread).toEqual([])
    platform.advance(2_000)
    expect((await one.next('heartbeat')).frame.head).toBe(one.from)
    platform.advance(20_000)
    one.send({ frame: 'ping' })
    await one.next('heartbeat')
    platform.advance(20_000)
    expect(one.unread).toEqual([])
  })

  it('ignores frames of names reserved for later', async () => {
    const { join } = setup()
    const one = await join('one')
    one.sendRaw('{"frame":"notice"}')
    one.send({ frame: 'ping' })
    await one.next('heartbeat')
  })

  const bad: [string, string | Uint8Array, keyof typeof BUS_ERROR_CODES][] = [
    ['text that is no frame', 'hello?', 'bad_frame'],
    ['bytes', new Uint8Array([1, 2, 3]), 'bad_frame'],
    ['an unknown frame', '{"frame":"steal"}', 'bad_frame'],
    ["a frame of the relay's", '{"frame":"ack","batch":1}', 'bad_frame'],
    ['a second hello', JSON.stringify(helloOf('d')), 'bad_frame'],
    ['a publish without its data', JSON.stringify(publishOf(1, undefined, ['a-1'])), 'bad_frame'],
    [
      'indexes that do not ascend',
      `${JSON.stringify(publishOf(1, undefined, ['a-1', 'a-2'], { indexes: [1, 1] }))}\n1\n2`,
      'bad_frame',
    ],
    [
      'a frame over the limit',
      `{"frame":"ping","filler":"${'ü'.repeat(MAX_FRAME_BYTES / 2)}"}`,
      'too_large',
    ],
  ]
  it.each(bad)('closes the connection that sends %s, and no other', async (_, message, code) => {
    const { errors, join } = setup()
    const [one, two] = [await join('one'), await join('two')]
    one.sendRaw(message)
    expect((await one.next('error')).frame.code).toBe(code)
    expect(await one.end()).toEqual({ code: BUS_ERROR_CODES[code], reason: code })
    two.send({ frame: 'ping' })
    await two.next('heartbeat')
    expect(errors).toEqual([])
  })

  it('wants hello first', async () => {
    const { connect } = setup()
    const { probe } = connect()
    probe.send({ frame: 'ping' })
    probe.send(publishOf(1, undefined, ['a-1']), ['0'])
    expect((await probe.next('error')).frame.code).toBe('bad_frame')
  })

  it('closes a connection as unavailable where the store fails, without telling more', async () => {
    const broken = memoryStore()
    const { connect, errors } = setup({
      store: new Proxy(broken, {
        get: (target, key) =>
          key === 'load'
            ? () => Promise.reject(new Error('password is hunter2'))
            : (target[key as keyof Store] as (() => unknown) | undefined)?.bind?.(target),
      }),
    })
    const { probe } = connect()
    probe.send(helloOf('d'))
    const { frame } = await probe.next('error')
    expect(frame).toMatchObject({
      code: 'unavailable',
      message: expect.not.stringContaining('hunter2'),
    })
    expect(errors).toMatchObject([{ message: 'password is hunter2' }])
  })

  it('says goodbye when the relay closes', async () => {
    const { join, relay } = setup()
    const one = await join('one')
    one.send(publishOf(1, undefined, ['a-1']), ['0'])
    await relay.close()
    await one.next('ack')
    expect((await one.next('goaway')).frame).toMatchObject({ afterMs: 500, jitterMs: 2_000 })
    expect(await one.end()).toEqual({ code: BUS_ERROR_CODES.going_away, reason: 'going_away' })
  })
})
