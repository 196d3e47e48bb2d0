import { setImmediate } from 'node:timers/promises'
import * as fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Batch, Entry } from '../batch/batch.ts'
import { BusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { Link } from '../links/link.ts'
import { MemoryLog } from '../log/memory.ts'
import { MemoryRows } from '../log/memory-rows.ts'
import { LogWriter } from '../log/writer.ts'
import type { StreamFrame, Term } from '../protocol/frames.ts'
import { encodePeerFrame } from '../protocol/peer-frames.ts'
import { checkOf, positionOf } from '../protocol/position.ts'
import { EntryMaker, inLogOf } from '../testing/entries.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { Peers } from './peers.ts'

const EPOCH = 'e'

/** A device whose channel does what a test says with each text, for each who would hear it. */
class Device {
  readonly rows: MemoryRows = new MemoryRows(new VirtualPlatform())
  readonly contexts: Context[] = []
  /** What becomes of the next texts; after them, all are delivered. */
  fates: number[] = []
  /** Texts that are late. */
  late: (() => void)[] = []
  term: Term = [0, 'none']
  leader: Context | undefined
  #place = 0
  #cursor = positionOf(EPOCH, 0, '0')
  readonly #counters = new Map<string, number>()

  async open(past = 0): Promise<Context> {
    const context = new Context(this, this.contexts.length + 1)
    await context.attach(past)
    this.contexts.push(context)
    return context
  }

  /** 0: lost. 1: twice. 2: late. Others: at once. */
  send(from: Context, text: string): void {
    for (const to of this.contexts) {
      if (to === from) continue
      const deliver = () => to.peers.receive(text)
      const fate = this.fates.shift() ?? 9
      if (fate === 0) continue
      if (fate === 1) deliver()
      if (fate <= 2) this.late.push(deliver)
      else deliver()
    }
  }

  async lead(leader: Context, liveAfter = 0): Promise<void> {
    this.leader = leader
    leader.lastRoom = undefined
    leader.liveAfter = liveAfter
    this.term = await leader.log.takeTerm('n')
    const { cursor } = (await leader.log.state()).room
    if (cursor === undefined) {
      const welcome = { term: this.term, subject: 'u', reads: '[]', liveAfter }
      await leader.log.welcomed({ ...welcome, cursor: this.#cursor })
    }
  }

  /** A batch of the room: events of other devices, and those own batches that it confirms. */
  async room(publishers: readonly string[], own: readonly number[] = []): Promise<number> {
    const { leader } = this
    if (!leader) throw new Error('nobody leads')
    const runs: StreamFrame['runs'][number][] = []
    let last = ''
    for (const prefix of publishers) {
      const counter = (this.#counters.get(prefix) ?? 0) + 1
      this.#counters.set(prefix, counter)
      const id = prefix === 'h' ? `h-${'x'.repeat(counter)}` : `${prefix}-${counter}`
      const header: EventHeader = { id, type: 'a', source: 'x', time: 1 }
      runs.push({ place: ++this.#place, time: 1, events: [header] })
      last = checkOf(id)
    }
    for (const batch of own) {
      const { headers } = (await leader.log.read(batch, 1))[0] ?? { headers: [] }
      const indexes = headers.map((_, i) => i)
      runs.push({ place: this.#place + 1, time: 1, own: { batch, indexes } })
      this.#place += indexes.length
      last = checkOf(headers.at(-1)?.id ?? '')
    }
    const position = positionOf(EPOCH, this.#place, last)
    const frame: StreamFrame = { frame: 'stream', prev: this.#cursor, position, runs }
    this.#cursor = position
    const data = publishers.map(() => '1')
    const { number, record } = await leader.writer.writeRoom(frame, data, EPOCH, this.term)
    const prev = leader.lastRoom === undefined ? undefined : { prev: leader.lastRoom }
    const { time } = record
    const { liveAfter } = leader
    leader.peers.room({ batch: number, ...prev, time, epoch: EPOCH, liveAfter, runs }, data)
    leader.lastRoom = number
    return number
  }

  /** Everything that is late arrives, time passes, and everybody looks. */
  async settle(): Promise<void> {
    for (const deliver of this.late.splice(0)) deliver()
    await setImmediate()
    for (const { peers } of this.contexts) await peers.look()
  }
}

class Context {
  readonly device: Device
  readonly maker: EntryMaker
  readonly peers: Peers
  readonly log: MemoryLog
  readonly writer: LogWriter
  readonly platform: VirtualPlatform = new VirtualPlatform()
  readonly heard: string[] = []
  readonly past: string[] = []
  readonly confirmed: number[] = []
  readonly told: number[] = []
  readonly reported: BusError[] = []
  readonly link: Link
  lastRoom: number | undefined
  liveAfter = 0

  constructor(device: Device, seed: number) {
    this.device = device
    this.maker = new EntryMaker({ seed })
    this.log = new MemoryLog(this.platform, device.rows)
    this.writer = new LogWriter(this.log, this.platform)
    this.peers = new Peers(this.prefix, this.platform, true, {
      deliver: ({ header }) => this.heard.push(header.id),
      past: ({ header }) => this.past.push(header.id),
      committed: (batch) => this.told.push(batch),
      sawTime() {},
      linked() {},
      confirmed: ({ batch }) => this.confirmed.push(batch),
      changed() {},
      beat() {},
      ledElsewhere() {},
      gap() {},
      joined() {},
      passed() {},
      here() {},
      cast() {},
      report: (error) => this.reported.push(error),
    })
    this.link = {
      send: (text) => device.send(this, text),
      receive() {},
      close() {},
    }
  }

  get prefix(): string {
    return this.maker.composer.prefix
  }

  async attach(past: number, renewed = false): Promise<void> {
    const { logId } = await this.log.state()
    this.peers.attach(this.link, { id: logId, log: this.log, past, renewed })
  }

  /** Own events, as the pipeline's sink handles them; `told` is whether their commit is told. */
  async publish(count = 1, told = true): Promise<number> {
    const entries = this.maker.entries(count)
    const batch: Batch = { entries, persisted: entries, casts: [] }
    const record = this.writer.record(entries)
    const number = await this.writer.write(record, () => this.peers.post(batch, record))
    this.peers.wrote(number)
    if (told) this.peers.postCommitted(inLogOf(batch, number, record))
    return number
  }

  ids(...counters: number[]): string[] {
    return counters.map((counter) => `${this.prefix}-${counter}`)
  }
}

let device: Device
let a: Context
let b: Context

beforeEach(async () => {
  device = new Device()
  a = await device.open()
  b = await device.open()
  await device.lead(a)
})

describe('a batch of another context', () => {
  test('is heard at once where nothing is missing, without a look at the log', async () => {
    const read = b.log.read.bind(b.log)
    let looks = 0
    b.log.read = (...range) => {
      looks += 1
      return read(...range)
    }
    for (let n = 0; n < 3; n++) await a.publish()
    b.platform.advance(1_000)
    await setImmediate()
    expect(b.heard).toEqual(a.ids(1, 2, 3))
    expect(looks).toBe(0)
  })

  test('waits for one that was lost, which is read from the log', async () => {
    device.fates = [0, 0]
    await a.publish()
    await a.publish()
    await setImmediate()
    expect(b.heard).toEqual(a.ids(1, 2))
  })

  test('that overtakes another one waits for it, and is heard once', async () => {
    device.fates = [2, 9, 9, 9]
    await a.publish(2)
    await a.publish()
    await device.settle()
    expect(b.heard).toEqual(a.ids(1, 2, 3))
  })

  test('is heard though its publisher had published before this context was there', async () => {
    await a.publish(3)
    const c = await device.open(1)
    await a.publish()
    await setImmediate()
    expect(c.heard).toEqual(a.ids(4))
  })

  test.each([false, true])(
    'that comes while the log opens again does not hide one that came before, renewed: %s',
    async (renewed) => {
      b.peers.detach()
      device.fates = [0, 0]
      await a.publish()
      await a.publish()
      await b.attach(0, renewed)
      await setImmediate()
      expect(b.heard).toEqual(a.ids(1, 2))
    },
  )

  test('is heard where the one before it was withdrawn, and the word of it lost', async () => {
    await a.publish()
    const entries = a.maker.entries(1)
    const lost: Batch = { entries, persisted: entries, casts: [] }
    device.fates = [0]
    a.peers.post(lost, a.writer.record(entries))
    await a.publish()
    b.platform.advance(50)
    await setImmediate()
    expect(b.heard).toEqual(a.ids(1, 3))
  })

  test('that is withdrawn while it is held back is never heard', async () => {
    const batchOf = (entry: Entry): Batch => ({ entries: [entry], persisted: [entry], casts: [] })
    const [first, second] = [batchOf(a.maker.entry('a')), batchOf(a.maker.entry('a'))]
    device.fates = [0]
    a.peers.post(first, a.writer.record(first.persisted))
    a.peers.post(second, a.writer.record(second.persisted))
    await setImmediate()
    a.peers.postWithdrawn(second, new BusError('quota_exceeded', 'full'))
    await a.publish()
    b.platform.advance(50)
    await setImmediate()
    expect(b.heard).toEqual(a.ids(3))
  })
})

describe('a hole in the numbers of records', () => {
  test('that is still there after 50 ms is read from the log', async () => {
    const c = await device.open()
    // Of a's batch nobody hears anything; c's commit shows that there was one.
    device.fates = [0, 0, 0, 0]
    await a.publish()
    await c.publish()
    expect(b.heard).toEqual(c.ids(1))
    b.platform.advance(49)
    await setImmediate()
    expect(b.heard).toEqual(c.ids(1))
    b.platform.advance(1)
    await setImmediate()
    expect(b.heard).toEqual([...c.ids(1), ...a.ids(1)])
  })

  test('that is filled in time is no reason to look, though there always is another one', async () => {
    let looks = 0
    b.log.read = () => {
      looks += 1
      return Promise.resolve([])
    }
    device.fates = Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? 9 : 2))
    for (let n = 0; n < 30; n++) {
      // The word of a commit comes when the next batch is there already.
      await a.publish()
      await b.publish()
      device.late.shift()?.()
      b.platform.advance(20)
    }
    expect(looks).toBe(0)
  })

  test('is found by the beat of the leader', async () => {
    device.fates = [0, 0]
    await a.publish()
    a.peers.postBeat({ term: 1, head: 1, relay: 'online', pending: 0, bytes: 0, refused: 0 })
    b.platform.advance(50)
    await setImmediate()
    expect(b.heard).toEqual(a.ids(1))
    expect(b.told).toEqual([1])
  })

  test('that nobody can fill is looked at once', async () => {
    a.peers.postBeat({ term: 1, head: 1e9, relay: 'online', pending: 0, bytes: 0, refused: 0 })
    for (let n = 0; n < 5; n++) {
      b.platform.advance(10_000)
      await setImmediate()
    }
    expect(b.platform.timers).toBe(0)
    await a.publish()
    expect(b.heard).toEqual(a.ids(1))
  })
})

describe('a batch of the room', () => {
  test('waits for one that was lost, so that its publishers stay in order', async () => {
    await device.room(['r'])
    device.fates = [0]
    await device.room(['r', 'h'])
    await device.room(['r', 'h'])
    await setImmediate()
    expect(b.heard).toEqual(['r-1', 'r-2', 'h-x', 'r-3', 'h-xx'])
  })

  test('of the next leader waits where the last one died between commit and post', async () => {
    await device.room(['r'])
    device.fates = [0]
    await device.room(['r'])
    await device.lead(b)
    await device.room(['r'])
    b.platform.advance(50)
    await setImmediate()
    expect(b.heard).toEqual(['r-1', 'r-2', 'r-3'])
    expect(a.heard).toEqual(['r-1', 'r-2', 'r-3'])
  })

  test('that is read from the log confirms own batches, once', async () => {
    const own = await b.publish(2)
    device.fates = [0]
    await device.room([], [own])
    await b.peers.look()
    await b.peers.look()
    expect(b.confirmed).toEqual([own])
  })

  test('that is read from the log tells past from live', async () => {
    device = new Device()
    const leader = await device.open()
    const other = await device.open()
    await device.lead(leader, 1)
    device.fates = [0]
    await device.room(['r', 'r'])
    await other.peers.look()
    expect(other.past).toEqual(['r-1'])
    expect(other.heard).toEqual(['r-2'])
  })
})

test('a log that cannot be read is reported, and read again', async () => {
  const read = b.log.read.bind(b.log)
  b.log.read = () => Promise.reject(new Error('no'))
  device.fates = [0, 0]
  await a.publish()
  await a.publish()
  await setImmediate()
  expect(b.reported).toMatchObject([{ code: 'log_failed' }])
  b.log.read = read
  b.platform.advance(10_000)
  await setImmediate()
  expect(b.heard).toEqual(a.ids(1, 2))
})

test('a log that came in place of another is news from its start', async () => {
  await a.publish()
  b.peers.detach()
  device.rows.clear()
  const next = new MemoryLog(b.platform, device.rows)
  const { logId } = await next.state()
  await next.append(a.writer.record(a.maker.entries(1)))
  b.peers.attach(b.link, { id: logId, log: next, past: 0, renewed: true })
  await setImmediate()
  expect(b.heard).toEqual(a.ids(1, 2))
})

test('what was past in a log is heard where it is news in the next one', async () => {
  device = new Device()
  const leader = await device.open()
  const other = await device.open()
  await device.lead(leader, 1)
  await device.room(['r'])
  expect([other.past, other.heard]).toEqual([['r-1'], []])
  other.peers.detach()
  const next = new MemoryLog(other.platform, new MemoryRows(other.platform))
  const { logId } = await next.state()
  other.peers.attach(other.link, { id: logId, log: next, past: 0, renewed: true })
  const events: EventHeader[] = [{ id: 'r-1', type: 'a', source: 'x', time: 1 }]
  const runs = [{ place: 1, time: 1, events }]
  const frame = {
    frame: 'room',
    log: logId,
    batch: 1,
    time: 1,
    epoch: 'f',
    liveAfter: 0,
    runs,
  } as const
  for (let n = 0; n < 2; n++) other.peers.receive(encodePeerFrame(frame, ['1']))
  expect(other.heard).toEqual(['r-1'])
})

test('what a room brings into the next log is past, though later events of its publisher were heard', async () => {
  await a.publish(3)
  await setImmediate()
  expect(b.heard).toEqual(a.ids(1, 2, 3))
  b.peers.detach()
  const next = new MemoryLog(b.platform, new MemoryRows(b.platform))
  const { logId } = await next.state()
  b.peers.attach(b.link, { id: logId, log: next, past: 0, renewed: true })
  const ids = [...a.ids(1, 2), ...b.ids(1)]
  const events: EventHeader[] = ids.map((id) => ({ id, type: 'a', source: 'x', time: 1 }))
  const runs = [{ place: 1, time: 1, events }]
  const frame = {
    frame: 'room',
    log: logId,
    batch: 1,
    time: 1,
    epoch: 'f',
    liveAfter: 3,
    runs,
  } as const
  for (let n = 0; n < 2; n++) b.peers.receive(encodePeerFrame(frame, ['1', '2', '3']))
  expect(b.past).toEqual(ids)
  expect(b.heard).toEqual(a.ids(1, 2, 3))
})

type Step =
  | { do: 'publish'; who: number; count: number }
  | { do: 'room'; from: string[]; own: boolean }
  | { do: 'lead'; who: number }
  | { do: 'open' }
  | { do: 'arrive'; which: number }
  | { do: 'pass'; ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('publish'),
      who: fc.nat(4),
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('room'),
      from: fc.array(fc.constantFrom('r', 's', 'h'), { minLength: 1, maxLength: 3 }),
      own: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lead'), who: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('open') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('arrive'), which: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(1, 50, 5_000) }),
  },
) as fc.Arbitrary<Step>

test('whatever the channel loses, doubles and delays, every context hears every event once, each publisher in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.array(fc.nat(5), { maxLength: 120 }),
      async (steps, fates) => {
        const device = new Device()
        for (let n = 0; n < 3; n++) await device.open()
        const at = (n: number) => device.contexts[n % device.contexts.length] as Context
        await device.lead(at(0))
        device.fates = fates
        const opened = new Map<Context, number>()
        const own: number[] = []
        for (const next of steps) {
          if (next.do === 'publish') own.push(await at(next.who).publish(next.count))
          else if (next.do === 'room') await device.room(next.from, next.own ? own.splice(0) : [])
          else if (next.do === 'lead') await device.lead(at(next.who))
          else if (next.do === 'open') {
            const head = device.rows.last
            opened.set(await device.open(head), head)
          } else if (next.do === 'arrive') {
            device.late.splice(next.which % Math.max(1, device.late.length), 1)[0]?.()
          } else for (const { platform } of device.contexts) platform.advance(next.ms)
          // Half of the time, what was begun has not ended yet.
          if (fates.length % 2 === 0) await setImmediate()
        }
        await device.settle()
        const records = await at(0).log.read(1, 10_000)
        for (const context of device.contexts) {
          const base = opened.get(context) ?? 0
          const owed = records
            .filter(({ batch }) => batch > base)
            .flatMap(({ headers }) => headers.map(({ id }) => id))
            .filter((id) => !id.startsWith(`${context.prefix}-`))
          expect([...context.heard].filter((id) => owed.includes(id)).sort()).toEqual(owed.sort())
          expect(new Set(context.heard).size).toBe(context.heard.length)
          const counters = new Map<string, number>()
          for (const id of context.heard) {
            const [prefix, counter] = id.split('-') as [string, string]
            const order = prefix === 'h' ? counter.length : Number(counter)
            expect(order).toBeGreaterThan(counters.get(prefix) ?? 0)
            counters.set(prefix, order)
          }
          expect(new Set(context.confirmed).size).toBe(context.confirmed.length)
          expect(context.reported).toEqual([])
        }
      },
    ),
  )
})
