/** What each key of a query asks of a row. */
import { isPattern, typeMatcher } from '@crosstown/bus/protocol'
import type { NoteRow } from '../model.ts'
import type { KnownPeer } from '../peers.ts'
import type { SessionStore } from '../session.ts'
import { COMMITTED, CONFIRMED, MANY, VIA_BITS } from '../store/entries.ts'
import type { Op, Term, Value } from './parse.ts'
import { bytesOf, msOf, timeOf } from './values.ts'

/** A term as a question to a row. */
export interface Test {
  event(entry: number): boolean
  note(note: NoteRow): boolean
  /** Whether what is asked for may change after a row came. */
  readonly late: boolean
}

/** What is wrong with a value. */
export class ValueFault extends Error {
  readonly value: Value | undefined

  constructor(message: string, value?: Value) {
    super(message)
    this.value = value
  }
}

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
          const stream = entries.headers[entry]!.stream
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
          const index = entries.publisher[entry]!
          return index > 0 ? matches(index) : anyText(term)(session.publisherOf(entry))
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
        event: (entry) => matches(entries.publisher[entry]!) || reachedBy(entry, session, matches),
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
          const cause = entries.headers[entry]!.causationId
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
            return entry >= 0 && entries.headers[entry] ? correlationOf(session, entry) : id
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
            entry >= 0 &&
            entries.headers[entry] !== undefined &&
            known.has(correlationOf(session, entry))
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
      return { event: (entry) => matches(entries.headers[entry]!.bytes), note: never, late: false }
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
        event: (entry) => scopes.includes(entries.headers[entry]!.scope ?? 'room'),
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

const STATES = {
  pending: 'pending',
  logged: 'logged',
  relayed: 'relayed',
  refused: 'refused',
  failed: 'failed',
  cast: 'cast',
} as const

function needed(term: Term): readonly Value[] {
  if (term.values.length === 0) throw new ValueFault(`Say what “${term.key}:” should be.`)
  return term.values
}

/** The values of a term, of those that there are. */
function oneOf<T>(term: Term, choices: { readonly [name: string]: T }): T[] {
  return needed(term).map((value) => {
    const name = value.text.toLowerCase()
    if (!Object.hasOwn(choices, name)) {
      const known = Object.keys(choices).join(', ')
      throw new ValueFault(`“${term.key}:” is one of ${known}.`, value)
    }
    return choices[name]!
  })
}

/** `:` is contained in, `=` is equal to; both without regard to case. */
function anyText(term: Term): (text: string) => boolean {
  const tests = needed(term).map(({ text, regex, quoted }) => {
    if (regex) return (given: string) => regex.test(given)
    const wanted = text.toLowerCase()
    if (term.op === '=') return (given: string) => given.toLowerCase() === wanted
    if (!quoted && wanted.includes('*')) {
      const glob = globOf(wanted)
      return (given: string) => glob.test(given.toLowerCase())
    }
    return (given: string) => given.toLowerCase().includes(wanted)
  })
  return (given) => tests.some((test) => test(given))
}

/** A pattern as subscriptions have them; without a `*`, a type and all types below it. */
function anyType(term: Term): (type: string) => boolean {
  const tests = needed(term).map(({ text, regex }) => {
    if (regex) return (type: string) => regex.test(type)
    if (term.op === '=') return (type: string) => type === text
    if (!text.includes('*')) return (type: string) => type === text || type.startsWith(`${text}.`)
    if (isPattern(text)) return typeMatcher([text])
    const glob = globOf(text)
    return (type: string) => glob.test(type)
  })
  return (type) => tests.some((test) => test(type))
}

function anyId(term: Term): (id: string) => boolean {
  const tests = needed(term).map(({ text, regex }) => {
    if (regex) return (id: string) => regex.test(id)
    const wanted = text.replace(/^@/, '')
    if (!wanted.includes('*')) return (id: string) => id === wanted
    const glob = globOf(wanted)
    return (id: string) => glob.test(id)
  })
  return (id) => tests.some((test) => test(id))
}

function globOf(text: string): RegExp {
  const parts = text.split(/\*+/).map((part) => part.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 'su')
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
  const { correlationId, id } = session.entries.headers[entry]!
  return correlationId ?? id
}

const PEER_WORDS: { readonly [word: string]: string } = {
  sw: 'service-worker',
  tab: 'page',
  page: 'page',
  iframe: 'iframe',
  worker: 'worker',
  node: 'node',
  deno: 'deno',
  bun: 'bun',
  relay: 'relay',
}

/** By index: whether a peer is one of those named. Judged anew when peers come or get other names. */
function peerMatcher(term: Term, session: SessionStore): (index: number) => boolean {
  const tests = needed(term).map((value) => peerTest(value, term.op))
  let known = new Map<number, boolean>()
  let version = session.book.version
  return (index) => {
    if (version !== session.book.version) {
      version = session.book.version
      known = new Map()
    }
    let outcome = known.get(index)
    if (outcome === undefined) {
      const peer = session.book.at(index)
      outcome = peer !== undefined && tests.some((test) => test(peer))
      known.set(index, outcome)
    }
    return outcome
  }
}

function peerTest({ text, regex }: Value, op: Op): (peer: KnownPeer) => boolean {
  if (regex) return (peer) => regex.test(peer.name) || regex.test(peer.id)
  const wanted = text.toLowerCase()
  if (op === '=') return (peer) => peer.id === text || peer.name.toLowerCase() === wanted
  const kind = Object.hasOwn(PEER_WORDS, wanted) ? PEER_WORDS[wanted] : undefined
  return ({ id, name, hello }) => {
    if (id === text || hello.kind === kind || hello.source.toLowerCase() === wanted) return true
    // “tab 1” is not tab 10.
    const at = name.toLowerCase().indexOf(wanted)
    return at >= 0 && !(/\d$/.test(wanted) && /\d/.test(name[at + wanted.length] ?? ''))
  }
}

function noteOfPeer(matches: (index: number) => boolean, session: SessionStore): Test['note'] {
  return ({ peer }) => {
    const known = peer === undefined ? undefined : session.book.find(peer)
    return known !== undefined && matches(known.index)
  }
}

/** Whether it came to a peer. */
function reachedBy(
  entry: number,
  { entries, spans, ids, book }: SessionStore,
  matches: (index: number) => boolean,
): boolean {
  const bits = entries.handled[entry]! | entries.received[entry]! | entries.matched[entry]!
  for (const peer of book.all) {
    if (peer.index < 32 && (bits & (1 << peer.index)) !== 0 && matches(peer.index)) return true
  }
  if ((entries.flags[entry]! & MANY) === 0) return false
  const named = ids.spansOf(entries.ids[entry]!)
  for (let i = 0; i < named.length; i += 2) {
    const { peer, is, subs } = spans.facet(named[i]!)
    const reached = is === 'handled' || is === 'received' || (is === 'matched' && subs!.length > 0)
    if (reached && matches(peer)) return true
  }
  return false
}

/** A value without an operator is the least: `dur:50ms` is 50 ms and more. */
function comparison(
  term: Term,
  read: (text: string) => number | undefined,
  what: string,
  colon: (a: number, b: number) => boolean = (a, b) => a >= b,
): (given: number) => boolean {
  const tests = needed(term).map((value) => {
    const bound = read(value.text)
    if (bound === undefined) throw new ValueFault(`“${value.text}” is not ${what}.`, value)
    return COMPARE[term.op]
      ? (given: number) => COMPARE[term.op]!(given, bound)
      : (given: number) => colon(given, bound)
  })
  return (given) => tests.some((test) => test(given))
}

const COMPARE: { readonly [op in Op]?: (a: number, b: number) => boolean } = {
  '=': (a, b) => a === b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
}

function countOf(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

function errorTest(term: Term, session: SessionStore): Test {
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

function dropTest(term: Term, session: SessionStore): Test {
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

function isTest(term: Term, session: SessionStore): Test {
  const { entries } = session
  const events: { readonly [word: string]: (entry: number) => boolean } = {
    event: () => true,
    in: (entry) => !session.isOut(entry),
    out: (entry) => session.isOut(entry),
    cast: (entry) => entries.headers[entry]!.persist === false,
    persisted: (entry) => (entries.flags[entry]! & (COMMITTED | CONFIRMED)) !== 0,
    missing: (entry) => {
      const { delivered, expected } = session.deliveries(entry)
      return delivered < expected
    },
    delivered: (entry) => session.deliveries(entry).delivered > 0,
    unheard: (entry) => session.deliveries(entry).expected === 0,
    system: (entry) => entries.headers[entry]!.type.startsWith('$'),
    inspector: (entry) => entries.headers[entry]!.metadata?.['inspector'] === true,
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

function timeTest(term: Term, session: SessionStore): Test {
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
