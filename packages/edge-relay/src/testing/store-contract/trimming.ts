import type { RoomRecord } from '../../record.ts'
import { TRIMMED_MARKS, TRIMMED_RANGES } from '../../stores/store.ts'
import type { Part } from './part.ts'
import { ALL, appendOf, EMPTY, KEEP, markOf, recordOf, refusedRecord } from './records.ts'

export const trimming: Part = ({ expect, it }) => {
  it('trims the oldest records, as many as are over a limit, and nothing else', async (store) => {
    const records = [
      { ...recordOf(['a-1', 'a-2']), time: 10 },
      { ...refusedRecord('a-3'), time: 10 },
      { ...recordOf(['b-1', 'a-4']), time: 20 },
      { ...recordOf(['a-5']), time: 30 },
    ]
    const append = appendOf(EMPTY, records, [['device/d', '1']])
    await store.append('r', append)
    await store.append('other', append)
    const [, , third, fourth] = append.records as [RoomRecord, RoomRecord, RoomRecord, RoomRecord]
    expect(await store.first('r')).toEqual({ place: 0, check: '0', chain: '' })
    expect(await store.trim('r', KEEP, ALL)).toBe(false)
    expect(await store.first('r')).toEqual({ place: 0, check: '0', chain: '' })

    expect(await store.trim('r', { ...KEEP, since: 20 }, ALL)).toBe(false)
    expect(await store.first('r')).toEqual(markOf('a-3', 3))
    expect(await store.read('r', 0, ALL)).toEqual([third, fourth])
    expect(await store.find('r', 'a-1')).toBe(undefined)
    expect((await store.find('r', 'a-4'))?.record).toEqual(third)
    expect((await store.find('r', 'b-1'))?.index).toBe(0)
    expect(await store.findByTime('r', 0)).toBe(4)
    const bytes = third.bytes + fourth.bytes
    expect(await store.stats('r')).toEqual({ head: append.head, events: 3, bytes, devices: 1 })

    expect(await store.trim('r', { ...KEEP, bytes: bytes - 1 }, ALL)).toBe(false)
    expect(await store.read('r', 0, ALL)).toEqual([fourth])
    expect(await store.trim('r', { ...KEEP, events: 0 }, ALL)).toBe(false)
    expect(await store.first('r')).toEqual(markOf('a-5', 6))
    expect(await store.read('r', 0, ALL)).toEqual([])
    expect(await store.find('r', 'a-5')).toBe(undefined)
    expect(await store.load('r')).toEqual({ head: append.head, state: [['device/d', '1']] })

    const more = appendOf(append.head, [recordOf(['a-6', 'b-2'])], [])
    expect(await store.append('r', more)).toBe(true)
    expect(await store.read('r', 0, ALL)).toEqual(more.records)
    expect((await store.find('r', 'b-2'))?.index).toBe(1)
    expect(await store.read('other', 0, ALL)).toEqual(append.records)
  })

  it('trims in steps of at least one record, and says whether there is more to do', async (store) => {
    const records = Array.from({ length: 7 }, (_, i) =>
      recordOf([`a-${2 * i + 1}`, `a-${2 * i + 2}`]),
    )
    await store.append('r', appendOf(EMPTY, records, []))
    const keep = { ...KEEP, events: 5 }
    const size = async (): Promise<unknown> => (await store.stats('r'))?.events
    expect(await store.trim('r', keep, { events: 1, bytes: 1 })).toBe(true)
    expect(await size()).toBe(12)
    expect(await store.trim('r', keep, { events: 4, bytes: 1_000_000 })).toBe(true)
    expect(await size()).toBe(8)
    expect(await store.trim('r', keep, { events: 4, bytes: 1_000_000 })).toBe(false)
    expect(await size()).toBe(4)
    expect(await store.first('r')).toEqual(markOf('a-10', 10))
  })

  it('trims batches that were refused as a whole, with nothing else', async (store) => {
    const records = [
      { ...refusedRecord('a-1'), time: 10 },
      { ...recordOf(['a-2']), time: 30 },
    ]
    const append = appendOf(EMPTY, records, [])
    await store.append('r', append)
    const kept = append.records.slice(1)
    expect(await store.trim('r', { ...KEEP, since: 20 }, ALL)).toBe(false)
    expect(await store.read('r', 0, ALL)).toEqual(kept)
    expect(await store.first('r')).toEqual(markOf('a-1', 1))
    expect(await store.stats('r')).toEqual({
      head: append.head,
      events: 1,
      bytes: kept[0]?.bytes,
      devices: 0,
    })
  })

  it('remembers which events of devices were trimmed away', async (store) => {
    const records = [
      recordOf(['a-1', 'a-2', 'b-7'], { device: 'd', batch: 1 }),
      recordOf(['a-3', 'h-x'], { device: 'd', batch: 2 }),
      recordOf(['c-1']),
      recordOf(['a-6', 'a-9', 'b-4'], { device: 'd', batch: 4 }),
      recordOf(['a-5', 'b-5'], { device: 'e', batch: 1 }),
    ]
    const append = appendOf(EMPTY, records, [])
    await store.append('r', append)
    await store.append('other', append)
    const ids = (prefix: string) => Array.from({ length: 10 }, (_, i) => `${prefix}-${i + 1}`)
    const gone = async (room = 'r'): Promise<string> => {
      const found: string[] = []
      for (const id of [...ids('a'), ...ids('b'), ...ids('c'), 'h-x'])
        if (await store.wasTrimmed(room, id)) found.push(id)
      return found.join(' ')
    }
    expect(await gone()).toBe('')
    await store.trim('r', { ...KEEP, events: 8 }, ALL)
    expect(await gone()).toBe('a-1 a-2 b-7')
    // Posts are known by ids that say nothing of one another.
    await store.trim('r', { ...KEEP, events: 5 }, ALL)
    expect(await gone()).toBe('a-1 a-2 a-3 b-7')
    // Of one batch, what is between two events of a publisher is not missing. Of two it may be.
    await store.trim('r', { ...KEEP, events: 2 }, ALL)
    expect(await gone()).toBe('a-1 a-2 a-3 a-6 a-7 a-8 a-9 b-4 b-7')
    // What came behind a later one closes up.
    await store.trim('r', { ...KEEP, events: 0 }, ALL)
    expect(await gone()).toBe('a-1 a-2 a-3 a-5 a-6 a-7 a-8 a-9 b-4 b-5 b-7')
    expect(await gone('other')).toBe('')
    expect(await gone('none')).toBe('')
  })

  it('remembers where the records ended that were trimmed away', async (store) => {
    const records = [recordOf(['a-1']), recordOf(['a-2', 'a-3']), recordOf(['a-4'])]
    await store.append('r', appendOf(EMPTY, records, []))
    const at = (...places: number[]): Promise<unknown[]> =>
      Promise.all(places.map((place) => store.trimmedAt('r', place)))
    const start = { place: 0, check: '0', chain: '' }
    await store.trim('r', { ...KEEP, events: 3 }, ALL)
    expect(await at(0, 1)).toEqual([start, markOf('a-1', 1)])
    await store.trim('r', { ...KEEP, events: 0 }, ALL)
    expect(await at(0, 1, 2, 3, 4, 9)).toEqual([
      start,
      markOf('a-1', 1),
      markOf('a-1', 1),
      markOf('a-3', 3),
      markOf('a-4', 4),
      markOf('a-4', 4),
    ])
    expect(await store.trimmedAt('none', 1)).toBe(undefined)
  })

  it('forgets where records ended when that many were trimmed since', async (store) => {
    const one = (_: unknown, i: number): RoomRecord => recordOf([`a-${i + 1}`])
    const records = Array.from({ length: TRIMMED_MARKS + 2 }, one)
    await store.append('r', appendOf(EMPTY, records, []))
    await store.trim('r', { ...KEEP, events: 0 }, ALL)
    expect(await store.trimmedAt('r', 2)).toBe(undefined)
    expect(await store.trimmedAt('r', 3)).toEqual(markOf('a-3', 3))
  })

  it('forgets what was trimmed away when much else was trimmed since', async (store) => {
    const early = appendOf(EMPTY, [recordOf(['old-1', 'p0x0-9'], { device: 'd', batch: 1 })], [])
    await store.append('r', early)
    const many = Array.from({ length: TRIMMED_RANGES / 500 }, (_, k) =>
      recordOf(
        Array.from({ length: 500 }, (_, i) => `p${k}x${i}-1`),
        { device: 'd', batch: k + 2 },
      ),
    )
    await store.append('r', appendOf(early.head, many, []))
    const keep = (events: number): Promise<boolean> => store.trim('r', { ...KEEP, events }, ALL)
    const gone = (...ids: string[]): Promise<boolean[]> =>
      Promise.all(ids.map((id) => store.wasTrimmed('r', id)))
    await keep(500)
    expect(await gone('old-1', 'p0x0-9', 'p0x0-1')).toEqual([true, true, true])
    await keep(0)
    expect(await gone('old-1', 'p0x0-9', 'p0x0-1')).toEqual([false, false, true])
  })

  it('knows nothing to trim in a room without log', async (store) => {
    expect(await store.trim('r', { ...KEEP, events: 0 }, ALL)).toBe(false)
    expect(await store.first('r')).toEqual({ place: 0, check: '0', chain: '' })
    expect(await store.head('r')).toBe(undefined)
  })
}
