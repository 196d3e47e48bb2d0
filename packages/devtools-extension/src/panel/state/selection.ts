/** What is selected: events by id, one of them (or a note) current. Shared by all views. */
import type { Filtered, Row } from '../model/model.ts'
import { createStore, type Store } from './store.ts'

export interface Selected {
  /** Selected events. */
  readonly ids: ReadonlySet<string>
  /** The event that detail shows; the last one that was selected. */
  readonly current?: string
  /** Row of the current event or note. */
  readonly row?: number
  /** Where a range begins. */
  readonly anchor?: number
  /** The event others are compared with. */
  readonly marked?: string
}

export interface Selection {
  get(): Selected
  subscribe(changed: () => void): () => void
  /** Selects one row, and nothing else. */
  select(row: Row): void
  /** Adds an event to the selection, or takes it out. */
  toggle(row: Row): void
  /** Selects all events between the anchor and this row, in the order of the list. */
  extend(row: Row, list: Pick<Filtered, 'at' | 'indexOf' | 'length'>): void
  selectAll(list: Pick<Filtered, 'at' | 'length'>): void
  /** Marks an event to compare others with; `undefined` takes the mark away. */
  mark(id: string | undefined): void
  clear(): void
}

const NOTHING: Selected = { ids: new Set() }

export function createSelection(): Selection {
  const store: Store<Selected> = createStore(NOTHING)
  const marked = (): Pick<Selected, 'marked'> => {
    const { marked } = store.get()
    return marked === undefined ? {} : { marked }
  }

  return {
    get: store.get,
    subscribe: store.subscribe,

    select(row) {
      store.set({
        ...marked(),
        ids: new Set(row.kind === 'event' ? [row.id] : []),
        ...(row.kind === 'event' && { current: row.id }),
        row: row.row,
        anchor: row.row,
      })
    },

    toggle(row) {
      if (row.kind !== 'event') return
      const ids = new Set(store.get().ids)
      const added = !ids.delete(row.id)
      if (added) ids.add(row.id)
      const current = added ? row.id : [...ids].at(-1)
      store.set({
        ...marked(),
        ids,
        ...(current !== undefined && { current }),
        row: row.row,
        anchor: row.row,
      })
    },

    extend(row, list) {
      const anchor = store.get().anchor ?? row.row
      const to = list.indexOf(row.row)
      const from = list.indexOf(anchor)
      const ids = new Set<string>()
      if (to >= 0)
        for (let i = Math.min(from < 0 ? to : from, to); i <= Math.max(from, to); i++) {
          const between = list.at(i)
          if (between?.kind === 'event') ids.add(between.id)
        }
      store.set({
        ...marked(),
        ids,
        ...(row.kind === 'event' && { current: row.id }),
        row: row.row,
        anchor,
      })
    },

    selectAll(list) {
      const ids = new Set<string>()
      for (let i = 0; i < list.length; i++) {
        const row = list.at(i)
        if (row?.kind === 'event') ids.add(row.id)
      }
      store.update((selected) => ({ ...selected, ids }))
    },

    mark(id) {
      const { marked: _, ...selected } = store.get()
      store.set(id === undefined ? selected : { ...selected, marked: id })
    },

    clear() {
      store.set({ ...NOTHING, ...marked() })
    },
  }
}
