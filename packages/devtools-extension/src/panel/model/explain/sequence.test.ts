import { describe, expect, it } from 'vitest'
import { sequenceOf } from './index.ts'
import { header, type Told, told } from './testing/sessions.ts'

const event = header('pub-1')
const ids = [['pub', 1, 1]] as const
const publisher: Told = {
  peer: 'pub',
  records: [
    { at: 100, is: 'published', events: [event] },
    { at: 101, is: 'posted', via: 'tabs', ids, bytes: 1 },
    { at: 102, is: 'posted', via: 'relay', ids, bytes: 1 },
  ],
}
const arrows = ({ lanes, messages }: ReturnType<typeof sequenceOf>) =>
  messages.map(({ from, to, via }) => `${lanes[from]?.peer} ${via} ${lanes[to]?.peer}`)

describe('a sequence', () => {
  it('has the contexts of a device side by side, and who told whom', () => {
    const session = told([
      publisher,
      { peer: 'tab', records: [{ at: 103, is: 'received', via: 'tabs', origin: 'device', ids }] },
      {
        peer: 'relay:r:1',
        kind: 'relay',
        records: [
          { at: 110, is: 'received', via: 'relay', origin: 'room', ids },
          { at: 112, is: 'posted', via: 'relay', ids, bytes: 1, to: 'phone' },
        ],
      },
      {
        peer: 'phone1',
        device: 'phone',
        records: [{ at: 120, is: 'received', via: 'relay', origin: 'room', ids }],
      },
      {
        peer: 'phone2',
        device: 'phone',
        subscriptions: [{}],
        records: [
          { at: 125, is: 'received', via: 'tabs', origin: 'room', ids },
          { at: 130, is: 'handled', sub: 1, ids, ms: [4] },
        ],
      },
    ])
    const sequence = sequenceOf(session, ['pub-1'])
    expect(sequence.lanes.map(({ peer }) => peer)).toEqual([
      'pub',
      'tab',
      'relay:r:1',
      'phone1',
      'phone2',
    ])
    expect(arrows(sequence)).toEqual([
      'pub tabs tab',
      'pub relay relay:r:1',
      'relay:r:1 relay phone1',
      'phone1 tabs phone2',
    ])
    expect(sequence.messages.map(({ ms }) => Math.round(ms))).toEqual([2, 8, 8, 5])
    expect(sequence.bars).toHaveLength(1)
    const [bar] = sequence.bars
    expect((bar?.to ?? 0) - (bar?.from ?? 0)).toBeCloseTo(4)
  })

  it('never has an arrow against time: it says so where clocks disagree by too much', () => {
    const session = told([
      publisher,
      { peer: 'tab', records: [{ at: 50, is: 'received', via: 'tabs', origin: 'device', ids }] },
    ])
    const { messages, notes } = sequenceOf(session, ['pub-1'])
    expect(messages).toEqual([])
    expect(notes).toEqual([
      expect.stringMatching(
        /^order\.placed: by the clocks of tab 1 and tab 2 it arrived 51\.0 ms before it was sent, which is more than they are known to be off \(± 1\.00 ms\)\. Its way between them is not drawn: was a clock set\?$/,
      ),
    ])
  })

  it('drew no arrow from a tab to its service worker, as their clocks were 1.10 ms apart', () => {
    const session = told([
      { ...publisher, since: 0.1 },
      {
        peer: 'worker',
        kind: 'service-worker',
        since: 0.1,
        records: [{ at: 99.9, is: 'received', via: 'tabs', origin: 'device', ids }],
      },
    ])
    const { messages, notes } = sequenceOf(session, ['pub-1'])
    expect(notes).toBeUndefined()
    expect(messages).toMatchObject([{ ms: 0, plusMinus: 0 }])
  })

  it('asked whether a clock was set where a busy leader told late what it had passed on', () => {
    const heard: Told = {
      peer: 'worker',
      records: [{ at: 108, is: 'received', via: 'tabs', origin: 'room', ids }],
    }
    const room = sequenceOf(
      told([
        {
          peer: 'leader',
          records: [
            { at: 120, is: 'received', via: 'relay', origin: 'room', ids, events: [event] },
          ],
        },
        heard,
      ]),
      ['pub-1'],
    )
    expect(room.notes?.filter((note) => note.includes('clock was set')) ?? []).toEqual([])
    const ways = room.messages.map(({ from, to, untimed }) => [
      room.lanes[from]?.peer,
      room.lanes[to]?.peer,
      untimed,
    ])
    expect(ways).toContainEqual(['leader', 'worker', true])
    // Nor did it ask of its own, posted before that was written down.
    const own = sequenceOf(
      told([
        {
          peer: 'pub',
          records: [
            { at: 100, is: 'published', events: [event] },
            { at: 120, is: 'posted', via: 'tabs', ids, bytes: 1 },
          ],
        },
        { ...heard, records: [{ at: 108, is: 'received', via: 'tabs', origin: 'device', ids }] },
      ]),
      ['pub-1'],
    )
    expect(own.notes).toBeUndefined()
    expect(own.messages).toMatchObject([{ untimed: true }])
  })

  it('draws what is within the error of clocks as no time at all', () => {
    const session = told([
      publisher,
      { peer: 'tab', records: [{ at: 100.5, is: 'received', via: 'tabs', origin: 'device', ids }] },
    ])
    const { messages } = sequenceOf(session, ['pub-1'])
    expect(messages).toMatchObject([{ ms: 0 }])
    expect(messages[0]?.arrived).toBe(messages[0]?.sent)
  })

  it('says where it went no further', () => {
    const session = told([
      publisher,
      {
        peer: 'relay:r:1',
        kind: 'relay',
        records: [
          { at: 110, is: 'received', via: 'relay', origin: 'room', ids },
          { at: 111, is: 'dropped', ids, count: 1, why: 'no_right', to: 'phone' },
        ],
      },
      { peer: 'phone1', device: 'phone', records: [] },
    ])
    const sequence = sequenceOf(session, ['pub-1'])
    expect(arrows(sequence)).toEqual(['pub relay relay:r:1', 'relay:r:1 relay phone1'])
    expect(sequence.messages[1]).toMatchObject({ failed: 'not sent: no right to it' })
  })

  it('leaves out what is not known', () => {
    expect(sequenceOf(told([]), ['x-1'])).toEqual({ lanes: [], messages: [], bars: [] })
  })
})
