import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { MemoryLog } from '../log/memory.ts'
import { ownBatch, roomBatch } from '../log/record.ts'
import type { Run } from '../protocol/frames.ts'
import { checkOf, positionOf } from '../protocol/position.ts'
import { eventsOf } from '../read/walk.ts'
import { EntryMaker } from '../testing/entries.ts'
import { type Matched, Matcher } from './match.ts'

let maker: EntryMaker
let log: MemoryLog
let looks: string[]

beforeEach(async () => {
  maker = new EntryMaker()
  log = new MemoryLog(maker.platform)
  await log.open()
  looks = []
})

function matcher(): Matcher {
  return new Matcher({
    find: (id) => {
      looks.push(id)
      return log.find(id)
    },
    highest: (prefix) => {
      looks.push(prefix)
      return log.highest(prefix)
    },
  })
}

const header = (id: string) => ({ id, type: 'a', source: 'x', time: 1 })

function run(place: number, ...ids: string[]): Run {
  return { place, time: 1, events: ids.map(header) }
}

const texts = (runs: readonly Run[]) =>
  runs.flatMap((one) => ('events' in one ? one.events.map(({ id }) => `"${id}"`) : []))

function match(runs: readonly Run[], by = matcher(), restored = false): Promise<Matched> {
  return by.match({ runs }, texts(runs), restored)
}

describe('a stream batch of new events', () => {
  test('goes on as it is', async () => {
    const runs = [run(1, 'p-1', 'p-2'), run(3, 'q-1')]
    expect(await match(runs)).toEqual({ runs, data: ['"p-1"', '"p-2"', '"q-1"'] })
  })

  test('asks the log once for each publisher', async () => {
    const by = matcher()
    await match([run(1, 'p-1', 'p-2')], by)
    await match([run(3, 'p-3', 'q-1')], by)
    await match([run(5, 'p-4', 'q-2')], by)
    expect(looks).toEqual(['p', 'q'])
  })

  test('a publisher whose numbers come out of order is looked up, and is new all the same', async () => {
    const by = matcher()
    await match([run(1, 'p-5')], by)
    const runs = [run(2, 'p-3')]
    expect((await match(runs, by)).runs).toEqual(runs)
  })
})

describe('events that the log has', () => {
  test('own ones of an older identity become a run that points to them', async () => {
    const entries = maker.entries(3)
    const batch = await log.append(ownBatch(entries, 1))
    const ids = entries.map(({ event }) => event.id)
    const runs = [run(7, 'p-1', ids[1] as string, ids[2] as string, 'p-2')]
    expect(await match(runs)).toEqual({
      runs: [
        run(7, 'p-1'),
        { place: 8, time: 1, held: { batch, indexes: [1, 2] } },
        run(10, 'p-2'),
      ],
      data: ['"p-1"', '"p-2"'],
    })
  })

  test('own ones written after this publisher was looked up first are found', async () => {
    const by = matcher()
    const [first, second] = maker.entries(2)
    await log.append(ownBatch([first as never], 1))
    await match([run(1, first?.event.id as string)], by)
    const batch = await log.append(ownBatch([second as never], 1))
    expect((await match([run(2, second?.event.id as string)], by)).runs).toEqual([
      { place: 2, time: 1, held: { batch, indexes: [0] } },
    ])
  })

  test('a publisher that outlived its log, whose former events came back as of another device', async () => {
    const by = matcher()
    const [first, second] = maker.entries(2)
    const ids = [first, second].map((entry) => entry?.event.id as string)
    const term = await log.takeTerm('n')
    await log.welcomed({ term, cursor: 'e.0.0', liveAfter: 0, subject: 'u', reads: '' })
    const runs = [run(1, ids[0] as string)]
    const frame = { frame: 'stream', prev: 'e.0.0', position: 'e.1.x', runs } as const
    await match(runs, by)
    await log.appendRoom(roomBatch(frame, ['1'], 'e', 1), term)
    const batch = await log.append(ownBatch([second as never], 1))
    by.publishedHere(maker.composer.prefix)
    expect((await match([run(2, ids[1] as string)], by)).runs).toEqual([
      { place: 2, time: 1, held: { batch, indexes: [0] } },
    ])
  })

  test('a post by HTTP that comes again is looked for only where the room went back once', async () => {
    const term = await log.takeTerm('n')
    const welcomed = { term, cursor: 'e.0.0', liveAfter: 0, subject: 'u', reads: '' }
    await log.welcomed(welcomed)
    const frame = {
      frame: 'stream',
      prev: 'e.0.0',
      position: 'e.1.x',
      runs: [run(1, 'h-x')],
    } as const
    const record = await log.appendRoom(roomBatch(frame, ['1'], 'e', 1), term)
    expect((await match([run(4, 'h-x')], matcher(), true)).runs).toEqual([
      { place: 4, time: 1, held: { batch: record, indexes: [0] } },
    ])
    looks.length = 0
    await match([run(4, 'h-y')])
    expect(looks).toEqual([])
  })
})

test('whatever of a room comes again, and in whatever pieces, each event is in the log once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.array(fc.tuple(fc.constantFrom('p', 'q', 'own'), fc.integer({ min: 1, max: 9 })), {
          minLength: 1,
          maxLength: 6,
        }),
        { maxLength: 12 },
      ),
      async (frames) => {
        const local = new EntryMaker()
        const one = new MemoryLog(local.platform)
        await one.open()
        const entries = local.entries(9)
        await one.append(ownBatch(entries.slice(0, 5), 1))
        await one.append(ownBatch(entries.slice(5), 1))
        const term = await one.takeTerm('n')
        await one.welcomed({ term, cursor: 'e.0.0', liveAfter: 0, subject: 'u', reads: '' })
        const by = new Matcher(one)
        let place = 0
        let prev = 'e.0.0'
        const sent = new Set<string>()
        for (const ids of frames) {
          const named = ids.map(([prefix, n]) =>
            prefix === 'own' ? (entries[n - 1]?.event.id as string) : `${prefix}-${n}`,
          )
          for (const id of named) sent.add(id)
          const runs = [run(place + 1, ...named)]
          place += named.length
          const position = positionOf('e', place, checkOf(named.at(-1) as string))
          const matched = await by.match({ runs }, texts(runs), false)
          const frame = { frame: 'stream', prev, position, runs: matched.runs } as const
          await one.appendRoom(roomBatch(frame, matched.data, 'e', 1), term)
          prev = position
        }
        const inLog = (await one.read(0, 1_000)).flatMap((batch) =>
          eventsOf(batch).map(({ header: { id } }) => id),
        )
        const own = entries.map(({ event }) => event.id)
        expect(new Set(inLog).size).toBe(inLog.length)
        expect(new Set(inLog)).toEqual(new Set([...own, ...sent]))
      },
    ),
  )
})
