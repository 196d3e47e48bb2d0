import { checkOf, type EventHeader, utf8Length } from '@crosstown/bus/protocol'
import type { Mark, RoomHead, RoomRecord } from '../record.ts'
import {
  type Append,
  DELETED_EPOCHS,
  DELETED_LOGS,
  type Store,
  TRIMMED_MARKS,
  TRIMMED_RANGES,
} from '../stores/store.ts'

/** What the suite needs of a test runner; vitest's and `node:test` with an `expect` will do. */
export interface TestRunner {
  readonly describe: (name: string, run: () => void) => void
  readonly it: (name: string, run: () => Promise<void>) => void
  readonly expect: (value: unknown) => {
    toBe(expected: unknown): void
    toEqual(expected: unknown): void
  }
}

/** A store under test. */
export interface StoreFixture {
  readonly store: Store
  /** Opens again what `store`, which was closed, had written; absent where nothing outlives a close. */
  readonly reopen?: () => Promise<Store>
  /** Whether nothing is left to `purge` of a room that was deleted. @default false */
  readonly deletesAtOnce?: boolean
  /** Called after each test, with all stores closed. */
  readonly dispose?: () => Promise<void>
}

/**
 * What every store is held to.
 *
 * @example
 * import { describe, expect, it } from 'vitest'
 * storeContract({ describe, it, expect }, 'memory', async () => ({ store: memoryStore() }))
 */
export function storeContract(
  runner: TestRunner,
  name: string,
  open: () => Promise<StoreFixture>,
): void {
  const { describe, expect } = runner
  const it = (title: string, run: (store: Store, fixture: StoreFixture) => Promise<void>): void => {
    runner.it(title, async () => {
      const fixture = await open()
      try {
        await run(fixture.store, fixture)
      } finally {
        await fixture.store.close()
        await fixture.dispose?.()
      }
    })
  }

  describe(`${name} keeps the store contract`, () => {
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

    it('gives records, state and head back as they were appended', async (store) => {
      const first = appendOf(
        EMPTY,
        [recordOf(['a-1', 'a-2'], { device: 'd', batch: 7 })],
        [['device/d', '{"x":1}']],
      )
      expect(await store.append('r', first)).toBe(true)
      const odd = recordOf(['a-4', 'h-xyz'], {
        device: 'd',
        batch: 9,
        indexes: [1, 3],
        refused: [
          [0, 'forbidden'],
          [2, 'too_large'],
        ],
        earlier: [[4, 1]],
        data: ['', '"\\n \r\u0000ü 😀"'],
      })
      const second = appendOf(
        first.head,
        [odd, refusedRecord('a-9')],
        [
          ['device/d', '{"x":2}'],
          ['other', ' '],
        ],
      )
      expect(await store.append('r', second)).toBe(true)

      expect(await store.read('r', 0, ALL)).toEqual([...first.records, ...second.records])
      expect(await store.head('r')).toEqual(second.head)
      const loaded = await store.load('r')
      expect(loaded?.head).toEqual(second.head)
      expect(new Map(loaded?.state)).toEqual(
        new Map([
          ['device/d', '{"x":2}'],
          ['other', ' '],
        ]),
      )
      const bytes = [...first.records, ...second.records].reduce(
        (sum, record) => sum + record.bytes,
        0,
      )
      expect(await store.stats('r')).toEqual({ head: second.head, events: 4, bytes, devices: 1 })
    })

    it('writes state without records', async (store) => {
      const joined = appendOf(EMPTY, [], [['device/a', '1']])
      expect(await store.append('r', joined)).toBe(true)
      expect(await store.load('r')).toEqual({ head: joined.head, state: [['device/a', '1']] })
    })

    it('removes from its state what is put as nothing, whatever came before in the same append', async (store) => {
      const first = appendOf(
        EMPTY,
        [],
        [
          ['group/a', '1'],
          ['dead/a/1', 'x'],
          ['dead/a/2', 'y'],
        ],
      )
      expect(await store.append('r', first)).toBe(true)
      const second = appendOf(
        first.head,
        [],
        [
          ['group/a', ''],
          ['dead/a/1', ''],
          ['dead/a/3', 'z'],
          ['dead/a/3', ''],
          ['group/b', ''],
          ['group/b', '2'],
        ],
      )
      expect(await store.append('r', second)).toBe(true)
      expect(await store.load('r')).toEqual({ head: second.head, state: [['group/b', '2']] })
      const keys = ['group/a', 'dead/a/1', 'dead/a/2', 'dead/a/3', 'group/b']
      expect(await store.state('r', keys)).toEqual([undefined, undefined, 'y', undefined, '2'])
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

    it('writes nothing where the head is another', async (store) => {
      const first = appendOf(EMPTY, [recordOf(['a-1'])], [])
      expect(await store.append('r', first)).toBe(true)
      const late = appendOf(EMPTY, [recordOf(['b-1'])], [['device/b', '1']])
      expect(await store.append('r', late)).toBe(false)
      const otherEpoch = appendOf(
        { ...first.head, epoch: 'other' },
        [recordOf(['b-1'])],
        [['device/b', '1']],
      )
      expect(await store.append('r', otherEpoch)).toBe(false)
      const early = appendOf(
        { ...first.head, version: 5 },
        [recordOf(['b-1'])],
        [['device/b', '1']],
      )
      expect(await store.append('r', early)).toBe(false)
      expect(await store.append('new', early)).toBe(false)

      expect(await store.load('new')).toBe(undefined)
      expect(await store.load('r')).toEqual({ head: first.head, state: [] })
      expect(await store.read('r', 0, ALL)).toEqual(first.records)
      expect(await store.find('r', 'b-1')).toBe(undefined)
    })

    it('lets one of two win that decided on the same head', async (store) => {
      const results = await Promise.all([
        store.append('r', appendOf(EMPTY, [recordOf(['a-1'])], [])),
        store.append('r', appendOf({ ...EMPTY, epoch: 'f' }, [recordOf(['b-1'])], [])),
      ])
      expect(results.filter((won) => won).length).toBe(1)
      expect((await store.read('r', 0, ALL)).length).toBe(1)
    })

    it('keeps rooms apart', async (store) => {
      await Promise.all([
        store.append('one', appendOf(EMPTY, [recordOf(['a-1'])], [['device/a', '1']])),
        store.append('two', appendOf({ ...EMPTY, epoch: 'f' }, [recordOf(['b-1'])], [])),
      ])
      expect((await store.head('one'))?.epoch).toBe('e')
      expect((await store.head('two'))?.epoch).toBe('f')
      expect((await store.load('two'))?.state).toEqual([])
      expect(await store.find('two', 'a-1')).toBe(undefined)
      expect((await store.find('one', 'a-1'))?.index).toBe(0)
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
      for (const id of ['a-2', 'a-10', 'a', 'c-1', 'h-q', ''])
        expect(await where(id)).toBe(undefined)
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

    it('deletes a room with all that is in it, and remembers that it did', async (store, {
      reopen,
      deletesAtOnce = false,
    }) => {
      const old = appendOf(
        EMPTY,
        [recordOf(['o-1'], { device: 'd', batch: 1 }), recordOf(['a-1', 'a-2'])],
        [
          ['device/d', '1'],
          ['stream/s', '2'],
        ],
      )
      const other = appendOf(EMPTY, [recordOf(['a-1'])], [['device/d', '1']])
      await store.append('r', old)
      await store.append('other', other)
      await store.trim('r', { ...KEEP, events: 2 }, ALL)
      expect(await store.wasDeleted('r', 'e')).toBe(false)
      expect(await store.delete('r')).toBe(true)

      const isGone = async (): Promise<void> => {
        expect(await store.load('r')).toBe(undefined)
        expect(await store.head('r')).toBe(undefined)
        expect(await store.stats('r')).toBe(undefined)
        expect(await store.state('r', ['stream/s'])).toEqual([undefined])
        expect(await store.read('r', 0, ALL)).toEqual([])
        expect(await store.first('r')).toEqual({ place: 0, check: '0', chain: '' })
        expect(await store.trimmedAt('r', 5)).toBe(undefined)
        expect(await store.find('r', 'a-1')).toBe(undefined)
        expect(await store.wasTrimmed('r', 'o-1')).toBe(false)
        expect(await store.findByTime('r', 0)).toBe(undefined)
        expect(await store.rooms('', 10)).toEqual(['other'])
        expect(await store.append('r', appendOf(old.head, [recordOf(['a-3'])], []))).toBe(false)
      }
      await isGone()
      let steps = 0
      while (await store.purge({ events: 1, bytes: 1 })) steps += 1
      await isGone()
      expect(await store.delete('r')).toBe(false)
      expect(await store.wasDeleted('r', 'e')).toBe(true)
      expect(await store.wasDeleted('r', 'another')).toBe(false)
      expect(await store.wasDeleted('other', 'e')).toBe(false)
      expect(await store.read('other', 0, ALL)).toEqual(other.records)
      expect(steps < 1_000).toBe(true)

      const again = appendOf({ ...EMPTY, epoch: 'f' }, [recordOf(['a-1'])], [['device/d', '3']])
      expect(await store.append('r', again)).toBe(true)
      expect(await store.purge(ALL)).toBe(false)
      if (!reopen) return
      await store.delete('r')
      await store.close()
      const reopened = await reopen()
      try {
        expect(await reopened.load('r')).toBe(undefined)
        expect(await reopened.wasDeleted('r', 'e')).toBe(true)
        expect(await reopened.wasDeleted('r', 'f')).toBe(true)
        // What was left when it was closed goes now.
        expect(await reopened.purge(ALL)).toBe(!deletesAtOnce)
      } finally {
        await reopened.close()
      }
    })

    it('never gives a new room what a deleted one left', async (store) => {
      for (let n = 1; n <= DELETED_EPOCHS + 1; n++) {
        const head = { ...EMPTY, epoch: `e${n}` }
        const append = appendOf(head, [recordOf([`a-${n}`])], [[`device/d${n}`, String(n)]])
        expect(await store.append('r', append)).toBe(true)
        expect(await store.read('r', 0, ALL)).toEqual(append.records)
        expect((await store.load('r'))?.state).toEqual([[`device/d${n}`, String(n)]])
        expect(await store.find('r', `a-${n - 1}`)).toBe(undefined)
        expect((await store.stats('r'))?.events).toBe(1)
        await store.delete('r')
      }
      expect(await store.wasDeleted('r', 'e1')).toBe(false)
      expect(await store.wasDeleted('r', 'e2')).toBe(true)
    })

    it('forgets that a room was deleted when many others were since', async (store) => {
      await store.append('r0', appendOf(EMPTY, [], []))
      await store.delete('r0')
      const names = Array.from({ length: DELETED_LOGS }, (_, n) => `r${n + 1}`)
      for (let n = 0; n < names.length; n += 500) {
        const some = names.slice(n, n + 500)
        await Promise.all(some.map((name) => store.append(name, appendOf(EMPTY, [], []))))
        await Promise.all(some.map((name) => store.delete(name)))
      }
      expect(await store.wasDeleted('r0', 'e')).toBe(false)
      expect(await store.wasDeleted('r1', 'e')).toBe(true)
      expect(await store.wasDeleted(`r${DELETED_LOGS}`, 'e')).toBe(true)
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

    it('keeps everything over close and reopen, where it outlives a close', async (store, {
      reopen,
    }) => {
      if (!reopen) return
      const old = appendOf(EMPTY, [recordOf(['o-1'], { device: 'd', batch: 1 })], [])
      await store.append('r', old)
      await store.trim('r', { ...KEEP, events: 0 }, ALL)
      const first = appendOf(old.head, [recordOf(['a-1', 'a-2'])], [['device/a', '1']])
      // Not awaited: what was appended before close() must be written by it.
      const appended = store.append('r', first)
      await store.close()
      expect(await appended).toBe(true)
      const again = await reopen()
      try {
        expect(await again.load('r')).toEqual({ head: first.head, state: [['device/a', '1']] })
        expect(await again.read('r', 0, ALL)).toEqual(first.records)
        expect(await again.first('r')).toEqual(markOf('o-1', 1))
        expect(await again.wasTrimmed('r', 'o-1')).toBe(true)
        expect(await again.append('r', appendOf(first.head, [recordOf(['a-3'])], []))).toBe(true)
      } finally {
        await again.close()
      }
    })

    it('rejects as unavailable once it is closed', async (store) => {
      await store.close()
      for (const call of [
        () => store.load('r'),
        () => store.state('r', ['stream/s']),
        () => store.read('r', 0, ALL),
        () => store.first('r'),
        () => store.wasTrimmed('r', 'a-1'),
        () => store.trim('r', KEEP, ALL),
        () => store.rooms('', 1),
        () => store.delete('r'),
        () => store.wasDeleted('r', 'e'),
        () => store.append('r', appendOf(EMPTY, [recordOf(['a-1'])], [])),
      ]) {
        let code: unknown
        await call().catch((error: { code?: unknown }) => {
          code = error.code
        })
        expect(code).toBe('unavailable')
      }
    })
  })
}

const ALL = { events: 1_000_000, bytes: 1_000_000_000 }
/** Nothing a test appends is over this. */
const KEEP = { ...ALL, since: 0 }
const EMPTY: RoomHead = { epoch: 'e', version: 0, place: 0, check: '0', chain: '', time: 0 }

/** A record of events with these ids; its place is given to it by `appendOf`. */
function recordOf(ids: readonly string[], extra: Partial<RoomRecord> = {}): RoomRecord {
  const headers: EventHeader[] = ids.map((id) => ({ id, type: 'a.b', source: 's', time: 1 }))
  const headerLines = headers.map((header) => JSON.stringify(header))
  const data = ids.map((id) => JSON.stringify({ of: id }))
  return {
    place: 0,
    count: Math.max(1, ids.length),
    time: 1_000,
    lastId: ids.at(-1) ?? 'x',
    indexes: ids.map((_, i) => i),
    headers,
    headerLines,
    data,
    bytes: utf8Length([...headerLines, ...data].join('')),
    before: '',
    chain: '',
    ...extra,
  }
}

/** A chain of the suite's own: a store keeps chains and knows nothing of what is in them. */
function chainAfter(place: number): string {
  return place === 0 ? '' : `chain${place}`
}

function markOf(id: string, place: number): Mark {
  return { place, check: checkOf(id), chain: chainAfter(place) }
}

function refusedRecord(lastId: string): RoomRecord {
  return recordOf([], { device: 'd', batch: 11, lastId, refused: [[0, 'forbidden']] })
}

function appendOf(
  expected: RoomHead,
  records: readonly RoomRecord[],
  state: Append['state'],
): Append {
  let { place } = expected
  const placed = records.map((record) => {
    const before = chainAfter(place)
    const at = { ...record, place: place + 1, before, chain: chainAfter(place + record.count) }
    place += record.count
    return at
  })
  const newest = placed.at(-1)
  return {
    expected,
    head: {
      epoch: expected.epoch,
      version: expected.version + 1,
      place,
      check: newest ? checkOf(newest.headers.at(-1)?.id ?? newest.lastId) : expected.check,
      chain: newest?.chain ?? expected.chain,
      time: newest?.time ?? expected.time,
    },
    records: placed,
    state,
  }
}
