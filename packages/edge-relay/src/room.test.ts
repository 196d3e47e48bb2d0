import { checkOf, MAX_EVENT_BYTES, type Term } from '@crosstown/bus/protocol'
import { describe, expect, it } from 'vitest'
import type {
  Command,
  HelloCommand,
  PostCommand,
  PublishCommand,
  Reply,
  RoomState,
} from './commands.ts'
import { linesOf } from './judge.ts'
import { headPosition, START } from './record.ts'
import { commit, decide, isWrite } from './room.ts'
import { cursorAfter, headerOf, publishOf, TERM } from './testing/probe.ts'

const everything = (): boolean => true

/** A room that is asked one thing after the other, and what it wrote. */
class Room {
  state: RoomState = {
    head: { epoch: 'e', version: 0, ...START, time: 0 },
    devices: new Map(),
    logs: new Map(),
    streams: new Map(),
    ids: { prefix: 'p', counter: 0 },
  }
  last = decide(this.state, [])

  do(...commands: Command[]): Reply {
    this.last = decide(this.state, commands)
    this.state = commit(this.state, this.last)
    return this.last.replies.at(-1) as Reply
  }
}

const hello = (extra: Partial<HelloCommand> = {}): HelloCommand => ({
  kind: 'hello',
  time: 100,
  device: 'd',
  secretHash: 'hash',
  subject: 'ann',
  log: 'log',
  terms: [TERM],
  ...extra,
})

const publish = (
  batch: number,
  prev: number | undefined,
  events: Parameters<typeof publishOf>[2],
  {
    frame,
    ...extra
  }: Partial<Omit<PublishCommand, 'frame'>> & { frame?: Parameters<typeof publishOf>[3] } = {},
): PublishCommand => {
  const sent = publishOf(batch, prev, events, frame)
  return {
    kind: 'publish',
    time: 100,
    device: 'd',
    mayPublish: everything,
    frame: sent,
    lines: linesOf(sent.events),
    nesting: 512,
    data: events.map((_, i) => String(i)),
    ...extra,
  }
}

function joined(extra: Partial<HelloCommand> = {}): Room {
  const room = new Room()
  room.do(hello(extra))
  return room
}

describe('hello', () => {
  it('writes a row for a device it does not know, and nothing for one that is as before', () => {
    const room = new Room()
    expect(room.do(hello())).toEqual({ kind: 'admitted', copy: false })
    expect(isWrite(room.last)).toBe(true)
    expect(room.last.records).toEqual([])
    expect(room.state.devices.get('d')).toEqual({
      secretHash: 'hash',
      subject: 'ann',
      log: 'log',
      term: TERM,
    })
    expect(room.state.head.version).toBe(1)
    room.do(hello())
    expect(isWrite(room.last)).toBe(false)
    expect(room.state.head.version).toBe(1)
  })

  it('refuses another secret, and another subject', () => {
    const room = joined()
    expect(room.do(hello({ secretHash: 'other' }))).toMatchObject({ code: 'bad_device' })
    expect(room.do(hello({ subject: 'bob' }))).toMatchObject({ code: 'subject_changed' })
    expect(isWrite(room.last)).toBe(false)
  })

  it('refuses a log of another subject, though it does not know the device', () => {
    const room = new Room()
    expect(room.do(hello({ owner: 'bob' }))).toMatchObject({ code: 'subject_changed' })
    expect(isWrite(room.last)).toBe(false)
    expect(room.do(hello({ owner: 'ann' }))).toMatchObject({ kind: 'admitted' })
  })

  it('refuses a new device with the log of another subject, be it just joining', () => {
    const room = joined({ log: 'shared' })
    const bob = hello({ device: 'e', log: 'shared', subject: 'bob' })
    expect(room.do(bob)).toMatchObject({ code: 'subject_changed' })
    expect(isWrite(room.last)).toBe(false)
    expect(room.do(hello({ device: 'f', log: 'new' }), { ...bob, log: 'new' })).toMatchObject({
      code: 'subject_changed',
    })
    expect(room.do(hello({ device: 'g', log: 'shared' }))).toMatchObject({ kind: 'admitted' })
  })

  const terms: [string, Term[], Term][] = [
    ['takes a higher term of a device that knows the last one', [TERM, [8, 'b']], [8, 'b']],
    ['keeps the last term where it is still the newest', [TERM], TERM],
    [
      'takes a term of a device that was welcomed later than the room remembers',
      [
        [8, 'x'],
        [9, 'y'],
      ],
      [9, 'y'],
    ],
  ]
  it.each(terms)('%s', (_, given, expected) => {
    const room = joined({ terms: [[7, 'before']] })
    const named = given.map((term) => (term === TERM ? ([7, 'before'] as const) : term))
    expect(room.do(hello({ terms: named }))).toEqual({
      kind: 'admitted',
      term: [7, 'before'],
      copy: false,
    })
    expect(room.state.devices.get('d')?.term).toEqual(expected === TERM ? [7, 'before'] : expected)
  })

  it.each<[string, Term[]]>([
    [
      'whose terms go on past the last one without it',
      [
        [3, 'a'],
        [9, 'copy'],
      ],
    ],
    [
      'whose first term has the number of the last one',
      [
        [7, 'copy'],
        [9, 'copy'],
      ],
    ],
    [
      'whose terms are all older',
      [
        [3, 'a'],
        [4, 'b'],
      ],
    ],
  ])('keeps the last term from a device %s: it is a copy', (_, terms) => {
    const room = joined({ terms: [[7, 'before']] })
    expect(room.do(hello({ terms }))).toEqual({ kind: 'admitted', term: [7, 'before'], copy: true })
    expect(isWrite(room.last)).toBe(false)
  })
})

describe('publish', () => {
  it('appends a batch with its number, and gives its events the next places', () => {
    const room = joined()
    expect(room.do(publish(3, undefined, ['a-1', 'a-2']))).toEqual({ frame: 'ack', batch: 3 })
    expect(room.last.records).toEqual([
      {
        place: 1,
        count: 2,
        time: 100,
        device: 'd',
        batch: 3,
        lastId: 'a-2',
        indexes: [0, 1],
        headers: [headerOf('a-1'), headerOf('a-2')],
        headerLines: [JSON.stringify(headerOf('a-1')), JSON.stringify(headerOf('a-2'))],
        data: ['0', '1'],
        bytes: JSON.stringify(headerOf('a-1')).length * 2 + 2,
        before: '',
        chain: room.state.head.chain,
      },
    ])
    expect(room.state.devices.get('d')?.taken).toEqual({ batch: 3, id: 'a-2' })
    expect(headPosition(room.state.head)).toBe(cursorAfter('e', ['a-1', 'a-2']))
    const { chain: before } = room.state.head
    room.do(publish(9, 3, ['a-3']))
    expect(room.last.records).toMatchObject([{ place: 3, before, chain: room.state.head.chain }])
    expect(headPosition(room.state.head)).toBe(cursorAfter('e', ['a-1', 'a-2', 'a-3']))
  })

  it('decides a group of commands each on the one before, with one version', () => {
    const room = joined()
    room.do(
      publish(1, undefined, ['a-1']),
      publish(2, 1, ['a-2']),
      publish(2, 1, ['a-2']),
      publish(4, 3, ['a-4']),
    )
    expect(room.last.replies).toEqual([
      { frame: 'ack', batch: 1 },
      { frame: 'ack', batch: 2 },
      { frame: 'ack', batch: 2 },
      { frame: 'reject', batch: 4, code: 'out_of_order', taken: 2, retryAfterMs: 0 },
    ])
    expect(room.last.records.map(({ place }) => place)).toEqual([1, 2])
    expect(room.state.head).toMatchObject({ version: 2, place: 2 })
  })

  it('changes nothing that was given to it', () => {
    const room = joined()
    const before = structuredClone({ head: room.state.head, devices: room.state.devices })
    decide(room.state, [publish(1, undefined, ['a-1']), hello({ device: 'new' })])
    expect({ head: room.state.head, devices: room.state.devices }).toEqual(before)
  })

  const chain: [string, PublishCommand, object][] = [
    ['acks a duplicate of the last batch', publish(2, 1, ['a-2']), { frame: 'ack', batch: 2 }],
    ['acks a duplicate from before', publish(1, undefined, ['a-1']), { frame: 'ack', batch: 1 }],
    [
      'rejects a batch whose number was taken by another',
      publish(2, 1, ['x-9']),
      { code: 'out_of_order', taken: 2 },
    ],
    ['rejects a gap', publish(4, 3, ['a-4']), { code: 'out_of_order', taken: 2, retryAfterMs: 0 }],
    [
      'rejects a chain begun anew',
      publish(3, undefined, ['a-3']),
      { code: 'out_of_order', taken: 2 },
    ],
    [
      'rejects a device that never said hello',
      publish(1, undefined, ['a-1'], { device: 'x' }),
      { code: 'bad_device' },
    ],
    [
      'rejects a lower term, and names the last one',
      publish(3, 2, ['a-3'], { frame: { term: [4, 'low'] } }),
      { code: 'stale_term', taken: 2, term: [5, 'five'] },
    ],
    [
      "rejects a copy's term of the same number",
      publish(3, 2, ['a-3'], { frame: { term: [5, 'x'] } }),
      { code: 'stale_term' },
    ],
    [
      'rejects a duplicate of a stale term',
      publish(2, 1, ['a-2'], { frame: { term: [4, 'low'] } }),
      { code: 'stale_term' },
    ],
  ]
  it.each(chain)('%s', (_, command, reply) => {
    const room = joined()
    room.do(
      publish(1, undefined, ['a-1']),
      hello({ terms: [TERM, [5, 'five']] }),
      publish(2, 1, ['a-2'], { frame: { term: [5, 'five'] } }),
    )
    const frame =
      command.frame.term === TERM ? { ...command.frame, term: [5, 'five'] as const } : command.frame
    expect(room.do({ ...command, frame })).toMatchObject(reply)
    expect(isWrite(room.last)).toBe(false)
  })

  it('rejects a term that no hello has named', () => {
    const room = joined()
    const early = publish(1, undefined, ['a-1'], { frame: { term: [2, 'two'] } })
    expect(room.do(early)).toMatchObject({ code: 'stale_term', term: TERM })
    expect(isWrite(room.last)).toBe(false)
  })

  it('never lets time go back', () => {
    const room = joined()
    room.do(publish(1, undefined, ['a-1'], { time: 500 }), publish(2, 1, ['a-2'], { time: 400 }))
    expect(room.last.records.map(({ time }) => time)).toEqual([500, 500])
    expect(room.state.head.time).toBe(500)
  })

  it('refuses single events for good, with their index in the record, and takes the others', () => {
    const room = joined()
    const events = [
      headerOf('a-1'),
      headerOf('a-2', 'secret.thing'),
      headerOf('a-3', 'a.b', { scope: 'device' }),
      headerOf('a-4'),
      headerOf('a-5', 'a.b', { metadata: { filler: 'ü'.repeat(4_096) } }),
    ]
    const command = publish(1, undefined, events, {
      frame: { indexes: [1, 4, 5, 7, 8] },
      mayPublish: (type) => type !== 'secret.thing',
      data: ['0', '1', '2', JSON.stringify('x'.repeat(MAX_EVENT_BYTES)), '4'],
    })
    const refused = [
      [4, 'forbidden'],
      [5, 'invalid_options'],
      [7, 'too_large'],
      [8, 'too_large'],
    ]
    expect(room.do(command)).toEqual({ frame: 'ack', batch: 1, refused })
    expect(room.last.records[0]).toMatchObject({
      count: 1,
      indexes: [1],
      refused,
      lastId: 'a-5',
      data: ['0'],
    })
    expect(headPosition(room.state.head)).toBe(cursorAfter('e', ['a-1']))
    expect(room.do(publish(1, undefined, events))).toEqual({ frame: 'ack', batch: 1, refused })
  })

  it('refuses the events of one group together, and leaves other groups alone', () => {
    const room = joined()
    const events = [
      headerOf('a-1', 'a.b', { group: 1 }),
      headerOf('a-2', 'a.b', { group: 2 }),
      headerOf('a-3', 'no', { group: 1 }),
      headerOf('a-4'),
    ]
    room.do(publish(1, undefined, events, { mayPublish: (type) => type !== 'no' }))
    expect(room.last.records[0]?.refused).toEqual([
      [0, 'forbidden'],
      [2, 'forbidden'],
    ])
    expect(room.last.records[0]?.headers.map(({ id }) => id)).toEqual(['a-2', 'a-4'])
  })

  it('takes one place for a batch that is refused as a whole', () => {
    const room = joined()
    room.do(
      publish(1, undefined, ['a-1', 'a-2'], { mayPublish: () => false }),
      publish(2, 1, ['a-3']),
    )
    expect(room.last.records).toMatchObject([
      { place: 1, count: 1, lastId: 'a-2', headers: [], data: [], indexes: [] },
      { place: 2, count: 1, lastId: 'a-3' },
    ])
    expect(room.state.devices.get('d')?.taken).toEqual({ batch: 2, id: 'a-3' })
    const alone = joined()
    alone.do(publish(1, undefined, ['a-1', 'a-2'], { mayPublish: () => false }))
    expect(alone.state.head).toMatchObject({ place: 1, check: checkOf('a-2') })
  })
})

describe('publish from a device whose log another one has too', () => {
  it('leaves out what the room has, takes the rest, and refuses nothing for it', () => {
    const room = joined()
    const events = ['a-1', 'a-2', headerOf('a-3', 'secret.thing')]
    const command = publish(1, undefined, events, {
      frame: { indexes: [0, 2, 5] },
      known: new Map([['a-1', 4]]),
      mayPublish: (type) => type !== 'secret.thing',
    })
    expect(room.do(command)).toEqual({ frame: 'ack', batch: 1, refused: [[5, 'forbidden']] })
    expect(room.last.records).toMatchObject([
      {
        place: 1,
        count: 1,
        indexes: [2],
        earlier: [[0, 4]],
        headers: [{ id: 'a-2' }],
        data: ['1'],
        lastId: 'a-3',
      },
    ])
    expect(room.state.devices.get('d')?.taken).toEqual({ batch: 1, id: 'a-3' })
  })

  it('does not refuse what the room has, though it may not publish it any more', () => {
    const room = joined()
    const command = publish(1, undefined, ['a-1', 'a-2'], {
      known: new Map([
        ['a-1', 4],
        ['a-2', 5],
      ]),
      mayPublish: () => false,
    })
    expect(room.do(command)).toEqual({ frame: 'ack', batch: 1 })
  })

  it('says nothing of what the room had and trimmed away, and does not take it again', () => {
    const room = joined()
    const events = ['a-1', headerOf('a-2', 'secret.thing'), 'a-3', 'a-4']
    const trimmed = ['a-1', 'a-2', 'a-3'].map((id) => [id, 'trimmed'] as const)
    const command = publish(1, undefined, events, {
      known: new Map(trimmed),
      mayPublish: (type) => type !== 'secret.thing',
    })
    // Which of them were refused then, nobody knows: who may not publish it is told so again.
    const refused = [[1, 'forbidden']]
    expect(room.do(command)).toEqual({ frame: 'ack', batch: 1, refused })
    expect(room.last.records).toMatchObject([
      { place: 1, count: 1, indexes: [3], refused, headers: [{ id: 'a-4' }], data: ['3'] },
    ])
    expect(room.last.records[0]?.earlier).toBe(undefined)
  })

  it('gives a batch of which nothing is left a place, so that the chain goes on', () => {
    const room = joined()
    room.do(publish(1, undefined, ['a-1'], { known: new Map([['a-1', 4]]) }))
    expect(room.last.records).toMatchObject([{ place: 1, count: 1, headers: [], lastId: 'a-1' }])
    expect(room.state.head.check).toBe(checkOf('a-1'))
    expect(room.do(publish(2, 1, ['a-2'], { known: new Map() }))).toEqual({
      frame: 'ack',
      batch: 2,
    })
    expect(room.state.head.place).toBe(2)
  })

  it('takes an event once that two of them send at once', () => {
    const room = joined()
    room.do(hello({ device: 'e' }))
    const known = new Map<string, number>()
    room.do(
      publish(1, undefined, ['a-1', 'a-2'], { known }),
      publish(1, undefined, ['a-2', 'a-3'], { known, device: 'e' }),
    )
    expect(room.last.records.map(({ headers }) => headers.map(({ id }) => id))).toEqual([
      ['a-1', 'a-2'],
      ['a-3'],
    ])
    expect(room.last.records[1]?.earlier).toEqual([[0, 2]])
  })

  it('counts the devices of a log', () => {
    const room = joined()
    room.do(hello({ device: 'e' }), hello({ device: 'f', log: 'other' }), hello())
    expect([...room.state.logs]).toEqual([
      ['log', { devices: 2, subject: 'ann' }],
      ['other', { devices: 1, subject: 'ann' }],
    ])
  })
})

describe('post', () => {
  const post = (ids: (string | undefined)[], extra: Partial<PostCommand> = {}): PostCommand => ({
    kind: 'post',
    time: 100,
    mayPublish: everything,
    known: new Map(),
    nesting: 512,
    events: ids.map((id) => ({
      ...(id !== undefined && { id }),
      header: { type: 'a.b', source: 's', time: 1 },
      data: '1',
    })),
    ...extra,
  })

  it('gives ids to events that have none, and answers with positions', () => {
    const room = new Room()
    expect(room.do(post([undefined, 'h-x', undefined]))).toEqual({
      kind: 'posted',
      events: [
        { id: 'p-1', position: `e.1.${checkOf('p-1')}`, existing: false },
        { id: 'h-x', position: `e.2.${checkOf('h-x')}`, existing: false },
        { id: 'p-2', position: `e.3.${checkOf('p-2')}`, existing: false },
      ],
    })
    expect(room.last.records).toMatchObject([{ place: 1, count: 3, indexes: [], lastId: 'p-2' }])
    expect(room.last.records[0]).not.toHaveProperty('device')
    room.do(post([undefined]))
    expect(room.last.records[0]?.lastId).toBe('p-3')
  })

  it('answers for what the room has already, and writes only what it has not', () => {
    const room = new Room()
    const reply = room.do(
      post(['h-x', 'h-y', 'h-y'], { known: new Map([['h-x', { position: 'e.9.abc' }]]) }),
    )
    expect(reply).toEqual({
      kind: 'posted',
      events: [
        { id: 'h-x', position: 'e.9.abc', existing: true },
        { id: 'h-y', position: `e.1.${checkOf('h-y')}`, existing: false },
        { id: 'h-y', position: `e.1.${checkOf('h-y')}`, existing: true },
      ],
    })
    room.do(post(['h-x'], { known: new Map([['h-x', { position: 'e.9.abc' }]]) }))
    expect(isWrite(room.last)).toBe(false)
  })

  it('refuses all where one may not be published, or is too large', () => {
    const room = new Room()
    expect(room.do(post(['h-x', 'h-y'], { mayPublish: () => false }))).toMatchObject({
      code: 'forbidden',
    })
    const [event] = post(['h-x']).events
    const large = {
      ...event,
      data: JSON.stringify('x'.repeat(MAX_EVENT_BYTES)),
    } as PostCommand['events'][number]
    expect(room.do(post([], { events: [...post(['h-y']).events, large] }))).toMatchObject({
      code: 'too_large',
    })
    expect(isWrite(room.last)).toBe(false)
  })
})
