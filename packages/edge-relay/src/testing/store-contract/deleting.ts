import { DELETED_EPOCHS, DELETED_LOGS } from '../../stores/store.ts'
import type { Part } from './part.ts'
import { ALL, appendOf, EMPTY, KEEP, recordOf } from './records.ts'

export const deleting: Part = ({ expect, it }) => {
  it('deletes a room with all that is in it, and remembers that it did', async (store) => {
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
}
