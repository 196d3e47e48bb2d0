import { beforeEach, describe, expect, test } from 'vitest'
import { offsetOf } from '../event.ts'
import { MemoryLog } from '../log/memory.ts'
import { ownBatch, roomBatch } from '../log/record.ts'
import { checkOf, positionOf } from '../protocol/position.ts'
import { EntryMaker } from '../testing/entries.ts'
import type { ReadFrom } from '../types.ts'
import { startOffset } from './bounds.ts'
import { eventById } from './by-id.ts'
import { type LoggedEvent, walk } from './walk.ts'

let maker: EntryMaker
let log: MemoryLog

beforeEach(async () => {
  maker = new EntryMaker()
  log = new MemoryLog(maker.platform)
  await log.open()
})

/** Writes a batch of as many events, at a time. */
function write(count: number, time = 1): Promise<number> {
  return log.append(ownBatch(maker.entries(count), time))
}

/** A room whose first batch confirms record 1, and holds two events of others around it. */
async function joinRoom(): Promise<void> {
  const term = await log.takeTerm('n')
  const cursor = 'e.0.0'
  await log.welcomed({ term, cursor, liveAfter: 0, subject: 'u', reads: '[]' })
  const other = (n: number) => ({ id: `r-${n}`, type: 'a', source: 'x', time: 1 })
  const runs = [
    { place: 1, time: 1, events: [other(1)] },
    { place: 2, time: 1, own: { batch: 1, indexes: [0, 2] } },
    { place: 4, time: 1, events: [other(2)] },
  ]
  const position = positionOf('e', 4, checkOf('r-2'))
  const frame = { frame: 'stream', prev: cursor, position, runs } as const
  await log.appendRoom(roomBatch(frame, ['1', '2'], 'e', 1), term)
}

async function read(from: number): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = []
  for await (const chunk of walk(log, from, () => {})) events.push(...chunk)
  return events
}

const start = (from: ReadFrom) => startOffset(log, from, () => true)

describe('walking', () => {
  test('an empty log gives nothing', async () => {
    expect(await read(0)).toEqual([])
  })

  test('gives every event in order, over more records than are read at once', async () => {
    for (let i = 0; i < 70; i++) await write(2)
    const offsets = (await read(0)).map(({ offset }) => offset)
    expect(offsets).toEqual(
      Array.from({ length: 140 }, (_, i) => offsetOf(1 + Math.floor(i / 2), i % 2)),
    )
  })

  test('starts in the middle of a record', async () => {
    await write(3)
    await write(1)
    expect((await read(offsetOf(1, 1))).map(({ offset }) => offset)).toEqual([
      offsetOf(1, 1),
      offsetOf(1, 2),
      offsetOf(2, 0),
    ])
  })

  test('goes on to what was written during the walk', async () => {
    for (let i = 0; i < 32; i++) await write(1)
    let count = 0
    for await (const events of walk(log, 0, () => {})) {
      if (count === 0) await write(1)
      count += events.length
    }
    expect(count).toBe(33)
  })

  test('passes placeholders over; own events stand where they were written, with position', async () => {
    await write(3)
    await joinRoom()
    const [first, second, third] = (await read(0)).map(({ header }) => header.id)
    const position = (place: number, id = '') => positionOf('e', place, checkOf(id))
    expect(
      (await read(0)).map(({ header, offset, position }) => [header.id, offset, position]),
    ).toEqual([
      [first, offsetOf(1, 0), position(2, first)],
      [second, offsetOf(1, 1), undefined],
      [third, offsetOf(1, 2), position(3, third)],
      ['r-1', offsetOf(2, 0), position(1, 'r-1')],
      ['r-2', offsetOf(2, 3), position(4, 'r-2')],
    ])
  })
})

describe('where reading starts', () => {
  beforeEach(async () => {
    await write(3, 100)
    await write(2, 200)
    await write(1, 200)
    await write(1, 300)
  })

  test.each<[ReadFrom, number]>([
    ['start', 0],
    [offsetOf(2, 1), offsetOf(2, 1)],
    [new Date(0), offsetOf(1, 0)],
    [new Date(100), offsetOf(1, 0)],
    [new Date(101), offsetOf(2, 0)],
    [new Date(200), offsetOf(2, 0)],
    [new Date(300), offsetOf(4, 0)],
    [{ last: 1 }, offsetOf(4, 0)],
    [{ last: 4 }, offsetOf(2, 0)],
    [{ last: 5 }, offsetOf(1, 2)],
    [{ last: 100 }, offsetOf(1, 0)],
  ])('%o is offset %d', async (from, offset) => {
    expect(await start(from)).toBe(offset)
  })

  test.each<[ReadFrom]>([['now'], [new Date(301)], [{ last: 0 }], [offsetOf(9, 0)]])(
    '%o is behind the newest event',
    async (from) => {
      expect(await read(await start(from))).toEqual([])
    },
  )

  test('the last of those that match', async () => {
    await log.append(ownBatch([maker.entry('b')], 300))
    const offset = await startOffset(log, { last: 2 }, ({ header }) => header.type === 'a')
    expect(offset).toBe(offsetOf(3, 0))
  })

  test.each([
    [-1],
    [1.5],
    [Number.NaN],
    [new Date(Number.NaN)],
    [{ last: -1 }],
    [{ last: 1.5 }],
    [{}],
    [null],
    [undefined],
    [true],
  ])('%o is refused', async (from) => {
    await expect(start(from as ReadFrom)).rejects.toMatchObject({ code: 'invalid_options' })
  })
})

describe('a position', () => {
  beforeEach(async () => {
    await write(3)
    await joinRoom()
  })

  test('of an event of another device is where it stands', async () => {
    expect(await start(positionOf('e', 4, checkOf('r-2')))).toBe(offsetOf(2, 3))
  })

  test('of a cursor is where the event at it stands', async () => {
    expect(await start(positionOf('e', 4, checkOf('r-2'), 'chain'))).toBe(offsetOf(2, 3))
  })

  test('of an own event is where that was written', async () => {
    const third = (await read(0))[2]
    expect(await start(third?.position as string)).toBe(offsetOf(1, 2))
  })

  test.each([
    ['with another check', positionOf('e', 4, checkOf('r-9'))],
    ['of an own event, with another check', positionOf('e', 2, checkOf('r-9'))],
    ['of another epoch', positionOf('f', 4, checkOf('r-2'))],
    ['beyond the head', positionOf('e', 5, checkOf('r-2'))],
    ['that is none', 'beginning'],
    ['that is empty', ''],
  ])('%s is not in this log', async (_, position) => {
    await expect(start(position)).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('an event by its id', () => {
  test('is found with offset and position, own or of another device', async () => {
    await write(3)
    await joinRoom()
    for (const event of await read(0)) {
      expect(await eventById(log, event.header.id, true)).toEqual(event)
    }
  })

  test('that the log does not have is not found', async () => {
    await write(1)
    const { prefix } = maker.composer
    for (const id of [`${prefix}-0`, `${prefix}-2`, 'other-1', 'h-1', '']) {
      expect(await eventById(log, id, true), id).toBeUndefined()
    }
  })
})
