import { type From, startOf, type WelcomeFrame } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { RoomRetention } from './keeping.ts'
import { createRelay } from './relay.ts'
import { serve } from './runtimes/node.ts'
import { memoryStore } from './stores/memory.ts'
import type { Store } from './stores/store.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { connectProbe, cursorAfter, type Probe, ProbeSocket, publishOf } from './testing/probe.ts'

const DAY_MS = 86_400_000
const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

type Joined = Probe & { readonly socket: ProbeSocket; readonly welcome: WelcomeFrame }

function setup(limits: object, store: Store = memoryStore(), retention?: RoomRetention) {
  const platform = new ManualPlatform()
  const errors: unknown[] = []
  const relay = createRelay({
    store,
    platform,
    limits,
    ...(retention && { retention }),
    onError: (error) => errors.push(error),
  })
  opened.push(relay)
  const join = async (device: string, extra = {}): Promise<Joined> => {
    const socket = new ProbeSocket()
    const { probe } = socket.open(relay.accept(socket, { room: 'r' }))
    return Object.assign(probe, { socket, welcome: await probe.join(device, extra) })
  }
  return { relay, platform, errors, store, join }
}

/** Publishes batches of one event, `a-<first>` to `a-<last>`, each after the one before was acked. */
async function publish(probe: Probe, first: number, last: number): Promise<void> {
  for (let n = first; n <= last; n++) {
    probe.send(publishOf(n, n === 1 ? undefined : n - 1, [`a-${n}`]), [String(n)])
    await probe.next('ack')
  }
}

/** Resolves when the store has trimmed up to that place. */
async function trimmedTo(store: Store, place: number): Promise<void> {
  while ((await store.first('r')).place < place)
    await new Promise((resolve) => setImmediate(resolve))
}

describe('a room with limits of its own', () => {
  const expectKept = async (
    room: string,
    count: number,
    retention: RoomRetention,
    errors: unknown[] = [],
  ) => {
    const store = memoryStore()
    const onError = (error: unknown) => void errors.push(error)
    const relay = createRelay({ store, limits: { roomEvents: 8 }, retention, onError })
    opened.push(relay)
    // Whole records go, and each request is one.
    for (let n = 0; n < 20; n++) {
      await relay.request(`/rooms/${room}/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"type":"a.b"}',
      })
    }
    await vi.waitFor(async () => expect((await store.stats(room))?.events).toBe(count))
  }

  it('keeps what the longest name that fits says, and else what the relay keeps', async () => {
    const rooms = {
      '*': { roomEvents: 9 },
      'shop-*': { roomEvents: 5 },
      'shop-eu-*': { roomEvents: 3 },
      'shop-eu-1': { roomEvents: 2 },
    }
    await expectKept('shop-eu-1', 2, rooms)
    await expectKept('shop-eu-2', 3, rooms)
    await expectKept('shop-us', 5, rooms)
    await expectKept('other', 9, rooms)
    await expectKept('other', 8, { 'shop-*': { roomEvents: 5 } })
    await expectKept('shop-1', 8, { 'shop-*': { roomDays: 5 } })
  })

  it('keeps what a function says, and where that fails what the relay keeps', async () => {
    const errors: unknown[] = []
    const retention = (room: string) => {
      if (room === 'bad') throw new Error('no such plan')
      return room === 'odd' ? { roomEvents: 0 } : { roomEvents: 4 }
    }
    await expectKept('r', 4, retention, errors)
    expect(errors).toEqual([])
    await expectKept('bad', 8, retention, errors)
    await expectKept('odd', 8, retention, errors)
    expect(errors.map(String)).toEqual(
      expect.arrayContaining([
        expect.stringContaining('no such plan'),
        expect.stringContaining('whole number'),
      ]),
    )
  })

  it.each([
    ['a name that no room has', { 'a/b': { roomDays: 1 } }],
    ['a star in the middle', { 'a*b': { roomDays: 1 } }],
    ['a limit that is none', { a: { days: 1 } }],
    ['a number that is none', { a: { roomDays: 0.5 } }],
    ['no limits', { a: 7 }],
    ['a list', [{ roomDays: 1 }]],
  ])('is not to be had with %s', (_, retention) => {
    expect(() => createRelay({ retention: retention as RoomRetention })).toThrow(/retention|room/)
  })
})

describe('a room over its limits', () => {
  it('loses its oldest events by count, and keeps device rows, head and epoch', async () => {
    const { store, join } = setup({ roomEvents: 3 })
    const probe = await join('d')
    await publish(probe, 1, 10)
    await trimmedTo(store, 7)
    const loaded = await store.load('r')
    expect(loaded?.head.place).toBe(10)
    expect(loaded?.state.map(([key]) => key)).toEqual(['device/d'])
    expect(await store.stats('r')).toMatchObject({ events: 3 })
    await publish(probe, 11, 12)
    await trimmedTo(store, 9)
  })

  it('loses them by bytes', async () => {
    const { store, join } = setup({ roomBytes: 500 })
    await publish(await join('d'), 1, 20)
    await trimmedTo(store, 13)
    expect((await store.stats('r'))?.bytes).toBeLessThanOrEqual(500)
  })

  it('loses them by age, also a room that nobody writes to', async () => {
    const { store, join, platform } = setup({ roomDays: 2 })
    const probe = await join('d')
    await publish(probe, 1, 2)
    platform.sleep(1.5 * DAY_MS)
    await publish(probe, 3, 3)
    platform.sleep(DAY_MS)
    probe.send({ frame: 'ping' })
    platform.advance(1_000)
    await trimmedTo(store, 2)
    platform.sleep(2 * DAY_MS)
    probe.send({ frame: 'ping' })
    platform.advance(1_000)
    await trimmedTo(store, 3)
    expect((await store.stats('r'))?.events).toBe(0)
    await publish(probe, 4, 4)
  })

  it('keeps what is within the default limits', async () => {
    const { store, join } = setup({})
    await publish(await join('d'), 1, 50)
    expect(await store.first('r')).toMatchObject({ place: 0 })
  })

  it('a store that cannot trim is reported and tried again, and nobody else hears of it', async () => {
    const store = memoryStore()
    const trim = store.trim.bind(store)
    let failures = 2
    store.trim = async (...args) => {
      if (failures-- > 0) throw new Error('disk full')
      return trim(...args)
    }
    const { errors, join } = setup({ roomEvents: 2 }, store)
    await publish(await join('d'), 1, 10)
    await trimmedTo(store, 8)
    expect(errors).toEqual([new Error('disk full'), new Error('disk full')])
  })
})

/** The cursor at a place of a room that {@link publish} filled. */
function cursorAt(epoch: string, place: number): string {
  return cursorAfter(
    epoch,
    Array.from({ length: place }, (_, i) => `a-${i + 1}`),
  )
}

describe('a device whose cursor was trimmed away', () => {
  it.each([
    ['is told the range, and goes on behind it', 4, 7, false, 'trimmed'],
    ['is missing nothing where it has the newest trimmed event', 7, 7, true, undefined],
    ['goes on at its cursor where that is kept', 8, 8, true, undefined],
  ])('%s', async (_, cursor, from, recovered, reason) => {
    const { store, join } = setup({ roomEvents: 3 })
    const probe = await join('d')
    await publish(probe, 1, 10)
    await trimmedTo(store, 7)
    const { epoch } = (await store.head('r')) ?? { epoch: '' }
    const older = [cursorAt(epoch, 3), startOf(epoch)]
    const { welcome } = await join('sleeper', { cursor: cursorAt(epoch, cursor), older })
    expect(welcome).toMatchObject({
      first: cursorAt(epoch, 7),
      from: cursorAt(epoch, from),
      recovered,
    })
    expect(welcome.reason).toBe(reason)
  })

  it('hears the kept events, each once, and then what comes', async () => {
    const { store, join } = setup({ roomEvents: 3 })
    const probe = await join('d')
    await publish(probe, 1, 10)
    await trimmedTo(store, 7)
    const { epoch } = (await store.head('r')) ?? { epoch: '' }
    const sleeper = await join('sleeper', { cursor: cursorAt(epoch, 4), older: [startOf(epoch)] })
    await publish(probe, 11, 12)
    const { ids } = await sleeper.stream(sleeper.welcome.from, (seen) => seen.includes('a-12'))
    expect(ids).toEqual(['a-8', 'a-9', 'a-10', 'a-11', 'a-12'])
  })

  it.each<[string, From, number]>([
    ['from the start', 'start', 7],
    ['from more than is kept', { last: 100 }, 7],
    ['from what is kept', { last: 2 }, 8],
    ['from a time before all', { time: 0 }, 7],
    ['from now on', 'now', 10],
  ])('a new device that reads %s misses nothing it could have had', async (_, from, place) => {
    const { store, join } = setup({ roomEvents: 3 })
    await publish(await join('d'), 1, 10)
    await trimmedTo(store, 7)
    const { welcome } = await join('new', { from })
    expect(welcome).toMatchObject({ from: cursorAt(welcome.epoch, place), recovered: true })
  })

  it('a connection that was still reading there is closed to ask anew: its stream has no silent hole', async () => {
    const { store, join } = setup({ roomEvents: 3, streamEvents: 1, pauseBytes: 1 })
    const reader = await join('reader')
    reader.socket.bufferedAmount = 10
    const probe = await join('d')
    await publish(probe, 1, 10)
    await trimmedTo(store, 7)
    reader.socket.drain()
    expect(await reader.end()).toMatchObject({ reason: 'slow_reader' })
    const ids = reader.unread.flatMap(({ frame }) =>
      frame.frame === 'stream'
        ? frame.runs.flatMap((run) => ('events' in run ? run.events : []))
        : [],
    )
    expect(ids.map(({ id }) => id)).toEqual(ids.length > 0 ? ['a-1'] : [])
    const again = await join('reader', {
      cursor: ids.length > 0 ? cursorAt(reader.welcome.epoch, 1) : startOf(reader.welcome.epoch),
    })
    expect(again.welcome).toMatchObject({ recovered: false, reason: 'trimmed' })
  })
})

describe('over HTTP', () => {
  it('says where the kept history begins, and that what was asked for is gone', async () => {
    const { relay, store, join } = setup({ roomEvents: 3 })
    await publish(await join('d'), 1, 10)
    await trimmedTo(store, 7)
    const { epoch } = (await store.head('r')) ?? { epoch: '' }
    const at = (place: number): string => cursorAt(epoch, place)
    const get = (path: string): Promise<Response> =>
      Promise.resolve(relay.request(`http://localhost/rooms/r/${path}`))
    const ids = async (query: string): Promise<unknown> => {
      const { events } = (await (await get(`events?${query}`)).json()) as {
        events: { id: string }[]
      }
      return events.map(({ id }) => id)
    }
    expect(await (await get('events?limit=1')).json()).toMatchObject({
      events: [{ id: 'a-8' }],
      first: at(7),
      head: at(10).split('.').slice(0, 3).join('.'),
      next: at(8),
    })
    expect(await ids('since=0')).toEqual(['a-8', 'a-9', 'a-10'])
    expect(await ids(`after=${at(7)}`)).toEqual(['a-8', 'a-9', 'a-10'])
    const gone = await get(`events?after=${at(4)}`)
    expect(gone.status).toBe(410)
    expect(await gone.json()).toEqual({
      error: {
        code: 'not_found',
        message: `what followed this position was trimmed away; go on after ${at(7)}`,
      },
    })
    expect((await get('events/a-4')).status).toBe(404)
    expect((await get('events/a-9')).status).toBe(200)
    expect(await (await get('stats')).json()).toMatchObject({
      events: 3,
      first: at(7),
      head: at(10).split('.').slice(0, 3).join('.'),
    })
  })
})

it('a device that slept while its range was trimmed is told so over a real socket', async () => {
  const store = memoryStore()
  const relay = createRelay({ store, limits: { roomEvents: 100 } })
  const server = await serve(relay, { port: 0 })
  opened.push(server)
  const url = `${server.url.replace('http', 'ws')}/rooms/r/socket`
  const writer = await connectProbe(url)
  await writer.join('writer')
  const sleeper = await connectProbe(url)
  const { from, epoch } = await sleeper.join('sleeper')
  await publish(writer, 1, 5)
  const { position } = await sleeper.stream(from, (ids) => ids.includes('a-5'))
  sleeper.close()
  await publish(writer, 6, 500)
  await trimmedTo(store, 395)
  const awake = await connectProbe(url)
  const welcome = await awake.join('sleeper', { cursor: position, older: [startOf(epoch)] })
  expect(welcome).toMatchObject({ recovered: false, reason: 'trimmed', from: welcome.first })
  const kept = Number(welcome.first.split('.')[1])
  expect(kept).toBeGreaterThanOrEqual(395)
  const { ids } = await awake.stream(welcome.from, (seen) => seen.includes('a-500'))
  expect(ids).toEqual(Array.from({ length: 500 - kept }, (_, i) => `a-${kept + 1 + i}`))
})
