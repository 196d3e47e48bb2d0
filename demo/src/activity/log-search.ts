/** What of the log is looked for, and the search itself: what was there, then what comes. */
import type { EventOf, TypeOf } from '@crosstown/bus'
import { bus } from '../bus.ts'
import type { Shop } from '../events.ts'
import { dataText } from './data-text.ts'

export interface LogQuery {
  /** Patterns, with spaces between; empty for all. */
  readonly types: string
  readonly stream: string
  readonly correlationId: string
  /** Words, all of which an event must have somewhere. */
  readonly text: string
}

export const EVERYTHING: LogQuery = { types: '', stream: '', correlationId: '', text: '' }

export type LogEvent = EventOf<Shop, TypeOf<Shop>>

export interface LogRow {
  readonly event: LogEvent
  readonly text: string
  /** From where it came; `log`: it was there before. */
  readonly origin: 'self' | 'device' | 'room' | 'log'
}

export interface LogFound {
  readonly state: 'reading' | 'done' | 'failed'
  /** Newest first, the newest `MAX_ROWS` of them. */
  readonly rows: readonly LogRow[]
  /** How much of the log was read, from 0 to 1. */
  readonly progress: number
  readonly error: string
}

export const MAX_ROWS = 200

/** Housekeeping of the demo, which is in no log. */
const isListed = (type: string): boolean => !type.startsWith('demo.')

export function matches(
  { event, text }: LogRow,
  { stream, correlationId, text: words }: LogQuery,
): boolean {
  if (stream && event.stream !== stream) return false
  if (correlationId && event.correlationId !== correlationId) return false
  const all = `${event.type} ${event.source} ${event.stream ?? ''} ${text}`.toLowerCase()
  return wordsOf(words).every((word) => all.includes(word.toLowerCase()))
}

export const wordsOf = (text: string): readonly string[] => text.split(/[\s,]+/).filter(Boolean)

/** Searches until it is told to stop; `found` is called at most once a frame. */
export function searchLog(query: LogQuery, found: (result: LogFound) => void): () => void {
  const stopping = new AbortController()
  const { signal } = stopping
  let rows: LogRow[] = []
  let live: LogRow[] = []
  let [state, progress, error]: [LogFound['state'], number, string] = ['reading', 0, '']
  let frame = 0

  const say = (): void => {
    frame ||= requestAnimationFrame(() => {
      frame = 0
      found({ state, rows: [...live, ...rows].slice(0, MAX_ROWS), progress, error })
    })
  }
  const fail = (cause: unknown): void => {
    if (signal.aborted) return
    state = 'failed'
    error = cause instanceof Error ? cause.message : String(cause)
    say()
  }
  const stop = (): void => {
    stopping.abort()
    cancelAnimationFrame(frame)
  }

  // What a user typed may be no pattern; that is found out when it is used.
  const patterns = wordsOf(query.types) as '**'[]
  const pattern = patterns.length === 0 ? (['**', '$event.refused'] as const) : patterns
  try {
    bus.subscribe(
      pattern,
      (event, { origin }) => {
        const row = { event: event as LogEvent, text: dataText(event.data), origin }
        if (!isListed(event.type) || !matches(row, query)) return
        live = [row, ...live].slice(0, MAX_ROWS)
        say()
      },
      { signal },
    )
    void read().catch(fail)
  } catch (cause) {
    fail(cause)
  }
  return stop

  async function read(): Promise<void> {
    const { stream, correlationId, text } = query
    const reading = bus.replay({
      pattern,
      ...(stream && { stream }),
      ...(correlationId && { correlationId }),
      // Words are looked for in data, which only reading can tell: then all of it is read.
      ...(wordsOf(text).length === 0 && { from: { last: MAX_ROWS } }),
      signal,
      onProgress: ({ done, total }) => {
        progress = total === 0 ? 1 : done / total
        say()
      },
    })
    for await (const event of reading) {
      const row: LogRow = { event: event as LogEvent, text: dataText(event.data), origin: 'log' }
      if (matches(row, query)) rows.unshift(row)
      if (rows.length > 2 * MAX_ROWS) rows = rows.slice(0, MAX_ROWS)
    }
    const known = new Set(rows.map(({ event }) => event.id))
    live = live.filter(({ event }) => !known.has(event.id))
    state = 'done'
    progress = 1
    say()
  }
}
