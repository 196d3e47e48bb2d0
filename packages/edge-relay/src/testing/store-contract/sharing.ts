import type { Store } from '../../stores/store.ts'
import { opened, type Part, type StoreFixture } from './part.ts'
import { ALL, appendOf, EMPTY, recordOf } from './records.ts'

export const sharing: Part = ({ declared, expect, it }) => {
  if (declared.served) {
    it('shows the connection to its engine', async (store) => {
      const { engine, connection } = store
      const heard: unknown[] = []
      const off = connection?.subscribe(({ kind, state }) => heard.push([kind, state]))
      expect(heard).toEqual([[engine, 'online']])
      const status = connection?.get()
      expect(connection?.get()).toBe(status)
      expect(status?.lastError).toBe(undefined)
      off?.()
    })
  }

  if (!declared.shared) return

  it('is not taken for one that nobody else writes to', async (store) => {
    expect(store.exclusive === true).toBe(false)
  })

  it('shows one relay at once what another appended, trimmed or deleted', async (store, fixture) => {
    await beside(fixture, async (other) => {
      const first = appendOf(EMPTY, [recordOf(['a-1']), recordOf(['a-2'])], [['device/d', '1']])
      expect(await store.append('r', first)).toBe(true)
      expect((await other.load('r'))?.head).toEqual(first.head)
      const second = appendOf(first.head, [recordOf(['a-3'])], [])
      expect(await other.append('r', second)).toBe(true)
      expect(await store.read('r', 0, ALL)).toEqual([...first.records, ...second.records])
      expect(await other.trim('r', { ...ALL, events: 1, since: 0 }, ALL)).toBe(false)
      expect(await store.read('r', 0, ALL)).toEqual(second.records)
      expect(await other.delete('r')).toBe(true)
      expect(await store.load('r')).toBe(undefined)
    })
  })

  it('lets one of two relays win that decided on the same head', async (store, fixture) => {
    await beside(fixture, async (other) => {
      let { head } = appendOf(EMPTY, [], [])
      await store.append('r', appendOf(EMPTY, [], []))
      for (let round = 0; round < 10; round++) {
        const appends = [store, other].map((each, i) => {
          const append = appendOf(head, [recordOf([`${'ab'[i]}-${round + 1}`])], [])
          return each.append('r', append).then((won) => ({ append, won }))
        })
        const results = await Promise.all(appends)
        const winners = results.filter(({ won }) => won)
        expect(winners.length).toBe(1)
        head = winners[0]?.append.head ?? head
      }
      expect((await store.read('r', 0, ALL)).length).toBe(10)
      expect(await other.head('r')).toEqual(head)
    })
  })

  it('carries what a relay says to the others, whole, and not back to it', async (store, fixture) => {
    await beside(fixture, async (other) => {
      const [here, there] = [await hearing(store), await hearing(other)]
      const said = ['', 'short', `long ${'text '.repeat(10_000)}`, 'two\nlines ü']
      for (const text of said) store.signal('r', text)
      store.signal('*', 'of all')
      const heard = await there.until(said.length + 1)
      expect(heard.sort()).toEqual(['* of all', ...said.map((text) => `r ${text}`)].sort())
      other.signal('r', 'answer')
      expect(await here.until(1)).toEqual(['r answer'])
    })
  })
}

/** With another relay's store on the same engine. */
async function beside(fixture: StoreFixture, run: (other: Store) => Promise<void>): Promise<void> {
  const other = await opened(fixture)
  try {
    await run(other)
  } finally {
    await other.close()
  }
}

/** Resolves when it hears. */
async function hearing(store: Store): Promise<{ until(count: number): Promise<string[]> }> {
  const heard: string[] = []
  let changed = (): void => {}
  let begun = (): void => {}
  const listening = new Promise<void>((resolve) => {
    begun = resolve
  })
  store.listen?.((room, text) => {
    if (room === undefined) return begun()
    heard.push(`${room} ${text}`)
    changed()
  })
  await listening
  return {
    async until(count) {
      while (heard.length < count) {
        await new Promise<void>((resolve) => {
          changed = resolve
        })
      }
      return [...heard]
    },
  }
}
