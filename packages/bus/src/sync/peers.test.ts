import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Batch, Entry } from '../batch/batch.ts'
import type { Incoming, Origin } from '../dispatch/dispatch.ts'
import { BusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { LinkSource } from '../links/link.ts'
import { memoryLink } from '../links/memory.ts'
import { ownBatch } from '../log/record.ts'
import { encodePeerFrame } from '../protocol/peer-frames.ts'
import { checkOf } from '../protocol/position.ts'
import { EntryMaker, inLogOf } from '../testing/entries.ts'
import { Peers } from './peers.ts'
import type { Confirmation, RoomNews } from './sync.ts'

/** A context of the device: its peers, and what it was told of them. */
class Context {
  readonly maker: EntryMaker
  readonly peers: Peers
  readonly link
  readonly heard: (Incoming & { origin: Origin })[] = []
  readonly news: unknown[] = []
  readonly past: string[] = []
  readonly confirmed: Confirmation[] = []
  readonly reported: BusError[] = []
  readonly heads: number[] = []

  constructor(tabs: LinkSource, seed: number, logId?: string, hasRoom = false) {
    this.maker = new EntryMaker({ seed })
    this.peers = new Peers(this.maker.composer.prefix, this.maker.platform, hasRoom, {
      deliver: (incoming, origin) => this.heard.push({ ...incoming, origin }),
      past: (incoming) => this.past.push(incoming.header.id),
      committed: (batch, roomEvents) => this.news.push({ committed: batch, roomEvents }),
      sawTime: (time) => this.news.push({ time }),
      confirmed: (confirmation) => this.confirmed.push(confirmation),
      changed: (head) => this.heads.push(head),
      beat: ({ pending, relay }) => this.news.push({ pending, relay }),
      ledElsewhere() {},
      gap: (gap) => this.news.push({ gap }),
      linked: (frame) => this.news.push({ linked: frame.frame }),
      joined: ({ prefix, seen }) => this.news.push({ joined: prefix, seen }),
      passed: ({ prefix, say }, data) => this.news.push({ passed: say.frame, prefix, data }),
      here: ({ prefix, seen, leads }) => this.news.push({ here: prefix, seen, leads }),
      cast: (headers, data) => this.news.push({ cast: headers.map(({ id }) => id), data }),
      report: (error) => this.reported.push(error),
    })
    const link = tabs.open('channel', this.maker.platform)
    if (!link) throw new Error('no link')
    link.receive((text) => this.peers.receive(text))
    this.link = link
    if (logId !== undefined)
      this.peers.attach(link, { id: logId, log: undefined, past: 0, renewed: false })
  }

  get ids(): string[] {
    return this.heard.map(({ header }) => header.id)
  }

  batch(...entries: Entry[]): Batch {
    return {
      entries,
      persisted: entries.filter((entry) => entry.persisted),
      casts: entries.filter((entry) => !entry.persisted),
    }
  }

  post(...entries: Entry[]): Batch {
    const batch = this.batch(...entries)
    const { persisted } = batch
    this.peers.post(batch, persisted.length > 0 ? ownBatch(persisted, 1) : undefined)
    return batch
  }
}

const LOG = 'log'
let tabs: LinkSource
let a: Context
let b: Context

beforeEach(async () => {
  tabs = memoryLink()
  a = new Context(tabs, 1, LOG)
  b = new Context(tabs, 2, LOG)
  await setImmediate()
  a.news.length = 0
})

describe('a batch', () => {
  test('is heard by the others in order, with its texts, and not by its own context', async () => {
    a.post(a.maker.entry('a', { n: 1 }), a.maker.entry('b', new Set([1])))
    await setImmediate()
    expect(b.heard.map(({ header, dataText, origin }) => [header.type, dataText, origin])).toEqual([
      ['a', '{"n":1}', 'device'],
      ['b', '[["Set",1],1]', 'device'],
    ])
    expect(b.heard[1]?.header.encoding).toBe('devalue')
    expect(a.heard).toEqual([])
  })

  test('that comes twice is heard once', async () => {
    const entries = a.maker.entries(2)
    a.post(...entries)
    a.post(...entries)
    await setImmediate()
    expect(b.ids).toEqual(entries.map(({ event }) => event.id))
  })

  test('that comes back to its publisher is not heard there', async () => {
    const { headerText, dataText } = a.maker.entry('a')
    const header = JSON.parse(headerText)
    const { prefix } = a.maker.composer
    b.link.send(
      encodePeerFrame({ frame: 'batch', log: LOG, prefix, prev: 0, events: [header] }, [dataText]),
    )
    await setImmediate()
    expect(a.heard).toEqual([])
    expect(a.reported).toEqual([])
  })

  test('of one publisher does not hide those of another', async () => {
    const c = new Context(tabs, 3, LOG)
    a.post(...a.maker.entries(5))
    c.post(...c.maker.entries(1))
    await setImmediate()
    expect(b.ids).toHaveLength(6)
  })

  test('is heard though one before it was lost', async () => {
    const [lost, next] = a.maker.entries(2) as [Entry, Entry]
    expect(lost.event.id).toMatch(/-1$/)
    a.post(next)
    await setImmediate()
    expect(b.ids).toEqual([next.event.id])
  })

  test('of a context with another log is heard as well, but its commits are no news', async () => {
    const c = new Context(tabs, 3, 'other')
    const batch = c.post(c.maker.entry('a'))
    c.peers.postCommitted(inLogOf(batch, 1, ownBatch(batch.persisted, 1)))
    c.peers.ask()
    await setImmediate()
    expect(b.ids).toHaveLength(1)
    expect(b.news).toEqual([])
  })

  test('of another log that its room brings is not heard before, nor hides what comes first', async () => {
    const [c, d] = [new Context(tabs, 3, 'other', true), new Context(tabs, 4, LOG, true)]
    c.post(c.maker.entry('a'), c.maker.entry('a'))
    c.post(c.maker.entry('a', 1, { persist: false }))
    const { prefix } = c.maker.composer
    await setImmediate()
    expect(d.heard).toEqual([])
    expect(d.news).toEqual([])
    const header = { type: 'a', source: 'x', time: 1 }
    const events = [1, 2].map((n) => ({ id: `${prefix}-${n}`, ...header }))
    d.peers.room(
      { batch: 1, time: 1, epoch: 'e', liveAfter: 0, runs: [{ place: 1, time: 1, events }] },
      ['1', '2'],
    )
    expect(d.heard.map(({ header, origin }) => [header.id, origin])).toEqual([
      [`${prefix}-1`, 'room'],
      [`${prefix}-2`, 'room'],
    ])
    expect(b.ids).toHaveLength(3)
  })

  test('from elsewhere, without a counter, is heard each time', async () => {
    const header: EventHeader = { id: 'h-abc', type: 'a', source: 'x', time: 1 }
    const frame = { frame: 'batch', log: LOG, prefix: 'p', prev: 0, events: [header] } as const
    a.link.send(encodePeerFrame(frame, ['1']))
    await setImmediate()
    expect(b.ids).toEqual(['h-abc'])
  })
})

test('unpersisted events are heard, and handed to whoever may lead', async () => {
  const entry = a.maker.entry('a', 7, { persist: false })
  a.post(entry)
  await setImmediate()
  expect(b.heard).toMatchObject([
    { header: { id: entry.event.id }, dataText: '7', origin: 'device' },
  ])
  expect(b.news).toEqual([{ cast: [entry.event.id], data: ['7'] }])
})

test('unpersisted events of the room are heard as such, and not sent on again', async () => {
  const { headerText, dataText } = a.maker.entry('a', 7, { persist: false })
  const header = JSON.parse(headerText)
  a.peers.postRoomCast([header], [dataText])
  await setImmediate()
  expect(b.heard).toMatchObject([{ origin: 'room' }])
  expect(b.news).toEqual([])
})

test('a commit is told with its number and its time', async () => {
  const batch = a.post(a.maker.entry('a'), a.maker.entry('a', 1, { scope: 'device' }))
  a.peers.postCommitted(inLogOf(batch, 9, ownBatch(batch.persisted, 123)))
  await setImmediate()
  expect(b.news).toEqual([{ time: 123 }, { committed: 9, roomEvents: 1 }])
  expect(b.heads).toEqual([9])
})

test('commits are told with the batch that is posted next, and behind it', async () => {
  const before = Array.from({ length: 101 }, () => a.post(a.maker.entry('a')))
  await setImmediate()
  const commits = before.map((batch, i) => inLogOf(batch, i + 1, ownBatch(batch.persisted, 123)))
  b.news.length = 0
  const texts: string[] = []
  b.link.receive((text) => {
    texts.push(text)
    b.peers.receive(text)
  })
  const batch = a.batch(a.maker.entry('a'))
  a.peers.post(batch, ownBatch(batch.persisted, 124), commits)
  await setImmediate()
  expect(b.ids.at(-1)).toBe(batch.entries[0]?.event.id)
  expect(b.heads.toSorted((x, y) => x - y)).toEqual(commits.map((one) => one.batch))
  // A frame has so many at most; the others come by themselves.
  expect(texts).toHaveLength(2)
})

test('events that were withdrawn are reported one by one, with the reason', async () => {
  const batch = a.batch(...a.maker.entries(2))
  a.peers.postWithdrawn(batch, new BusError('quota_exceeded', 'full'))
  await setImmediate()
  expect(b.reported).toMatchObject(
    batch.persisted.map(({ event }) => ({ code: 'quota_exceeded', eventId: event.id })),
  )
})

test('a beat is told, and who is there', async () => {
  a.peers.postBeat({ term: 1, head: 2, relay: 'online', pending: 3, bytes: 20, refused: 0 })
  await setImmediate()
  expect(b.news).toEqual([{ pending: 3, relay: 'online' }])
  const c = new Context(tabs, 3, LOG)
  c.peers.ask('visible')
  c.peers.postHere('hidden', true)
  await setImmediate()
  const { prefix } = c.maker.composer
  expect(b.news.slice(1)).toEqual([
    { joined: prefix, seen: 'visible' },
    { here: prefix, seen: 'hidden', leads: true },
  ])
})

describe('a batch of the room', () => {
  const header = (n: number): EventHeader => ({ id: `r-${n}`, type: 'a', source: 'x', time: 1 })
  const own = { batch: 4, indexes: [0, 1], refused: [[2, 'forbidden']] } as const
  const news: RoomNews = {
    batch: 5,
    time: 50,
    epoch: 'e',
    liveAfter: 0,
    runs: [
      { place: 1, time: 1, events: [header(1)] },
      { place: 2, time: 1, own },
      { place: 4, time: 1, events: [header(2), header(3)] },
    ],
  }

  test('is heard with offset and position; own events stand as placeholders', async () => {
    a.peers.room(news, ['1', '2', '3'])
    await setImmediate()
    expect(b.heard.map(({ offset, position, dataText }) => [offset, position, dataText])).toEqual([
      [5 * 4096, `e.1.${checkOf('r-1')}`, '1'],
      [5 * 4096 + 3, `e.4.${checkOf('r-2')}`, '2'],
      [5 * 4096 + 4, `e.5.${checkOf('r-3')}`, '3'],
    ])
    expect(b.heard.every(({ origin }) => origin === 'room')).toBe(true)
    expect([a.heads, b.heads]).toEqual([[5], [5]])
    expect(b.confirmed).toEqual([
      { batch: 4, epoch: 'e', place: 2, indexes: [0, 1], refused: own.refused, whole: true },
    ])
  })

  test('that the room had before this log joined it is the past, for those who asked for it', async () => {
    a.peers.room({ ...news, liveAfter: 4 }, ['1', '2', '3'])
    await setImmediate()
    expect(b.past).toEqual(['r-1', 'r-2'])
    expect(b.ids).toEqual(['r-3'])
  })

  test('that comes twice to a context without the log is heard once, be it posted by HTTP', async () => {
    const posted: EventHeader = { ...header(1), id: 'h-posted' }
    const runs = [{ place: 1, time: 1, events: [posted] }]
    a.peers.room({ ...news, runs }, ['1'])
    a.peers.room({ ...news, runs }, ['1'])
    await setImmediate()
    expect(b.ids).toEqual(['h-posted'])
    b.peers.attach(b.link, { id: 'another', log: undefined, past: 0, renewed: false })
    a.peers.attach(a.link, { id: 'another', log: undefined, past: 0, renewed: false })
    a.peers.room({ ...news, runs }, ['1'])
    await setImmediate()
    expect(b.ids).toEqual(['h-posted', 'h-posted'])
  })

  test('is the same to the context that leads', () => {
    a.peers.room(news, ['1', '2', '3'])
    expect(a.ids).toEqual(['r-1', 'r-2', 'r-3'])
    expect(a.confirmed).toHaveLength(1)
  })

  test('from before this log first joined only confirms what is ours', async () => {
    a.peers.room({ ...news, liveAfter: 4 }, ['1', '2', '3'])
    await setImmediate()
    expect(b.ids).toEqual(['r-3'])
    expect(b.heard[0]?.dataText).toBe('3')
    expect(b.confirmed).toHaveLength(1)
  })

  test('of another log is none of this context’s business', async () => {
    const c = new Context(tabs, 3, 'other')
    a.peers.room(news, ['1', '2', '3'])
    await setImmediate()
    expect(c.heard).toEqual([])
    expect(c.confirmed).toEqual([])
  })
})

describe('what comes before the log is open', () => {
  test('waits, and is then heard in order', async () => {
    const late = new Context(tabs, 3)
    a.post(a.maker.entry('a'))
    a.post(a.maker.entry('b'))
    await setImmediate()
    expect(late.heard).toEqual([])
    late.peers.attach(late.link, { id: LOG, log: undefined, past: 0, renewed: false })
    expect(late.heard.map(({ header }) => header.type)).toEqual(['a', 'b'])
  })

  test('is not kept without limit', async () => {
    const late = new Context(tabs, 3)
    const frame = {
      frame: 'beat',
      log: LOG,
      term: 1,
      head: 1,
      relay: 'off',
      bytes: 0,
      refused: 0,
    } as const
    for (let pending = 1; pending <= 10_001; pending++) {
      late.peers.receive(encodePeerFrame({ ...frame, pending }))
    }
    expect(late.reported).toMatchObject([{ code: 'buffer_overflow' }])
    late.peers.attach(late.link, { id: LOG, log: undefined, past: 0, renewed: false })
    expect(late.news).toHaveLength(10_000)
    expect(late.news.at(-1)).toEqual({ pending: 10_001, relay: 'off' })
  })

  test('nothing is posted before it either', async () => {
    const late = new Context(tabs, 3)
    late.post(late.maker.entry('a'))
    await setImmediate()
    expect(b.heard).toEqual([])
  })
})

test.each(['', 'hello', '{"frame":"batch","log":"log"}', '{"frame":"join"}'])(
  'a foreign text %j is reported and dropped, and the next one is heard',
  async (text) => {
    a.link.send(text)
    a.post(a.maker.entry('a'))
    await setImmediate()
    expect(b.reported).toMatchObject([{ code: 'bad_frame' }])
    expect(b.ids).toHaveLength(1)
  },
)
