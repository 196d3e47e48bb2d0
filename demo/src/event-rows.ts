/** The events this tab has seen, newest first, ready to be shown. */
import { bus } from './bus.ts'
import { dataText } from './data-text.ts'
import { createStore } from './store.ts'

export interface EventRow {
  readonly id: string
  readonly type: string
  readonly text: string
  readonly source: string
  readonly time: number
  /** `log`: it was there before this tab. */
  readonly origin: 'self' | 'device' | 'room' | 'log'
}

export const MAX_ROWS = 200
/** Of the log, shown when the page opens. */
const FROM_LOG = 30

/** Housekeeping between page and service worker; everything else is listed. */
const UNLISTED = new Set(['demo.ping', 'demo.pong', 'demo.heard'])

export const eventRows = createStore<readonly EventRow[]>([])

bus.subscribe(
  ['**', '$event.refused'],
  (event, { origin, replaying }) => {
    const { id, type, source, time } = event
    const row: EventRow = {
      id,
      type,
      source,
      time,
      text: dataText(event.data),
      origin: replaying ? 'log' : origin,
    }
    eventRows.set([row, ...eventRows.get()].slice(0, MAX_ROWS))
  },
  { from: { last: FROM_LOG }, where: ({ type }) => !UNLISTED.has(type) },
)

export const clearRows = (): void => eventRows.set([])

/** Whether a row has all the words, anywhere. */
export function matches(row: EventRow, words: string): boolean {
  const text = `${row.type} ${row.source} ${row.text}`.toLowerCase()
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}
