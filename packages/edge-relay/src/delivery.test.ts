import type { EventHeader, Rights, StreamFrame } from '@crosstown/bus/protocol'
import { describe, expect, it } from 'vitest'
import { Delivery, type Member } from './delivery.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { Meter } from './metrics.ts'
import type { RoomRecord } from './record.ts'
import { createRelay } from './relay.ts'
import { memoryStore } from './stores/memory.ts'
import type { Append, Store } from './stores/store.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { headerOf, type Probe, ProbeSocket, publishOf } from './testing/probe.ts'

/** A small random generator with a seed (mulberry32): a failing run can be run again. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const TYPES = ['a', 'b', 'c', 'x.secret']
const TOKENS: Record<string, Rights> = {
  all: { publish: ['*'], subscribe: ['*'] },
  some: { publish: ['a', 'b'], subscribe: ['a', 'c'] },
  none: { publish: ['c'], subscribe: [] },
}

/** A device that keeps what a log would: its cursor, what it read, what it sent and confirmed. */
class Device {
  readonly heard = new Map<number, string>()
  /** Places that were trimmed away before it read them: behind the first, up to the second. */
  readonly lost: (readonly [number, number])[] = []
  readonly id: string
  readonly token: string
  socket: ProbeSocket | undefined
  cursor: string | undefined
  batch = 0
  taken = 0
  sent: { batch: number; prev: number; events: EventHeader[] }[] = []
  #events = 0

  constructor(id: string, token: string) {
    this.id = id
    this.token = token
  }

  async join(socket: ProbeSocket): Promise<void> {
    this.socket = socket
    const extra = this.cursor === undefined ? {} : { cursor: this.cursor }
    const welcome = await socket.probe.join(this.id, { token: this.token, ...extra })
    if (!welcome.recovered) {
      // Of records that it trimmed a room remembers where they ended: a cursor inside of one may as well
      // be of another history, and is told so.
      expect(welcome.reason).toMatch(/^(trimmed|restored)$/)
      expect(welcome.from).toBe(welcome.first)
      this.lost.push([placeOf(this.cursor as string), placeOf(welcome.from)])
    }
    this.cursor = welcome.from
    this.taken = welcome.taken?.batch ?? 0
    for (const { batch, prev, events } of this.sent)
      if (batch > this.taken) this.#send(batch, prev, events)
  }

  publish(random: (below: number) => number): void {
    const prev = this.batch
    this.batch += 1 + random(3)
    const events = Array.from({ length: 1 + random(4) }, () => {
      this.#events += 1
      return headerOf(`${this.id}-${this.#events}`, TYPES[random(TYPES.length)])
    })
    this.sent.push({ batch: this.batch, prev, events })
    if (this.socket) this.#send(this.batch, prev, events)
  }

  /** Takes in what came; every stream frame must begin at the cursor. */
  read(): void {
    const probe = this.socket?.probe as Probe
    for (const { data, frame } of probe.unread.splice(0)) {
      if (frame.frame === 'ack') this.taken = Math.max(this.taken, frame.batch)
      if (frame.frame !== 'stream') continue
      expect(frame.prev).toBe(this.cursor)
      this.cursor = frame.position
      this.#take(frame, data)
    }
  }

  #take(frame: StreamFrame, data: readonly string[]): void {
    let line = 0
    for (const run of frame.runs) {
      const ids =
        'events' in run
          ? run.events.map(({ id }) => {
              expect(data[line++]).toBe(JSON.stringify(id))
              return id
            })
          : run.own.indexes.map((index) => this.#own(run.own.batch, index))
      ids.forEach((id, i) => {
        expect(this.heard.has(run.place + i)).toBe(false)
        this.heard.set(run.place + i, id)
      })
    }
  }

  #own(batch: number, index: number): string {
    return this.sent.find((one) => one.batch === batch)?.events[index]?.id ?? 'unknown'
  }

  #send(batch: number, prev: number, events: EventHeader[]): void {
    const frame = publishOf(batch, prev === 0 ? undefined : prev, events)
    this.socket?.probe.send(
      frame,
      events.map(({ id }) => JSON.stringify(id)),
    )
  }
}

const placeOf = (position: string): number => Number(position.split('.')[1])

/** A store that now and then is slow, fails, or fails after it wrote; `written` gets what it wrote. */
function unreliable(
  store: Store,
  random: (below: number) => number,
  calm: () => boolean,
  written: RoomRecord[],
): Store {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return new Proxy(store, {
    get(target, key) {
      const value = target[key as keyof Store]
      if (typeof value !== 'function') return value
      const call = value.bind(target) as (...args: unknown[]) => Promise<unknown>
      if (key !== 'append' && key !== 'read') return call
      return async (...args: unknown[]) => {
        for (let turns = random(3); turns > 0; turns--) await turn()
        if (key === 'append' && !calm() && random(12) === 0) throw new Error('before the write')
        const result = await call(...args)
        if (key === 'append' && result === true) written.push(...(args[1] as Append).records)
        if (key === 'append' && !calm() && random(12) === 0) throw new Error('after the write')
        return result
      }
    },
  })
}

describe('delivery, over many a random course', () => {
  const courses = Array.from({ length: 18 }, (_, i) => [i + 1, i < 12 ? 1_000_000 : 20] as const)
  it.each(courses)('seed %i, keeping %i events', async (seed, roomEvents) => {
    const random = seeded(seed)
    let calm = false
    const platform = new ManualPlatform()
    const memory = memoryStore()
    const written: RoomRecord[] = []
    const store = unreliable(memory, random, () => calm, written)
    const options = {
      store,
      platform,
      limits: { streamEvents: 5, pauseBytes: 1_000, roomEvents },
      auth: (token?: string) => ({
        subject: token as string,
        rights: TOKENS[token as string] as Rights,
      }),
      onError: () => {},
    }
    const relays = [createRelay(options), createRelay(options)]
    const connect = (): ProbeSocket => {
      const socket = new ProbeSocket()
      return socket.open((relays[random(2)] ?? relays[0])?.accept(socket, { room: 'r' }) as never)
    }
    const devices = ['all', 'all', 'some', 'some', 'none'].map(
      (token, i) => new Device(`d${i}`, token),
    )
    const rejoin = async (device: Device): Promise<void> => {
      // The store may fail under a hello as under anything else: then the device comes again.
      while (!device.socket) {
        const socket = connect()
        await device.join(socket).catch((error: Error) => {
          if (!/closed with/.test(error.message)) throw error
          device.socket = undefined
        })
      }
    }
    const turns = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
    }

    for (let step = 0; step < 150; step++) {
      const device = devices[random(devices.length)] as Device
      const { socket } = device
      if (!socket) await rejoin(device)
      else {
        device.read()
        const choice = random(10)
        if (socket.probe.closed) device.socket = undefined
        else if (choice < 6) device.publish(random)
        else if (choice === 6) {
          socket.drop()
          device.socket = undefined
        } else if (choice === 7) socket.bufferedAmount = 5_000
        else if (choice === 8) socket.drain()
        else platform.advance(random(700))
      }
      await turns(random(4))
    }

    calm = true
    const settled = async (): Promise<boolean> => {
      for (const device of devices) {
        device.socket?.drain()
        device.read()
        // What was rejected is sent again on a new connection, as a device that rewinds would.
        if (device.taken < device.batch || device.socket?.probe.closed) {
          device.socket?.drop()
          device.socket = undefined
          await rejoin(device)
        }
      }
      await turns(30)
      return devices.every(({ batch, taken }) => taken === batch)
    }
    for (const device of devices) await rejoin(device)
    while (!(await settled()));
    // Each relay learns of what the other wrote when it writes itself.
    for (let round = 0; round < 3; round++) {
      for (const device of devices) {
        device.publish(random)
        await turns(30)
      }
      while (!(await settled()));
    }
    platform.advance(2_000)
    await turns(60)
    for (const device of devices) device.read()

    const room = written.flatMap((record) =>
      record.headers.map((header, i) => ({
        place: record.place + i,
        header,
        device: record.device,
      })),
    )
    const ids = room.map(({ header }) => header.id)
    expect(new Set(ids).size).toBe(ids.length)
    const trimmed = (await memory.first('r')).place
    expect(trimmed > 0).toBe(roomEvents < ids.length)
    for (const { heard, id, lost, sent, token } of devices) {
      const may = (type: string, patterns: readonly string[]): boolean =>
        patterns.includes('*') || patterns.includes(type)
      const rights = TOKENS[token] as Rights
      const written = room.filter(({ device }) => device === id).map(({ header }) => header.id)
      const allowed = sent
        .flatMap(({ events }) => events)
        .filter(({ type }) => may(type, rights.publish))
      expect(written).toEqual(allowed.map((header) => header.id))
      const readable = room.filter(
        (one) => one.device === id || may(one.header.type, rights.subscribe),
      )
      const last = Math.max(0, ...heard.keys())
      expect([...heard].sort(([a], [b]) => a - b)).toEqual(
        readable
          .filter(({ place }) => place <= last)
          .filter(({ place }) => !lost.some(([after, to]) => place > after && place <= to))
          .map(({ header, place }) => [place, header.id]),
      )
      expect(readable.filter(({ place }) => place > last).length).toBeLessThan(12)
    }
    await Promise.all(relays.map((relay) => relay.close().catch(() => {})))
  })
})

it('a device that joins takes no longer where many others are: none of them is looked at', () => {
  const platform = new ManualPlatform()
  const delivery = new Delivery({
    room: 'r',
    store: memoryStore(),
    limits: DEFAULT_LIMITS,
    platform,
    meter: new Meter(),
    report: (error) => expect.unreachable(String(error)),
    head: () => ({ epoch: 'e', version: 1, place: 0, check: '0', chain: '', time: 0 }),
    inspection: { tap: undefined },
  })
  const ended: string[] = []
  let looks = 0
  const member = (device: string): Member => ({
    get device() {
      looks += 1
      return device
    },
    name: device,
    reads: delivery.rights(['**'], undefined),
    place: 0,
    position: 'e.0.0',
    live: false,
    closed: false,
    lastSentMs: 0,
    bufferedAmount: 0,
    send() {},
    drained: () => Promise.resolve(),
    tick() {},
    fail: ({ code }) => ended.push(`${device} ${code}`),
  })
  for (let i = 0; i < 100; i++) delivery.attach(member(`d${i}`), 0)
  looks = 0
  delivery.supersede('new')
  delivery.supersede('d7')
  expect(looks).toBe(0)
  expect(ended).toEqual(['d7 stale_term'])
})
