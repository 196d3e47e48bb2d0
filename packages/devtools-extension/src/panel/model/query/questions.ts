/** What each key of a query asks of a row. */
import { publisherOf } from '../expected.ts'
import type { SessionStore } from '../session.ts'
import { VIA_BITS } from '../store/entries.ts'
import { anyId, anyText, anyType, comparison, countOf, needed, oneOf } from './matchers.ts'
import type { Term } from './parse.ts'
import { noteOfPeer, peerMatcher, reachedBy } from './peer-questions.ts'
import type { Test } from './question.ts'
import { dropTest, errorTest, isTest, timeTest } from './state-questions.ts'
import { bytesOf, msOf } from './values.ts'

const STATES = {
  unknown: 'unknown',
  pending: 'pending',
  logged: 'logged',
  relayed: 'relayed',
  refused: 'refused',
  failed: 'failed',
  cast: 'cast',
} as const

const never = (): boolean => false

export function testFor(term: Term, session: SessionStore, found: ReadonlySet<string>): Test {
  const { entries } = session
  switch (term.key) {
    case 'text':
      return textTest(term, session)
    case 'type':
      return {
        event: byNumber(anyType(term), session.typeNames.texts, entries, 'type'),
        note: never,
        late: false,
      }
    case 'source':
      return {
        event: byNumber(anyText(term), session.sourceNames.texts, entries, 'source'),
        note: never,
        late: false,
      }
    case 'stream': {
      const matches = anyText(term)
      return {
        event: (entry) => {
          const stream = entries.field(entry, 'stream')
          return stream !== undefined && matches(stream)
        },
        note: never,
        late: false,
      }
    }
    case 'from': {
      const matches = peerMatcher(term, session)
      return {
        event: (entry) => {
          const publisher = publisherOf(session, entry)
          return publisher ? matches(publisher.index) : anyText(term)(session.publisherOf(entry))
        },
        note: noteOfPeer(matches, session),
        late: true,
      }
    }
    case 'to': {
      const matches = peerMatcher(term, session)
      return {
        event: (entry) => reachedBy(entry, session, matches),
        note: never,
        late: true,
      }
    }
    case 'peer': {
      const matches = peerMatcher(term, session)
      return {
        event: (entry) =>
          matches(publisherOf(session, entry)?.index ?? 0) || reachedBy(entry, session, matches),
        note: noteOfPeer(matches, session),
        late: true,
      }
    }
    case 'via': {
      const bits = oneOf(term, VIA_BITS).reduce((all, bit) => all | bit, 0)
      return { event: (entry) => (entries.vias[entry]! & bits) !== 0, note: never, late: true }
    }
    case 'id': {
      const matches = anyId(term)
      return {
        event: (entry) => matches(entries.ids[entry]!),
        note: ({ event }) => event !== undefined && matches(event),
        late: false,
      }
    }
    case 'causedby': {
      const matches = anyId(term)
      return {
        event: (entry) => {
          const cause = entries.field(entry, 'causationId')
          return cause !== undefined && matches(cause)
        },
        note: never,
        late: false,
      }
    }
    case 'corr': {
      const matches = anyId(term)
      return {
        event: (entry) => matches(correlationOf(session, entry)),
        note: never,
        late: false,
      }
    }
    case 'chain': {
      const chains = () =>
        new Set(
          needed(term).map((value) => {
            const id = value.text.replace(/^@/, '')
            const entry = session.ids.find(id)
            return entry >= 0 && entries.isDescribed(entry) ? correlationOf(session, entry) : id
          }),
        )
      let known = chains()
      let at = session.ring.next
      return {
        event: (entry) => {
          // The event that is named may come later.
          if (at !== session.ring.next) {
            at = session.ring.next
            known = chains()
          }
          return known.has(correlationOf(session, entry))
        },
        note: ({ event }) => {
          const entry = event === undefined ? -1 : session.ids.find(event)
          return (
            entry >= 0 && entries.isDescribed(entry) && known.has(correlationOf(session, entry))
          )
        },
        late: false,
      }
    }
    case 'dur': {
      const matches = comparison(term, msOf, 'a duration such as 50ms or 2s')
      return { event: (entry) => matches(entries.duration[entry]!), note: never, late: true }
    }
    case 'latency': {
      const matches = comparison(term, msOf, 'a duration such as 50ms or 2s')
      return {
        event: (entry) => matches(session.latencyOf(entry)),
        note: never,
        late: true,
      }
    }
    case 'size': {
      const matches = comparison(term, bytesOf, 'a size such as 512 or 10kB')
      return { event: (entry) => matches(entries.field(entry, 'bytes')!), note: never, late: false }
    }
    case 'delivered': {
      const matches = comparison(term, countOf, 'a number of peers', (a, b) => a === b)
      return {
        event: (entry) => matches(session.deliveries(entry).delivered),
        note: never,
        late: true,
      }
    }
    case 'scope': {
      const scopes = oneOf(term, { context: 'context', device: 'device', room: 'room' })
      return {
        event: (entry) => scopes.includes(entries.field(entry, 'scope') ?? 'room'),
        note: never,
        late: false,
      }
    }
    case 'state': {
      const states = oneOf(term, STATES)
      return { event: (entry) => states.includes(session.stateOf(entry)), note: never, late: true }
    }
    case 'error':
      return errorTest(term, session)
    case 'drop':
      return dropTest(term, session)
    case 'gap':
      return {
        event: never,
        note: ({ kind, text }) =>
          (kind === 'gap' || kind === 'lost') && (term.values.length === 0 || anyText(term)(text)),
        late: false,
      }
    case 'is':
      return isTest(term, session)
    case 'after':
    case 'before':
      return timeTest(term, session)
    default:
      // `data.path`, which the pages were asked for.
      return { event: (entry) => found.has(entries.ids[entry]!), note: never, late: true }
  }
}

/** Each number is judged once: there are few of them in many rows. */
function byNumber(
  matches: (text: string) => boolean,
  texts: readonly string[],
  entries: SessionStore['entries'],
  column: 'type' | 'source',
): (entry: number) => boolean {
  const known: (boolean | undefined)[] = []
  return (entry) => {
    const number = entries[column][entry]!
    let outcome = known[number]
    if (outcome === undefined) {
      outcome = matches(texts[number]!)
      known[number] = outcome
    }
    return outcome
  }
}

function textTest(term: Term, session: SessionStore): Test {
  const { entries, typeNames, sourceNames } = session
  const matches = anyText(term)
  const type = byNumber(matches, typeNames.texts, entries, 'type')
  const source = byNumber(matches, sourceNames.texts, entries, 'source')
  return {
    event: (entry) => type(entry) || source(entry) || matches(entries.ids[entry]!),
    note: ({ text }) => matches(text),
    late: false,
  }
}

function correlationOf(session: SessionStore, entry: number): string {
  const { entries } = session
  return entries.field(entry, 'correlationId') ?? entries.ids[entry]!
}
