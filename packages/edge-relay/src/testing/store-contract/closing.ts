import { opened, type Part } from './part.ts'
import { ALL, appendOf, EMPTY, KEEP, markOf, recordOf } from './records.ts'

export const closing: Part = ({ declared, expect, it }) => {
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

  if (!declared.lasts) return

  it('keeps everything over close and reopen', async (store, fixture) => {
    const old = appendOf(EMPTY, [recordOf(['o-1'], { device: 'd', batch: 1 })], [])
    await store.append('r', old)
    await store.trim('r', { ...KEEP, events: 0 }, ALL)
    const first = appendOf(old.head, [recordOf(['a-1', 'a-2'])], [['device/a', '1']])
    // Not awaited: what was appended before close() must be written by it.
    const appended = store.append('r', first)
    await store.close()
    expect(await appended).toBe(true)
    const again = await opened(fixture)
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

  it('remembers over a close which rooms it deleted', async (store, fixture) => {
    const old = appendOf(EMPTY, [recordOf(['a-1', 'a-2'])], [['device/d', '1']])
    await store.append('r', old)
    await store.delete('r')
    await store.close()
    const again = await opened(fixture)
    try {
      expect(await again.load('r')).toBe(undefined)
      expect(await again.wasDeleted('r', 'e')).toBe(true)
      expect(await again.wasDeleted('r', 'f')).toBe(false)
      // What was left when it was closed goes now.
      expect(await again.purge(ALL)).toBe(!declared.deletesAtOnce)
    } finally {
      await again.close()
    }
  })
}
