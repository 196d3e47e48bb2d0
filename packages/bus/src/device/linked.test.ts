import { setImmediate } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { BusError, isBusError } from '../errors.ts'
import type { Link, LinkSource } from '../links/link.ts'
import { memoryLink } from '../links/memory.ts'
import { portLink } from '../links/port.ts'
import type { LogSource, OwnBatch } from '../log/log.ts'
import { MemoryLog } from '../log/memory.ts'
import { MemoryRows } from '../log/memory-rows.ts'
import type { AnyBusOptions } from '../options.ts'
import type { ContextKind } from '../platform.ts'
import type { OwnRun } from '../protocol/frames.ts'
import type { LinkFrame } from '../protocol/link-frames.ts'
import { encodePeerFrame } from '../protocol/peer-frames.ts'
import type { RelaySource, SessionStart } from '../sync/sync.ts'
import { hostileTexts } from '../testing/hostile.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { createBusOn } from '../testing/whole-bus.ts'
import type { Bus } from '../types.ts'

type Any = Bus<Record<string, unknown>>

/** A log that several contexts open, refuses to open, or to write, while a test says so. */
class Disk implements LogSource {
  readonly kind = 'memory'
  readonly required = false
  readonly available = () => true
  readonly #rows: MemoryRows
  readonly #platform: VirtualPlatform
  broken = false
  full = false

  constructor(seed: number) {
    this.#platform = new VirtualPlatform({ seed })
    this.#rows = new MemoryRows(this.#platform)
  }

  create(): MemoryLog {
    const { broken } = this
    const isFull = (): boolean => this.full
    return new (class extends MemoryLog {
      override async open() {
        if (broken) throw new BusError('log_unavailable', 'broken')
        return super.open()
      }
      override async append(batch: OwnBatch, begun?: () => void) {
        if (!isFull()) return super.append(batch, begun)
        begun?.()
        throw new BusError('quota_exceeded', 'full')
      }
    })(this.#platform, this.#rows)
  }

  /** Ids and types in the log, in its order. */
  async content(): Promise<{ id: string; type: string }[]> {
    const log = new MemoryLog(this.#platform, this.#rows)
    const records = await log.read(0, 10_000)
    return records.flatMap(({ headers }) => headers.map(({ id, type }) => ({ id, type })))
  }
}

/** The relay as a test plays it, to whoever leads. */
class Room {
  session!: SessionStart
  #cursor = 'e.0.0'

  relay(): RelaySource {
    return {
      room: 'room',
      from: 'start',
      types: undefined,
      token: async () => undefined,
      connect: () => {
        throw new Error('not used')
      },
      session: (session) => ({
        start: () => {
          this.session = session
        },
        async stop() {},
        outboxGrew() {},
        inspect() {},
        member() {},
        cast() {},
        presence() {},
        ask: () => false,
        ping: () => false,
      }),
    }
  }

  /** The stream brings a run of own events. */
  async place(run: OwnRun): Promise<void> {
    const { events, log, term, writer } = this.session
    const prev = this.#cursor
    if (prev === 'e.0.0') {
      await log.welcomed({ term, cursor: prev, liveAfter: 0, subject: 's', reads: '' })
    }
    this.#cursor = `e.${run.place}.x`
    const frame = { prev, position: this.#cursor, runs: [run] }
    const { number, record } = await writer.writeRoom(frame, [], 'e', term)
    events.committed(number, record, [run], [], 0)
  }
}

const opened: Any[] = []
const clock = new VirtualPlatform()
let seeds = 100
afterEach(async () => {
  await Promise.all(opened.splice(0).map((bus) => bus.close({ timeout: 0 })))
})

interface Peer {
  readonly platform: VirtualPlatform
  readonly bus: Any
  /** What its handlers heard: data, and from where. */
  readonly heard: [unknown, string][]
  readonly reported: BusError[]
}

function peer(options: Partial<AnyBusOptions>, kind: ContextKind = 'node'): Peer {
  const platform = Object.assign(new VirtualPlatform({ seed: ++seeds, kind }), {
    timer: (ms: number, run: () => void) => clock.timer(ms, run),
    monotonic: () => clock.monotonic(),
  })
  const reported: BusError[] = []
  const onError = (error: BusError): void => void reported.push(error)
  const bus = createBusOn({ name: 'shop', tabs: false, onError, ...options }, platform)
  const heard: [unknown, string][] = []
  bus.subscribe('**', (event, { origin }) => heard.push([event.data, origin]))
  opened.push(bus)
  return { platform, bus, heard, reported }
}

/** A link that loses texts as a test says. */
function lossyLink(loses: (text: string) => boolean): LinkSource {
  const source = memoryLink()
  return {
    open(channel, platform) {
      const link = source.open(channel, platform) as Link
      return {
        send: (text) => loses(text) || link.send(text),
        receive: (receiver) => link.receive(receiver),
        close: () => link.close(),
      }
    },
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await setImmediate()
}

/** Lets time pass, in steps in which messages arrive. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    clock.advance(Math.min(250, left))
    await settle()
  }
}

const data = ({ heard }: Peer): unknown[] => heard.map(([value]) => value)

describe('linked buses', () => {
  test('hear what the other publishes, and what it hears of its tabs, once and in order', async () => {
    const [link, tabs, disk] = [memoryLink(), memoryLink(), new Disk(1)]
    const shop = peer({ log: disk, tabs, links: [link] })
    const tab = peer({ log: disk, tabs })
    const widget = peer({ log: new Disk(2), links: [link] })
    await settle()
    for (let n = 0; n < 10; n++) {
      await shop.bus.publish('said', `shop ${n}`)
      await tab.bus.publish('said', `tab ${n}`)
      await widget.bus.publish('said', `widget ${n}`)
      await shop.bus.publish('said', `cast ${n}`, { persist: false })
    }
    await settle()
    for (const one of [shop, tab, widget]) {
      for (const from of ['shop', 'tab', 'widget', 'cast']) {
        const theirs = data(one).filter((value) => String(value).startsWith(from))
        expect(theirs).toEqual(Array.from({ length: 10 }, (_, n) => `${from} ${n}`))
      }
      expect(one.reported).toEqual([])
    }
    expect(widget.heard.filter(([, origin]) => origin === 'room')).toHaveLength(30)
    expect(tab.heard.find(([value]) => value === 'widget 0')).toEqual(['widget 0', 'room'])
    // What is heard over a link is another device's: it is in that one's log.
    expect(await disk.content()).toHaveLength(20)
  })

  test('in a ring hear everything once', async () => {
    const links = [memoryLink(), memoryLink(), memoryLink()]
    const peers = links.map((link, i) =>
      peer({ log: new Disk(10 + i), links: [link, links[(i + 1) % 3] as LinkSource] }),
    )
    await settle()
    for (const { bus } of peers) {
      for (let n = 0; n < 5; n++) {
        await bus.publish('said', n)
        await bus.publish('said', n, { persist: false })
      }
    }
    await settle()
    for (const one of peers) expect(data(one)).toHaveLength(30)
  })

  test('keep to themselves what is for the device or the context only', async () => {
    const link = memoryLink()
    const shop = peer({ log: new Disk(20), links: [link] })
    const widget = peer({ log: new Disk(21), links: [link] })
    await settle()
    await shop.bus.publish('said', 'device', { scope: 'device' })
    await shop.bus.publish('said', 'context', { scope: 'context' })
    await shop.bus.publish('said', 'room')
    await settle()
    expect(data(widget)).toEqual(['room'])
  })

  test('go on where a link of a user throws, whatever it throws at', async () => {
    const link = memoryLink()
    const thrower = (method: keyof Link): Link => ({
      send: () => {},
      receive: () => {},
      close: () => {},
      [method]: () => {
        throw new Error(`no ${method}`)
      },
    })
    const links = [thrower('send'), thrower('receive'), thrower('close'), link]
    const shop = peer({ log: new Disk(30), links })
    const widget = peer({ log: new Disk(31), links: [link] })
    await settle()
    await shop.bus.publish('said', 1)
    await settle()
    expect(data(widget)).toEqual([1])
    await shop.bus.close()
    const causes = new Set(shop.reported.map(({ cause }) => (cause as Error).message))
    expect(causes).toEqual(new Set(['no send', 'no receive', 'no close']))
    expect(new Set(shop.reported.map(({ code }) => code))).toEqual(new Set(['unavailable']))
  })

  test('are not disturbed by texts that do not belong on a link', async () => {
    const link = memoryLink()
    const shop = peer({ log: new Disk(40), links: [link] })
    const widget = peer({ log: new Disk(41), links: [link] })
    await settle()
    const stranger = link.open('crosstown:shop', clock) as Link
    for (const text of ['', '{}', '{"frame":"beat"}', '{"frame":"join","log":"x"}']) {
      stranger.send(text)
    }
    await settle()
    expect(shop.reported.map(({ code }) => code)).toEqual(Array(4).fill('bad_frame'))
    await shop.bus.publish('said', 1)
    await settle()
    expect(data(widget)).toEqual([1])
  })

  test('refuse by name whatever a stranger says over a link, and go on', async () => {
    const [link, disk] = [memoryLink(), new Disk(45)]
    const shop = peer({ log: disk, links: [link] })
    const widget = peer({ log: new Disk(46), links: [link] })
    const guest = peer({ log: false, links: [link] })
    await settle()
    const stranger = link.open('crosstown:shop', clock) as Link
    const header = { id: 'foreign-1', type: 'foreign', source: 'x', time: 1 }
    const frames: [LinkFrame, string[]][] = [
      [{ frame: 'seek', log: 'none' }, []],
      [{ frame: 'host', log: 'foreign', prefix: 'foreign' }, []],
      [{ frame: 'heard', log: 'none', cast: true, events: [header, header] }, ['1', '[']],
      [
        {
          frame: 'submit',
          log: 'none',
          to: 'foreign',
          of: 'x',
          prefix: 'foreign',
          events: [header],
        },
        ['1'],
      ],
      [{ frame: 'taken', log: 'foreign', prefix: 'foreign', last: 1, batch: 1 }, []],
      [{ frame: 'declined', log: 'x', by: 'x', prefix: 'foreign', last: 1, code: 'closed' }, []],
      [{ frame: 'where', log: 'none', of: 'x', batches: [1] }, []],
      [{ frame: 'placed', log: 'x', batch: 1, parts: [], whole: true }, []],
    ]
    const texts = hostileTexts(frames.map(([frame, data]) => ({ frame, data })))
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        stranger.send(text)
        await Promise.resolve()
        for (const { reported } of [shop, widget, guest]) {
          expect(reported.splice(0).filter((error) => !isBusError(error))).toEqual([])
        }
      }),
      { numRuns: 10_000 },
    )
    await settle()
    for (const { heard } of [shop, widget, guest]) heard.length = 0
    await shop.bus.publish('said', 1)
    await guest.bus.publish('said', 2)
    await settle()
    for (const one of [shop, widget, guest]) {
      const ours = one.heard.filter(([value]) => value === 1 || value === 2)
      expect(ours.map(([value]) => value)).toEqual([1, 2])
    }
    expect((await disk.content()).map(({ type }) => type)).toEqual(['said', 'said'])
  }, 60_000)

  test('speak over a port', async () => {
    const { port1, port2 } = new MessageChannel()
    const shop = peer({ log: new Disk(50), links: [portLink(port1)] })
    const widget = peer({ log: false, links: [portLink(port2)] })
    const heard = widget.bus.once('said')
    await settle()
    await shop.bus.publish('said', 1)
    expect((await heard).data).toBe(1)
  })
})

describe('a bus without a log', () => {
  test('has what it publishes in the log of the other, under its own ids, heard by all', async () => {
    const [link, tabs, disk] = [memoryLink(), memoryLink(), new Disk(60)]
    const shop = peer({ log: disk, tabs, links: [link] })
    const tab = peer({ log: disk, tabs })
    const guest = peer({ log: false, links: [link] })
    await settle()
    const events = await Promise.all([1, 2, 3].map((n) => guest.bus.publish('said', n)))
    events.push(await guest.bus.publish('said', 4, { scope: 'device' }))
    await settle()
    expect(await disk.content()).toEqual(events.map(({ id, type }) => ({ id, type })))
    for (const one of [shop, tab, guest]) expect(data(one)).toEqual([1, 2, 3, 4])
    expect(shop.heard.map(([, origin]) => origin)).toEqual(Array(4).fill('device'))
    for (const event of events) {
      expect((await shop.bus.get(event.id))?.offset).toBe(event.offset)
    }
  })

  test('hears the device as one of its contexts', async () => {
    const link = memoryLink()
    const shop = peer({ log: new Disk(61), links: [link] })
    const guest = peer({ log: false, links: [link] })
    await settle()
    await shop.bus.publish('said', 1, { scope: 'device' })
    await settle()
    expect(guest.heard).toEqual([[1, 'device']])
  })

  test('waits for one that is not there yet', async () => {
    const [link, disk] = [memoryLink(), new Disk(62)]
    const guest = peer({ log: false, links: [link] })
    const published = guest.bus.publish('said', 1)
    await pass(5_000)
    expect(await disk.content()).toEqual([])
    const shop = peer({ log: disk, links: [link] })
    await pass(1_000)
    const { id } = await published
    expect(await disk.content()).toEqual([{ id, type: 'said' }])
    expect(data(shop)).toEqual([1])
  })

  test('hears itself while its host is silent, and hands over in order what was said meanwhile', async () => {
    const [link, disk] = [memoryLink(), new Disk(65)]
    const guest = peer({ log: false, links: [link] })
    const published = [guest.bus.publish('said', 1)]
    await settle()
    published.push(guest.bus.publish('said', 2))
    await pass(1_500)
    expect(data(guest)).toEqual([1, 2])
    published.push(guest.bus.publish('said', 3))
    await settle()
    expect(data(guest)).toEqual([1, 2, 3])
    peer({ log: disk, links: [link] })
    await pass(1_000)
    const events = await Promise.all(published)
    expect((await disk.content()).map(({ id }) => id)).toEqual(events.map(({ id }) => id))
    expect(data(guest)).toEqual([1, 2, 3])
  })

  test('is told when nobody answers, and by whom the event was refused', async () => {
    const [link, disk] = [memoryLink(), new Disk(63)]
    const guest = peer({ log: false, links: [link] })
    const lost = guest.bus.publish('said', 1)
    const silent = expect(lost).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    await pass(31_000)
    await silent
    peer({ log: disk, links: [link] })
    await pass(1_000)
    disk.full = true
    await expect(guest.bus.publish('said', 2)).rejects.toMatchObject({ code: 'quota_exceeded' })
    disk.full = false
    const { id } = await guest.bus.publish('said', 3)
    expect((await disk.content()).map((event) => event.id)).toEqual([id])
  })

  test('goes on with the next log when its host clears the one it has', async () => {
    const link = memoryLink()
    const shop = peer({ links: [link] })
    const guest = peer({ log: false, links: [link] })
    await settle()
    const before = await guest.bus.publish('said', 1)
    await shop.bus.clear()
    await settle()
    const after = await guest.bus.publish('said', 2)
    expect(await shop.bus.get(before.id)).toBeUndefined()
    expect((await shop.bus.get(after.id))?.data).toBe(2)
    expect(data(shop)).toEqual([1, 2])
  })

  test('that is linked twice hears everything once', async () => {
    const [left, right, tabs, disk] = [memoryLink(), memoryLink(), memoryLink(), new Disk(64)]
    const shop = peer({ log: disk, tabs, links: [left] })
    const tab = peer({ log: disk, tabs, links: [right] })
    const theirs = memoryLink()
    const guests = [left, right].map((link) => peer({ log: false, tabs: theirs, links: [link] }))
    await settle()
    await shop.bus.publish('said', 1)
    await tab.bus.publish('said', 2, { persist: false })
    for (const [n, guest] of guests.entries()) await guest.bus.publish('said', 3 + n)
    await settle()
    for (const one of [shop, tab, ...guests]) expect(data(one).toSorted()).toEqual([1, 2, 3, 4])
    expect(await disk.content()).toHaveLength(3)
  })

  test('is heard live where nobody keeps a log', async () => {
    const link = memoryLink()
    const [one, two] = [peer({ log: false, links: [link] }), peer({ log: false, links: [link] })]
    await settle()
    await one.bus.publish('said', 1)
    await two.bus.publish('said', 2)
    await settle()
    expect([data(one), data(two)]).toEqual([
      [1, 2],
      [1, 2],
    ])
  })

  test('cannot reach a level asked for by name where nobody keeps a log', async () => {
    const link = memoryLink()
    const [one, two] = [peer({ log: false, links: [link] }), peer({ log: false, links: [link] })]
    const logged = { until: 'logged' } as const
    // Nobody has said yet that there is no log: it is heard, and known only then.
    const early = one.bus.publish('said', 1, logged)
    const all = one.bus.publishBatch([{ type: 'said', data: 2 }], logged)
    const handled = one.bus.publish('said', 3, { until: 'handled' })
    two.bus.publish('said', 4, { until: 'accepted' })
    const codes = [early, all].map((promise) => promise.catch(({ code }: BusError) => code))
    await settle()
    expect(await Promise.all(codes)).toEqual(['unreachable', 'unreachable'])
    expect((await handled).data).toBe(3)
    expect(data(two).toSorted()).toEqual([1, 2, 3, 4])
    await expect(one.bus.publish('said', 5, logged)).rejects.toMatchObject({ code: 'unreachable' })
    await one.bus.publish('said', 6)
    await settle()
    expect(data(two).toSorted()).toEqual([1, 2, 3, 4, 6])
    const shop = peer({ log: new Disk(66), links: [link] })
    shop.bus.status.subscribe(() => {})
    await settle()
    const { id } = await one.bus.publish('said', 7, logged)
    expect((await shop.bus.get(id))?.data).toBe(7)
  })

  test('rejects what waits when it is closed', async () => {
    const guest = peer({ log: false, links: [memoryLink()] })
    const published = guest.bus.publish('said', 1)
    const closed = expect(published).rejects.toMatchObject({ code: 'closed' })
    await settle()
    const closing = guest.bus.close()
    await pass(6_000)
    await closing
    await closed
  })
})

describe('a context whose log does not open', () => {
  test('has the leader keep its events, and leads nothing itself', async () => {
    const [tabs, disk] = [memoryLink(), new Disk(70)]
    const leader = peer({ log: disk, tabs })
    await leader.bus.publish('said', 0)
    disk.broken = true
    const guest = peer({ log: disk, tabs })
    await settle()
    const { id, offset } = await guest.bus.publish('said', 1)
    await settle()
    expect((await disk.content())[1]).toEqual({ id, type: 'said' })
    expect((await leader.bus.get(id))?.offset).toBe(offset)
    await leader.bus.publish('said', 2)
    await settle()
    expect([data(leader), data(guest)]).toEqual([
      [0, 1, 2],
      [1, 2],
    ])
    expect(guest.bus.status.log).toMatchObject({ kind: 'none' })
    expect(guest.bus.status.leader).toBe(false)
    expect(guest.reported.map(({ code }) => code)).toEqual(['log_unavailable'])
  })

  test('keeps to a leader that comes up while it looks for one', async () => {
    const [tabs, disk] = [memoryLink(), new Disk(72)]
    disk.broken = true
    const guest = peer({ log: disk, tabs })
    const published = guest.bus.publish('said', 1)
    await pass(250)
    disk.broken = false
    const leader = peer({ log: disk, tabs })
    await settle()
    await pass(500)
    expect(await disk.content()).toHaveLength(1)
    await published
    expect(guest.bus.status.log).toMatchObject({ kind: 'none' })
    expect(data(leader)).toEqual([1])
  })

  test('hears once it has a host what was said while it looked for one', async () => {
    const [tabs, disk] = [memoryLink(), new Disk(73)]
    disk.broken = true
    const guest = peer({ log: disk, tabs })
    await settle()
    const stranger = tabs.open('crosstown:shop:', clock) as Link
    const header = { id: 'other-9', type: 'said', source: 'x', time: 1 }
    const frame = {
      frame: 'batch',
      log: 'log',
      prefix: 'other',
      prev: 8,
      events: [header],
    } as const
    stranger.send(encodePeerFrame(frame, ['"other"']))
    await settle()
    expect(data(guest)).toEqual([])
    stranger.send(encodePeerFrame({ frame: 'host', log: 'log', prefix: 'other' }))
    await settle()
    expect(data(guest)).toContain('other')
  })

  describe('with a room', () => {
    /** What a test loses of what the contexts tell each other. */
    let lost: string[]
    const tabs = (): LinkSource => lossyLink((text) => lost.some((part) => text.includes(part)))

    /** A leader with the session it holds, and a guest whose event is in its log. */
    async function published(seed: number) {
      lost = []
      const room = new Room()
      const [channel, disk] = [tabs(), new Disk(seed)]
      const leader = peer({ log: disk, tabs: channel, relay: room.relay() })
      await leader.bus.publish('said', 0)
      await settle()
      disk.broken = true
      const guest = peer({ log: disk, tabs: channel, relay: room.relay() })
      const relayed = guest.bus.publish('said', 1, { until: 'relayed' })
      let outcome: unknown = 'pending'
      relayed.then(
        ({ position }) => {
          outcome = position
        },
        (error: BusError) => {
          outcome = error.code
        },
      )
      await settle()
      expect(await disk.content()).toHaveLength(2)
      disk.broken = false
      return { room, leader, guest, outcome: () => outcome }
    }

    const LOSSES: [what: string, parts: string[]][] = [
      ['the text that confirms it', ['"frame":"room"']],
      ['that and the answer to its question', ['"frame":"room"', '"frame":"placed"']],
      ['that and all beats', ['"frame":"room"', '"frame":"beat"']],
    ]

    test.each(LOSSES)(
      'knows where its event stands, though the channel loses %s',
      async (_, parts) => {
        const { room, outcome } = await published(75)
        lost = parts
        await room.place({ place: 7, own: { batch: 2, indexes: [0] }, time: 1 })
        await pass(1_500)
        lost = ['"frame":"room"']
        await pass(35_000)
        expect(outcome()).toMatch(/^e\.7\./)
      },
    )

    test('hears of a refusal, though the channel loses the text that tells it', async () => {
      const { room, outcome } = await published(76)
      lost = ['"frame":"room"']
      await room.place({
        place: 7,
        own: { batch: 2, indexes: [], refused: [[0, 'forbidden']] },
        time: 1,
      })
      await pass(35_000)
      expect(outcome()).toBe('forbidden')
    })

    test('resolves without a position where nobody can say at which', async () => {
      const { room, outcome } = await published(77)
      room.session.events.confirmedThrough(2)
      await pass(1_500)
      expect(outcome()).toBeUndefined()
    })

    test('goes on with the next log when the one it has is cleared', async () => {
      const { room, leader, guest, outcome } = await published(79)
      await leader.bus.clear()
      await pass(1_500)
      expect(outcome()).toBe('log_cleared')
      guest.heard.length = 0
      await leader.bus.publish('said', 'leader')
      const relayed = guest.bus.publish('said', 'guest', { until: 'relayed' })
      await settle()
      expect(data(guest)).toEqual(['leader', 'guest'])
      expect((await leader.bus.get((await guest.bus.publish('said', 3)).id))?.data).toBe(3)
      lost = ['"frame":"room"']
      await room.place({ place: 8, own: { batch: 2, indexes: [0] }, time: 1 })
      await pass(1_500)
      expect((await relayed).position).toMatch(/^e\.8\./)
    })

    test('waits on while the room has not confirmed it', async () => {
      const { outcome } = await published(78)
      await pass(100_000)
      expect(outcome()).toBe('pending')
    })
  })

  test('leaves the lead to a hidden page, which would get it back at once', async () => {
    let texts = 0
    // So that a race between the two of them ends.
    const [tabs, disk] = [lossyLink(() => ++texts > 100), new Disk(74)]
    const leader = peer({ log: disk, tabs }, 'page')
    await leader.bus.publish('said', 0)
    disk.broken = true
    const guest = peer({ log: disk, tabs }, 'page')
    await guest.bus.publish('said', 1)
    const leads: boolean[] = []
    leader.bus.leader.subscribe(({ self }) => leads.push(self))
    leader.platform.lifecycle.change('hidden')
    await settle()
    expect(leads).toEqual([true])
  })

  test('has nothing kept by another device that is linked to it', async () => {
    const [link, disk, elsewhere] = [memoryLink(), new Disk(80), new Disk(81)]
    disk.broken = true
    const alone = peer({ log: disk, tabs: memoryLink(), links: [link] })
    const published = alone.bus.publish('said', 1)
    await settle()
    const widget = peer({ log: elsewhere, links: [link] })
    widget.bus.status.subscribe(() => {})
    await pass(2_000)
    await published
    expect(alone.bus.status.log).toMatchObject({ kind: 'memory', state: 'open' })
    expect(await elsewhere.content()).toEqual([])
    expect(data(widget)).toEqual([1])
  })

  test('falls back to memory, visibly, where nobody answers', async () => {
    const disk = new Disk(71)
    disk.broken = true
    const alone = peer({ log: disk, tabs: memoryLink() })
    const published = alone.bus.publish('said', 1)
    await pass(2_000)
    await published
    expect(alone.bus.status.log).toMatchObject({ kind: 'memory', state: 'open' })
    expect(alone.reported.map(({ code }) => code)).toEqual(['log_unavailable'])
  })
})
