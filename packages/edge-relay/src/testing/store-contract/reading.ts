import type { RoomRecord } from '../../record.ts'
import type { Part } from './part.ts'
import { ALL, appendOf, EMPTY, recordOf, refusedRecord } from './records.ts'

export const reading: Part = ({ expect, it }) => {
  it('knows nothing of a room without log, and makes none on a read', async (store) => {
    for (let again = 0; again < 2; again++) {
      expect(await store.load('r')).toBe(undefined)
      expect(await store.head('r')).toBe(undefined)
      expect(await store.stats('r')).toBe(undefined)
      expect(await store.read('r', 0, ALL)).toEqual([])
      expect(await store.find('r', 'a-1')).toBe(undefined)
      expect(await store.findByTime('r', 0)).toBe(undefined)
    }
  })

  it('gives single values of its state, and loads those of streams and dead letters no other way', async (store) => {
    expect(await store.state('r', ['stream/s'])).toEqual([undefined])
    const first = appendOf(
      EMPTY,
      [recordOf(['a-1'])],
      [
        ['device/a', '1'],
        ['stream/s', '[1,"a-1"]'],
        ['stream/0', 'x'],
        ['stream/ü 😀', 'y'],
        ['dead/mail/1', 'z'],
        ['deads', '3'],
        ['streams', '2'],
      ],
    )
    expect(await store.append('r', first)).toBe(true)
    expect(new Map((await store.load('r'))?.state)).toEqual(
      new Map([
        ['device/a', '1'],
        ['deads', '3'],
        ['streams', '2'],
      ]),
    )
    const keys = ['stream/ü 😀', 'stream/none', 'stream/s', 'streams', 'stream/0', 'dead/mail/1']
    expect(await store.state('r', keys)).toEqual(['y', undefined, '[1,"a-1"]', '2', 'x', 'z'])
    const second = appendOf(first.head, [], [['stream/s', '[2,"a-2"]']])
    expect(await store.append('r', second)).toBe(true)
    expect(await store.state('r', ['stream/s'])).toEqual(['[2,"a-2"]'])
  })

  it('reads from any place, in order, up to the limits but at least one record', async (store) => {
    const records = [
      recordOf(['a-1', 'a-2', 'a-3']),
      refusedRecord('a-4'),
      recordOf(['a-5']),
      recordOf(['a-6']),
    ]
    const append = appendOf(EMPTY, records, [])
    await store.append('r', append)
    const [three, none, five, six] = append.records as [
      RoomRecord,
      RoomRecord,
      RoomRecord,
      RoomRecord,
    ]
    expect(await store.read('r', 0, { events: 1, bytes: 1 })).toEqual([three])
    expect(await store.read('r', 2, { events: 1, bytes: 1 })).toEqual([three])
    expect(await store.read('r', 3, { events: 2, bytes: 1_000_000 })).toEqual([none, five])
    expect(await store.read('r', 3, { events: 9, bytes: five.bytes })).toEqual([none, five])
    expect(await store.read('r', 4, ALL)).toEqual([five, six])
    expect(await store.read('r', 6, ALL)).toEqual([])
  })

  it('finds events by id, whatever the order of their counters', async (store) => {
    const append = appendOf(
      EMPTY,
      [recordOf(['a-1', 'a-5']), recordOf(['b-1', 'a-3', 'h-q-7']), recordOf(['a-9'])],
      [],
    )
    await store.append('r', append)
    const where = async (id: string): Promise<unknown> => {
      const found = await store.find('r', id)
      return found && [found.record.place, found.index]
    }
    expect(await where('a-1')).toEqual([1, 0])
    expect(await where('a-5')).toEqual([1, 1])
    expect(await where('a-3')).toEqual([3, 1])
    expect(await where('h-q-7')).toEqual([3, 2])
    expect(await where('a-9')).toEqual([6, 0])
    for (const id of ['a-2', 'a-10', 'a', 'c-1', 'h-q', '']) expect(await where(id)).toBe(undefined)
  })

  it('finds the first record of a time', async (store) => {
    const records = [10, 10, 20.5, 30].map((time, i) => ({ ...recordOf([`a-${i + 1}`]), time }))
    await store.append('r', appendOf(EMPTY, records, []))
    expect(await store.findByTime('r', 0)).toBe(1)
    expect(await store.findByTime('r', 10)).toBe(1)
    expect(await store.findByTime('r', 11)).toBe(3)
    expect(await store.findByTime('r', 30)).toBe(4)
    expect(await store.findByTime('r', 31)).toBe(undefined)
  })

  it('lists its rooms in order, in pages', async (store) => {
    expect(await store.rooms('', 10)).toEqual([])
    for (const name of ['b', 'a', 'C', 'a-1', 'b.x'])
      await store.append(name, appendOf(EMPTY, [recordOf(['a-1'])], []))
    expect(await store.rooms('', 10)).toEqual(['C', 'a', 'a-1', 'b', 'b.x'])
    expect(await store.rooms('', 2)).toEqual(['C', 'a'])
    expect(await store.rooms('a', 2)).toEqual(['a-1', 'b'])
    expect(await store.rooms('b.x', 2)).toEqual([])
  })
}
