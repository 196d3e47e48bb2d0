import { setImmediate } from 'node:timers/promises'
import * as fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { BusError, isBusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { Encoded, OwnBatch } from '../log/log.ts'
import { MemoryLog } from '../log/memory.ts'
import { MemoryRows } from '../log/memory-rows.ts'
import { LogWriter } from '../log/writer.ts'
import type { Run } from '../protocol/frames.ts'
import type { LinkFrame } from '../protocol/link-frames.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { Submitter } from './guest.ts'
import { LogHost } from './host.ts'
import type { Keeper, Way } from './sync.ts'

/** A log that refuses to write, or writes and loses the connection, while a test says so. */
class Trouble extends MemoryLog {
  full = false
  lossy = false
  override async append(batch: OwnBatch, begun?: () => void): Promise<number> {
    if (this.full) {
      begun?.()
      throw new BusError('quota_exceeded', 'full')
    }
    const number = await super.append(batch, begun)
    if (this.lossy) throw new BusError('log_lost', 'lost')
    return number
  }
}

interface Message {
  readonly to: 'guest' | 'hosts'
  readonly from: Way | undefined
  readonly frame: LinkFrame
  readonly data: readonly string[]
}

interface HostEntry {
  readonly name: string
  readonly log: Trouble
  up: boolean
  readonly host: LogHost
  readonly keeper: Keeper
  readonly way: Way
}

/** A guest and contexts that keep one log, with a network between them that a test moves by hand. */
class World {
  readonly platform = new VirtualPlatform()
  readonly #rows = new MemoryRows(new VirtualPlatform({ seed: 9 }))
  readonly messages: Message[] = []
  readonly told: string[] = []
  readonly hosts: HostEntry[] = []
  readonly guest: Submitter
  readonly outcomes = new Map<string, string>()
  outboxFull = false
  /** Own batches up to this one are in the room. */
  confirmed = 0
  #counter = 0

  constructor() {
    const toHosts: Way = {
      send: (frame, data = []) => this.messages.push({ to: 'hosts', from: undefined, frame, data }),
    }
    this.guest = new Submitter({
      prefix: 'g',
      platform: this.platform,
      seek: () => toHosts.send({ frame: 'seek', log: 'none' }),
      alone: () => false,
      silent: () => {},
    })
    for (const name of ['a', 'b']) this.#addHost(name, toHosts)
  }

  #addHost(name: string, toHosts: Way): void {
    const log = new Trouble(this.platform, this.#rows)
    const writer = new LogWriter(log, this.platform)
    // What the guest answers goes to all of them: they are on one link.
    const way: Way = {
      send: (frame, data = []) => this.messages.push({ to: 'guest', from: toHosts, frame, data }),
    }
    const entry: HostEntry = {
      name,
      log,
      way,
      up: true,
      keeper: { log, writer, id: this.#rows.logId },
      host: new LogHost({
        platform: this.platform,
        prefix: name,
        keeper: () => (entry.up ? entry.keeper : undefined),
        tell: (text) => this.told.push(text),
        outboxFull: () => this.outboxFull,
        confirmed: () => this.confirmed,
      }),
    }
    this.hosts.push(entry)
  }

  publish(count: number): void {
    const entries: Encoded[] = Array.from({ length: count }, () => {
      const event: EventHeader = { id: `g-${++this.#counter}`, type: 'a', source: 'x', time: 1 }
      return { event, headerText: JSON.stringify(event), dataText: '1' }
    })
    const ids = entries.map(({ event }) => event.id)
    const settle = (outcome: string): void => {
      for (const id of ids) this.outcomes.set(id, outcome)
    }
    settle('pending')
    this.guest.submit(entries).then(
      () => settle('taken'),
      (error: unknown) => settle(isBusError(error) ? error.code : String(error)),
    )
  }

  /** Delivers a message, and keeps it where it is to come again. */
  async deliver(at: number, again = false): Promise<void> {
    const [message] = again ? [this.messages[at]] : this.messages.splice(at, 1)
    if (!message) return
    const { frame, data, from } = message
    if (message.to === 'guest' && from) {
      if (frame.frame === 'host') this.guest.hosted(frame, from)
      else if (frame.frame === 'taken') this.guest.taken(frame)
      else if (frame.frame === 'declined') this.guest.declined(frame)
    } else {
      for (const { up, host, way, name } of this.hosts) {
        if (!up) continue
        const log = this.#rows.logId
        if (frame.frame === 'seek') way.send({ frame: 'host', log, prefix: name })
        else if (frame.frame === 'submit') host.submitted(frame, data, way)
      }
    }
    await setImmediate()
  }

  /** Everything works again, but for some, and time passes until nothing is left to do. */
  async heal(but: readonly string[] = []): Promise<void> {
    for (const host of this.hosts) {
      if (but.includes(host.name)) continue
      host.up = true
      host.log.full = host.log.lossy = false
    }
    for (let seconds = 0; seconds < 200 && [...this.outcomes.values()].includes('pending'); ) {
      while (this.messages.length > 0) await this.deliver(0)
      this.platform.advance(1_000)
      seconds += 1
    }
    while (this.messages.length > 0) await this.deliver(0)
  }

  /** The room's stream brings a run. */
  async place(run: Run): Promise<void> {
    const { log, writer } = (this.hosts[0] as HostEntry).keeper
    const term = await log.takeTerm('nonce')
    await log.welcomed({ term, cursor: 'e.0.0', liveAfter: 0, subject: 's', reads: '' })
    await writer.writeRoom({ prev: 'e.0.0', position: 'e.9.x', runs: [run] }, [], 'e', term)
  }

  async inLog(): Promise<string[]> {
    const records = await (this.hosts[0] as HostEntry).log.read(0, 10_000)
    return records.flatMap(({ headers }) => headers.map(({ id }) => id))
  }
}

let world: World
beforeEach(() => {
  world = new World()
})
const [a, b] = [
  () => world.hosts[0] as (typeof world.hosts)[0],
  () => world.hosts[1] as (typeof world.hosts)[0],
]

describe('what a guest publishes', () => {
  test('is in the log, in order, and told to the others as a batch of the device', async () => {
    world.publish(2)
    world.publish(1)
    await world.heal()
    expect(await world.inLog()).toEqual(['g-1', 'g-2', 'g-3'])
    expect([...world.outcomes.values()]).toEqual(['taken', 'taken', 'taken'])
    const told = world.told.map((text) => JSON.parse(text.split('\n')[0] as string))
    expect(told.map(({ frame, prefix, prev, batch }) => [frame, prefix, prev ?? batch])).toEqual([
      ['batch', 'g', 0],
      ['committed', 'g', 1],
      ['batch', 'g', 2],
      ['committed', 'g', 2],
    ])
  })

  test('is once in the log, though the answer was lost and it was submitted again', async () => {
    world.publish(1)
    await world.deliver(0) // seek
    await world.deliver(0) // host
    await world.deliver(world.messages.findIndex(({ frame }) => frame.frame === 'submit'))
    expect(await world.inLog()).toEqual(['g-1'])
    world.messages.length = 0
    await world.heal()
    expect(await world.inLog()).toEqual(['g-1'])
    expect(world.outcomes.get('g-1')).toBe('taken')
  })

  test('is looked up by the next host where the first one is gone with its answer', async () => {
    b().up = false
    world.publish(1)
    while (world.messages.length > 0 && (await world.inLog()).length === 0) await world.deliver(0)
    world.messages.length = 0
    a().up = false
    b().up = true
    for (let i = 0; i < 10; i++) {
      world.platform.advance(1_000)
      while (world.messages.length > 0) await world.deliver(0)
    }
    expect(world.outcomes.get('g-1')).toBe('taken')
    expect(await world.inLog()).toEqual(['g-1'])
  })

  test('is once in the log, though the connection to it was lost in the commit', async () => {
    for (const { log } of world.hosts) log.lossy = true
    world.publish(1)
    for (let i = 0; i < 5; i++) await world.deliver(0)
    expect(world.outcomes.get('g-1')).toBe('pending')
    await world.heal()
    expect(world.outcomes.get('g-1')).toBe('taken')
    expect(await world.inLog()).toEqual(['g-1'])
  })

  test('is rejected with what the log says, and stays out of it', async () => {
    a().log.full = true
    world.publish(1)
    await world.deliver(0)
    await world.deliver(0)
    const submit = world.messages.findIndex(({ frame }) => frame.frame === 'submit')
    await world.deliver(submit, true)
    // The same once more, from before the guest heard: there is room by now.
    a().log.full = false
    await world.deliver(submit)
    await world.heal()
    expect(world.outcomes.get('g-1')).toBe('quota_exceeded')
    expect(await world.inLog()).toEqual([])
    expect(world.told.at(-1)).toContain('"frame":"withdrawn"')
    world.publish(1)
    await world.heal()
    expect(await world.inLog()).toEqual(['g-2'])
  })

  test.each<Partial<EventHeader>>([
    { stream: 's', revision: 99 },
    { stream: 's', expected: 'none' },
  ])('is declined where it says what only a log can say: %j', async (said) => {
    const events: EventHeader[] = [{ id: 'g-1', type: 'a', source: 'x', time: 1, ...said }]
    const of = a().keeper.id
    const frame = { frame: 'submit', log: 'none', to: 'a', of, prefix: 'g', events } as const
    a().host.submitted(frame, ['1'], a().way)
    await setImmediate()
    expect(await world.inLog()).toEqual([])
    expect(world.messages.at(-1)?.frame).toMatchObject({ frame: 'declined', code: 'bad_frame' })
  })

  test('stays out of the log once it was declined, also when an earlier one comes again after it', async () => {
    a().log.full = true
    b().up = false
    for (let n = 1; n <= 2; n++) {
      world.publish(1)
      await world.heal(['a', 'b'])
    }
    expect([...world.outcomes.values()]).toEqual(['quota_exceeded', 'quota_exceeded'])
    const again = async (id: string): Promise<void> => {
      const events: EventHeader[] = [{ id, type: 'a', source: 'x', time: 1 }]
      const of = a().keeper.id
      const frame = { frame: 'submit', log: 'none', to: 'a', of, prefix: 'g', events } as const
      a().host.submitted(frame, ['1'], a().way)
      await setImmediate()
    }
    await again('g-1')
    a().log.full = false
    await again('g-2')
    expect(await world.inLog()).toEqual([])
  })

  test('is rejected where what waits for the relay fills the log, unless it is there already', async () => {
    world.publish(1)
    await world.heal()
    world.outboxFull = true
    world.publish(1)
    await world.heal()
    expect([...world.outcomes.values()]).toEqual(['taken', 'outbox_full'])
    const host = a()
    const events: EventHeader[] = [{ id: 'g-1', type: 'a', source: 'x', time: 1 }]
    const of = host.keeper.id
    const again = { frame: 'submit', log: 'none', to: 'a', of, prefix: 'g', events } as const
    host.host.submitted(again, ['1'], host.way)
    await setImmediate()
    expect(world.messages.at(-1)?.frame).toMatchObject({ frame: 'taken', last: 1, batch: 1 })
  })

  test('is in no other log than the one that it was submitted for', async () => {
    const events: EventHeader[] = [{ id: 'g-1', type: 'a', source: 'x', time: 1 }]
    const late = {
      frame: 'submit',
      log: 'none',
      to: 'a',
      of: 'cleared',
      prefix: 'g',
      events,
    } as const
    a().host.submitted(late, ['1'], a().way)
    await setImmediate()
    expect(await world.inLog()).toEqual([])
    expect(world.messages).toEqual([])
  })

  test('is rejected where ids are not its own', async () => {
    const host = a()
    const events: EventHeader[] = [{ id: 'other-1', type: 'a', source: 'x', time: 1 }]
    host.host.submitted(
      { frame: 'submit', log: 'none', to: 'a', of: host.keeper.id, prefix: 'g', events },
      ['1'],
      host.way,
    )
    await setImmediate()
    expect(world.messages.at(-1)?.frame).toMatchObject({ frame: 'declined', code: 'bad_frame' })
    expect(await world.inLog()).toEqual([])
  })
})

describe('a host that is asked where the room has what it keeps', () => {
  /** What it answers: batch, parts, and whether that is all. */
  async function answers(batches: readonly number[], of = a().keeper.id): Promise<unknown[]> {
    world.messages.length = 0
    a().host.asked({ frame: 'where', log: 'none', of, batches }, a().way)
    await setImmediate()
    return world.messages.map(({ frame }) => {
      if (frame.frame !== 'placed') throw new Error(`not placed: ${frame.frame}`)
      return [frame.batch, frame.parts.map(({ place, indexes }) => [place, indexes]), frame.whole]
    })
  }

  test('says it of what the room has, and nothing of what waits for it', async () => {
    world.publish(2)
    world.publish(1)
    await world.heal()
    expect(await answers([1, 2])).toEqual([])
    await world.place({ place: 5, own: { batch: 1, indexes: [0, 1] }, time: 1 })
    expect(await answers([1, 2])).toEqual([[1, [[5, [0, 1]]], undefined]])
    expect(await answers([1], 'another')).toEqual([])
  })

  test('says so where nobody can say where, as of what is gone from its log', async () => {
    world.publish(1)
    world.publish(1)
    await world.heal()
    world.confirmed = 1
    expect(await answers([1, 2, 9])).toEqual([
      [1, [], true],
      [9, [], true],
    ])
  })
})

test('whatever the network does, each event is in the log once at most, and no promise lies', async () => {
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('publish' as const),
        n: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('deliver' as const), n: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('again' as const), n: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), n: fc.nat(5) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('pass' as const),
        n: fc.integer({ min: 100, max: 9_000 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom('up', 'full', 'lossy'), n: fc.nat(1) }),
    },
  )
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 20, maxLength: 200, size: 'max' }),
    async (steps) => {
      world = new World()
      for (const { do: what, n } of steps) {
        const host = world.hosts[n % 2] as HostEntry
        if (what === 'publish') world.publish(n)
        else if (what === 'deliver') await world.deliver(n % Math.max(1, world.messages.length))
        else if (what === 'again') await world.deliver(n % Math.max(1, world.messages.length), true)
        else if (what === 'drop') world.messages.splice(n % Math.max(1, world.messages.length), 1)
        else if (what === 'pass') world.platform.advance(n)
        else if (what === 'up') host.up = !host.up
        else if (what === 'full') host.log.full = !host.log.full
        else host.log.lossy = !host.log.lossy
      }
      await world.heal()
      const log = await world.inLog()
      expect(new Set(log).size).toBe(log.length)
      const counters = log.map((id) => Number(id.split('-')[1]))
      expect(counters).toEqual(counters.toSorted((x, y) => x - y))
      for (const [id, outcome] of world.outcomes) {
        expect(['taken', 'unavailable', 'quota_exceeded', 'log_failed']).toContain(outcome)
        if (outcome === 'taken') expect(log).toContain(id)
        else if (outcome !== 'unavailable') expect(log).not.toContain(id)
      }
      world.guest.close()
      expect(world.platform.timers).toBe(0)
    },
  )
  await fc.assert(property, { numRuns: 1_000 })
}, 60_000)
