import type { Part } from './part.ts'
import { ALL, appendOf, EMPTY, recordOf, refusedRecord } from './records.ts'

export const writing: Part = ({ expect, it }) => {
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
    const early = appendOf({ ...first.head, version: 5 }, [recordOf(['b-1'])], [['device/b', '1']])
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
}
