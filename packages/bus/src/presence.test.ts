import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import type { BusError } from './errors.ts'
import type { Link, LinkSource } from './links/link.ts'
import { memoryLink } from './links/memory.ts'
import { MemoryLog } from './log/memory.ts'
import { MemoryRows } from './log/memory-rows.ts'
import type { AnyBusOptions } from './options.ts'
import type { ContextKind, Platform } from './platform.ts'
import { PresenceView } from './presence.ts'
import type { Present } from './protocol/frames.ts'
import type { PresentFrame, Told } from './sync/sync.ts'
import { VirtualPlatform } from './testing/virtual-platform.ts'
import { createBusOn } from './testing/whole-bus.ts'
import type { Bus, PresenceMember } from './types.ts'

const BEAT_MS = 30_000
const SILENCE_MS = 150_000

type Any = Bus<Record<string, unknown>>

/** Contexts on one clock, by names that are their sources. */
class Place {
  readonly clock = new VirtualPlatform()
  readonly reported: BusError[] = []
  readonly buses = new Map<string, Any>()
  #seeds = 1

  open(name: string, options: Partial<AnyBusOptions> = {}, kind: ContextKind = 'page'): Any {
    const onError = (error: BusError): void => void this.reported.push(error)
    const all = {
      name: 'shop',
      source: name,
      log: false,
      tabs: false,
      onError,
      ...options,
    } as const
    const bus = createBusOn(all, this.platform(kind))
    this.buses.set(name, bus)
    return bus
  }

  platform(kind: ContextKind = 'page'): Platform {
    this.#seeds += 1
    return Object.assign(new VirtualPlatform({ seed: this.#seeds, kind }), {
      timer: (ms: number, run: () => void) => this.clock.timer(ms, run),
      monotonic: () => this.clock.monotonic(),
    })
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1_000) {
      this.clock.advance(1_000)
      await setImmediate()
    }
  }

  sees(name: string): string[] {
    return sourcesOf((this.buses.get(name) as Any).presence.get())
  }
}

const sourcesOf = (members: readonly PresenceMember[]): string[] =>
  members.map(({ source }) => source)

/** A wire between two, that can be cut. */
function wire(): { readonly ends: [LinkSource, LinkSource]; cut: boolean } {
  const link = memoryLink()
  const end: LinkSource = {
    open: (_, platform) => {
      const opened = link.open('wire', platform) as Link
      return {
        send: (text) => wired.cut || opened.send(text),
        receive: (taker, failed) => opened.receive((text) => wired.cut || taker(text), failed),
        close: () => opened.close(),
      }
    },
  }
  const wired = { ends: [end, end] as [LinkSource, LinkSource], cut: false }
  return wired
}

/** A log of its own, or one that several contexts share. */
function logIn(rows = new MemoryRows(new VirtualPlatform({ seed: 77 }))): AnyBusOptions['log'] {
  return {
    kind: 'memory',
    required: true,
    available: () => true,
    create: (_name, _room, platform) => new MemoryLog(platform, rows),
  }
}

let place: Place
beforeEach(() => {
  place = new Place()
})

describe('a bus', () => {
  test('is there by itself before it is used, and looking at it is no use', () => {
    const posted: string[] = []
    const tabs: LinkSource = {
      open: () => ({ send: (text) => posted.push(text), receive() {}, async close() {} }),
    }
    const bus = place.open('a', { tabs }, 'service-worker')
    const [self, ...others] = bus.presence.get()
    expect(others).toEqual([])
    expect(self).toMatchObject({
      source: 'a',
      kind: 'service-worker',
      origin: 'self',
      leader: false,
    })
    expect(posted).toEqual([])
    bus.presence.subscribe(() => {})
    expect(posted.length).toBeGreaterThan(0)
    expect(posted.at(-1)).toContain('"frame":"present"')
  })

  test('that has nothing to be heard by sees itself', () => {
    const bus = place.open('a')
    const seen: string[][] = []
    bus.presence.subscribe((members) => seen.push(sourcesOf(members)))
    expect(seen).toEqual([['a']])
    expect(place.clock.timers).toBe(0)
  })

  test.each([
    ['page', 'page'],
    ['iframe', 'page'],
    ['worker', 'worker'],
    ['node', 'process'],
    ['deno', 'process'],
    ['bun', 'process'],
  ] as const)('in a context of kind %s is a %s', (kind, shown) => {
    expect(place.open('a', {}, kind).presence.get()[0]?.kind).toBe(shown)
  })

  test('gives the same snapshot until somebody comes or goes, and nobody can change it', async () => {
    const tabs = memoryLink()
    const bus = place.open('a', { tabs })
    const seen: (readonly PresenceMember[])[] = []
    bus.presence.subscribe((members) => seen.push(members))
    const other = place.open('b', { tabs })
    other.subscribe('none', () => {})
    await setImmediate()
    const members = bus.presence.get()
    expect(sourcesOf(members)).toEqual(['a', 'b'])
    await place.pass(4 * BEAT_MS)
    expect(bus.presence.get()).toBe(members)
    expect(seen.map(sourcesOf)).toEqual([['a'], ['a', 'b']])
    expect(seen.at(-1)).toBe(members)
    expect(() => (members as PresenceMember[]).pop()).toThrow(TypeError)
    expect(() => Object.assign(members[1] as object, { source: 'x' })).toThrow(TypeError)
    await other.close()
    await setImmediate()
    expect(sourcesOf(bus.presence.get())).toEqual(['a'])
    await bus.close()
    expect(bus.presence.get()).toEqual([])
    expect(sourcesOf(seen.at(-1) ?? [])).toEqual([])
    expect(place.clock.timers).toBe(0)
  })

  test('whose subscriber throws tells of it, and calls the others', async () => {
    const bus = place.open('a')
    const seen: number[] = []
    const off = bus.presence.subscribe(() => {
      throw new Error('broken')
    })
    bus.presence.subscribe((members) => seen.push(members.length))
    expect(seen).toEqual([1])
    expect(place.reported).toMatchObject([{ code: 'handler_failed', stage: 'device' }])
    off()
    await bus.close()
    expect(seen).toEqual([1, 0])
    expect(place.reported).toHaveLength(1)
  })
})

describe('over links of the user', () => {
  test('a guest sees who its host sees, and is seen by them, as of one device', async () => {
    const [tabs, link] = [memoryLink(), wire()]
    const rows = new MemoryRows(new VirtualPlatform({ seed: 77 }))
    const log = logIn(rows)
    place.open('tab', { tabs, log }).subscribe('none', () => {})
    place.open('host', { tabs, log, links: [link.ends[0]] }).subscribe('none', () => {})
    place.open('guest', { links: [link.ends[1]] }, 'iframe').subscribe('none', () => {})
    await place.pass(2_000)
    for (const name of ['tab', 'host', 'guest']) {
      expect(place.sees(name)[0]).toBe(name)
      expect(place.sees(name).sort()).toEqual(['guest', 'host', 'tab'])
    }
    const members = [...place.buses.values()].flatMap(({ presence }) => presence.get())
    expect(new Set(members.map(({ device }) => device)).size).toBe(1)
    expect(new Set(members.map(({ origin }) => origin))).toEqual(new Set(['self', 'device']))
    await place.buses.get('guest')?.close()
    await setImmediate()
    expect(place.sees('tab').sort()).toEqual(['host', 'tab'])
  })

  test('one with a log of its own is another device', async () => {
    const link = wire()
    place.open('a', { log: logIn(), links: [link.ends[0]] }).subscribe('none', () => {})
    const other = logIn(new MemoryRows(new VirtualPlatform({ seed: 78 })))
    place.open('b', { log: other, links: [link.ends[1]] }).subscribe('none', () => {})
    await place.pass(2_000)
    const members = place.buses.get('a')?.presence.get() ?? []
    expect(members.map(({ source, origin }) => [source, origin])).toEqual([
      ['a', 'self'],
      ['b', 'room'],
    ])
    expect(members[0]?.device).not.toBe(members[1]?.device)
  })

  test('in a ring all see all, and who died is forgotten by all of them', async () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const wires = names.map(() => wire())
    names.forEach((name, i) => {
      const links = [wires[i]?.ends[0], wires[(i + 1) % names.length]?.ends[1]] as LinkSource[]
      place.open(name, { links }).subscribe('none', () => {})
    })
    await place.pass(5_000)
    for (const name of names) expect(place.sees(name).sort()).toEqual(names)
    // `a` falls silent: the others are a chain now, and tell each other of it again and again.
    for (const at of [0, 1]) (wires[at] as ReturnType<typeof wire>).cut = true
    await place.pass(SILENCE_MS - 2 * BEAT_MS)
    expect(place.sees('c')).toContain('a')
    await place.pass(4 * BEAT_MS)
    for (const name of names.slice(1)) expect(place.sees(name).sort()).toEqual(names.slice(1))
  })

  test('in a ring who says goodbye is gone at once, and stays so', async () => {
    const names = ['a', 'b', 'c', 'd']
    const wires = names.map(() => wire())
    names.forEach((name, i) => {
      const links = [wires[i]?.ends[0], wires[(i + 1) % names.length]?.ends[1]] as LinkSource[]
      place.open(name, { links }).subscribe('none', () => {})
    })
    await place.pass(5_000)
    await place.buses.get('a')?.close()
    for (let minutes = 0; minutes < 5; minutes++) {
      await place.pass(60_000)
      for (const name of names.slice(1)) expect(place.sees(name).sort()).toEqual(names.slice(1))
    }
  })
})

describe('what is heard', () => {
  let view: PresenceView
  let posted: (readonly [to: string, frame: Omit<PresentFrame, 'frame' | 'log'>])[]
  let lists: (readonly Present[])[]
  beforeEach(() => {
    posted = []
    lists = []
    const platform = place.platform()
    const options = { prefix: 'self', source: 'page', platform, nameOf: (id: string) => `n${id}` }
    view = new PresenceView(
      { ...options, device: 'fallback' },
      {
        post: (frame, to) => posted.push([to, frame]),
        changed: (members) => lists.push(members),
        moved: () => {},
        threw: (cause) => expect.fail(String(cause)),
      },
    )
    view.attached('own')
    posted.length = lists.length = 0
  })
  const told = (id: string, extra: Partial<Told> = {}): Told => ({
    id,
    kind: 'page',
    source: 's',
    ...extra,
  })
  const hear = ({ here = [], ...frame }: Partial<PresentFrame>, byLink = false): void =>
    view.heard({ frame: 'present', log: 'l', here, ...frame }, byLink ? 'links' : 'log')
  const ids = (): string[] => view.get().map(({ id }) => id)

  test('is passed over where it is older than what is known', () => {
    place.clock.advance(60_000)
    hear({ here: [told('a')] })
    hear({ here: [told('x'), told('a', { source: 'old', age: 5_000 })] })
    expect(view.get().find(({ id }) => id === 'a')?.source).toBe('s')
    hear({ gone: [{ id: 'a' }] })
    place.clock.advance(1_000)
    hear({ here: [told('x'), told('a', { age: 1_500 })] })
    expect(ids()).toEqual(['self', 'x'])
    hear({ here: [told('x'), told('a', { age: 500 }), told('dead', { age: SILENCE_MS })] })
    expect(ids()).toEqual(['self', 'a', 'x'])
  })

  test('of this context itself is for others to believe', () => {
    hear({ here: [told('self', { source: 'no' })], gone: [{ id: 'self' }] })
    expect(view.get()).toMatchObject([{ id: 'self', source: 'page', origin: 'self' }])
  })

  test('is asked for is answered on the way by which it came, by what is not known there', () => {
    hear({ here: [told('tab')] })
    hear({ device: 'nfar', here: [told('far'), told('beyond', { device: 'nx', age: 3 })] }, true)
    posted.length = 0
    hear({ here: [told('new')], ask: true })
    const here = (to: string) =>
      posted.filter(([way]) => way === to).map(([, frame]) => frame.here.map(({ id }) => id))
    expect(here('tabs')).toEqual([['self', 'far', 'beyond']])
    expect(here('links')).toEqual([['self', 'new']])
    posted.length = 0
    hear({ device: 'nfar', here: [told('far')], ask: true }, true)
    expect(here('tabs')).toEqual([])
    expect(here('links')).toEqual([['self', 'tab', 'far', 'beyond', 'new']])
  })

  test('has one leader a device', () => {
    hear({ here: [told('a', { leader: true })] })
    hear({ here: [told('b', { leader: true })] })
    expect(view.get().map(({ id, leader }) => [id, leader])).toEqual([
      ['self', false],
      ['a', false],
      ['b', true],
    ])
    view.leads(true)
    expect(lists.at(-1)).toEqual([
      { id: 'self', kind: 'page', source: 'page', leader: true },
      { id: 'a', kind: 'page', source: 's' },
      { id: 'b', kind: 'page', source: 's' },
    ])
  })

  test('of the leader renames the device that turned out to be a copy', () => {
    hear({ device: 'nother', here: [told('a')] })
    expect(view.get()[0]?.device).toBe('nown')
    const seen: string[] = []
    view.subscribe(([self]) => seen.push(self?.device ?? ''))
    hear({ device: 'nother', here: [told('a', { leader: true })] })
    expect(view.get().map(({ device }) => device)).toEqual(['nother', 'nother'])
    expect([...new Set(seen)]).toEqual(['nown', 'nother'])
    // Another log on the same channel is another device, whoever leads it.
    view.heard(
      { frame: 'present', log: 'm', device: 'nm', here: [told('m', { leader: true })] },
      'tabs',
    )
    expect(view.get().map(({ origin, device, leader }) => [origin, device, leader])).toEqual([
      ['self', 'nother', false],
      ['device', 'nother', true],
      ['room', 'nm', true],
    ])
  })

  test('is bounded', () => {
    const many = Array.from({ length: 1_000 }, (_, n) => told(`a${n}`))
    hear({ here: many })
    hear({ here: many.map((one) => ({ ...one, device: 'other' })) })
    expect(view.get()).toHaveLength(1_000)
    hear({ gone: many })
    hear({ gone: many.map((one) => ({ ...one, device: 'other' })) })
    hear({ here: [told('late')] })
    expect(ids()).toEqual(['self', 'late'])
  })

  test('of a relay counts for the leader only, and not while it is about this device', () => {
    const devices = [
      { device: 'nown', members: [told('stale')] },
      { device: 'b', subject: 'ada', members: [told('two'), told('one')] },
      { device: 'a', members: [told('three')] },
    ]
    view.room({ frame: 'presence', whole: true, devices }, 'nown')
    expect(ids()).toEqual(['self'])
    view.leads(true)
    view.room({ frame: 'presence', whole: true, devices }, 'nown')
    expect(view.get().map(({ id, device, subject }) => [id, device, subject])).toEqual([
      ['self', 'nown', undefined],
      ['three', 'a', undefined],
      ['one', 'b', 'ada'],
      ['two', 'b', 'ada'],
    ])
    view.room({ frame: 'presence', devices: [{ device: 'b', members: [told('two')] }] }, 'nown')
    expect(ids()).toEqual(['self', 'three', 'two'])
    expect(posted.at(-1)).toMatchObject(['links', { gone: [{ id: 'one', device: 'b' }] }])
  })

  test('of a relay is doubted while it is away, and dropped after a moment', () => {
    view.leads(true)
    const devices = [{ device: 'b', members: [told('one')] }]
    view.room({ frame: 'presence', whole: true, devices }, 'nown')
    view.doubt()
    place.clock.advance(4_000)
    view.room({ frame: 'presence', whole: true, devices }, 'nown')
    place.clock.advance(60_000)
    expect(ids()).toEqual(['self', 'one'])
    view.room({ frame: 'presence', whole: true, devices: [] }, 'nown')
    expect(ids()).toEqual(['self', 'one'])
    place.clock.advance(5_000)
    expect(ids()).toEqual(['self'])
    view.room({ frame: 'presence', devices }, 'nown')
    view.doubt()
    place.clock.advance(5_000)
    expect(ids()).toEqual(['self'])
  })

  test('of a relay stays, whatever a context that led before tells of it', async () => {
    view.leads(true)
    const members = [told('one')]
    view.room({ frame: 'presence', whole: true, devices: [{ device: 'b', members }] }, 'nown')
    place.clock.advance(1_000)
    hear({ here: [told('former'), told('one', { device: 'b', age: 0 })] })
    hear({ here: [told('former')], gone: [{ id: 'one', device: 'b' }] })
    expect(ids()).toEqual(['self', 'former', 'one'])
    await place.pass(SILENCE_MS + 2 * BEAT_MS)
    expect(ids()).toEqual(['self', 'one'])
  })

  test('of a relay stays, though one behind a link tells it back', async () => {
    view.leads(true)
    const members = [told('one')]
    view.room({ frame: 'presence', whole: true, devices: [{ device: 'b', members }] }, 'nown')
    place.clock.advance(1_000)
    hear({ here: [told('far'), told('one', { device: 'b', age: 500 })] }, true)
    await place.pass(SILENCE_MS + 2 * BEAT_MS)
    expect(ids()).toEqual(['self', 'one'])
  })

  test('of one that led before does not rename the device of who leads', () => {
    view.leads(true)
    hear({ device: 'nformer', here: [told('former', { leader: true })] })
    expect(view.get()[0]?.device).toBe('nown')
  })

  test('is nothing for one that is closed', () => {
    view.close()
    hear({ here: [told('a')], ask: true })
    view.room({ frame: 'presence', devices: [] }, 'x')
    view.leads(true)
    view.back()
    view.attached('again')
    expect(view.get()).toEqual([])
    expect(posted.map(([, { here, gone }]) => [here, gone])).toEqual([
      [[], [{ id: 'self' }]],
      [[], [{ id: 'self' }]],
    ])
    expect(place.clock.timers).toBe(0)
  })
})
