/** What asks for how it went with an event: errors, drops, what it is, and when it was. */
import type { NoteRow } from '../model.ts'
import type { SessionStore } from '../session.ts'
import { COMMITTED, CONFIRMED } from '../store/entries.ts'
import { anyText, needed, oneOf, ValueFault } from './matchers.ts'
import type { Term } from './parse.ts'
import type { Test } from './question.ts'
import { timeOf } from './values.ts'

export function errorTest(term: Term, session: SessionStore): Test {
  const { entries, spans, ids } = session
  const any = term.values.length === 0
  const matches = any ? () => true : anyText(term)
  return {
    event: (entry) => {
      const bad = session.isBad(entry)
      if (!bad || any) return bad
      const named = ids.spansOf(entries.ids[entry]!)
      for (let i = 0; i < named.length; i += 2) {
        const { is, code, detail } = spans.facet(named[i]!)
        if (is !== 'failed' && is !== 'refused') continue
        if ((code !== undefined && matches(code)) || (detail !== undefined && matches(detail)))
          return true
      }
      return false
    },
    note: ({ kind, severity, text }) =>
      (kind === 'error' || severity === 'error') && (any || matches(text)),
    late: true,
  }
}

export function dropTest(term: Term, session: SessionStore): Test {
  const { entries, spans, ids } = session
  const any = term.values.length === 0
  const matches = any ? () => true : anyText(term)
  return {
    event: (entry) => {
      if (entries.drops[entry] === 0) return false
      if (any) return true
      const named = ids.spansOf(entries.ids[entry]!)
      for (let i = 0; i < named.length; i += 2) {
        const { is, why } = spans.facet(named[i]!)
        if ((is === 'dropped' || is === 'filtered') && matches(why!)) return true
      }
      return false
    },
    note: ({ kind, text }) => kind === 'lost' && (any || matches(text)),
    late: true,
  }
}

export function isTest(term: Term, session: SessionStore): Test {
  const { entries } = session
  const events: { readonly [word: string]: (entry: number) => boolean } = {
    event: () => true,
    in: (entry) => !session.isOut(entry),
    out: (entry) => session.isOut(entry),
    cast: (entry) => entries.field(entry, 'persist') === false,
    persisted: (entry) => (entries.flags[entry]! & (COMMITTED | CONFIRMED)) !== 0,
    missing: (entry) => {
      const { delivered, expected } = session.deliveries(entry)
      return delivered < expected
    },
    delivered: (entry) => session.deliveries(entry).delivered > 0,
    unheard: (entry) => {
      const { expected, unknown } = session.deliveries(entry)
      return expected === 0 && unknown === 0
    },
    unknown: (entry) => session.deliveries(entry).unknown > 0,
    system: (entry) => entries.field(entry, 'type')!.startsWith('$'),
    inspector: (entry) => entries.field(entry, 'metadata')?.['inspector'] === true,
  }
  const notes: { readonly [word: string]: (note: NoteRow) => boolean } = {
    note: () => true,
    gap: ({ kind }) => kind === 'gap',
    lost: ({ kind }) => kind === 'lost',
    error: ({ kind }) => kind === 'error',
    leader: ({ kind }) => kind === 'leader',
    connection: ({ kind }) => kind === 'connection',
    peer: ({ kind }) => kind === 'peer',
    life: ({ kind }) => kind === 'life',
    mark: ({ kind }) => kind === 'mark',
  }
  const words = oneOf(term, Object.fromEntries(IS_WORDS.map((word) => [word, word])))
  const ofEvents = words.flatMap((word) => events[word] ?? [])
  const ofNotes = words.flatMap((word) => notes[word] ?? [])
  return {
    event: (entry) => ofEvents.some((test) => test(entry)),
    note: (note) => ofNotes.some((test) => test(note)),
    late: true,
  }
}

export const IS_WORDS: readonly string[] = [
  'event',
  'in',
  'out',
  'cast',
  'persisted',
  'missing',
  'delivered',
  'unheard',
  'unknown',
  'system',
  'inspector',
  'note',
  'gap',
  'lost',
  'error',
  'leader',
  'connection',
  'peer',
  'life',
  'mark',
]

export function timeTest(term: Term, session: SessionStore): Test {
  const now = session.timing.now()
  const [value, ...more] = needed(term)
  if (more.length > 0) throw new ValueFault(`“${term.key}:” takes one time.`, more[0])
  const id = value!.text.startsWith('@') ? value!.text.slice(1) : undefined
  const bound = id === undefined ? timeOf(value!.text, now) : session.event(id)?.ms
  if (bound === undefined) {
    throw new ValueFault(
      id === undefined
        ? `“${value!.text}” is not a time: write 12:30:15, -5m (before now) or a date.`
        : `There is no event ${id} here.`,
      value,
    )
  }
  const after = term.key === 'after'
  const matches = (ms: number) => (after ? ms >= bound : ms <= bound)
  return {
    event: (entry) => matches(session.entries.ms[entry]!),
    note: ({ ms }) => matches(ms),
    late: true,
  }
}
