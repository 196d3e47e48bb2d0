/** What could stand where the cursor is, the most frequent first. */
import type { Completion, Session } from '../model.ts'
import { KEYS, keyFor } from './keys.ts'
import { parseQuery } from './parse.ts'
import { IS_WORDS } from './state-questions.ts'

type Option = Completion['options'][number]

const MAX_OPTIONS = 50
/** Rows looked at, from the newest, for streams and ids. */
const MAX_LOOKED_AT = 300

/** Completions of a query at a cursor; no options where there are none. */
export function complete(text: string, cursor: number, session: Session): Completion {
  const at = wordAt(text, cursor)
  const { key, word, from } = at
  const options = key === undefined ? keysFor(word, session) : valuesFor(key, word, session)
  return { from, to: at.to, options: options.slice(0, MAX_OPTIONS) }
}

/** The key and the part of its value, or the word, that the cursor stands in. */
function wordAt(
  text: string,
  cursor: number,
): { readonly key?: string; readonly word: string; readonly from: number; readonly to: number } {
  let to = cursor
  while (to < text.length && !/[\s,]/.test(text[to]!)) to++
  const term = parseQuery(text).terms.find((term) => term.from <= cursor && cursor <= term.to)
  if (term && term.key !== 'text' && cursor >= term.valueFrom) {
    const before = term.values.findLast((value) => value.from <= cursor && cursor <= value.to)
    const from = before?.from ?? cursor
    const word = text.slice(from, cursor).replace(/^["']/, '')
    return { key: term.key, word, from, to: Math.max(before?.to ?? cursor, cursor) }
  }
  let from = cursor
  while (from > 0 && !/\s/.test(text[from - 1]!)) from--
  if (text[from] === '-' || text[from] === '!') from++
  return { word: text.slice(Math.min(from, cursor), cursor), from: Math.min(from, cursor), to }
}

function keysFor(word: string, session: Session): Option[] {
  const wanted = word.toLowerCase()
  const keys = KEYS.filter(
    ({ name, aliases = [] }) =>
      name.startsWith(wanted) ||
      (wanted !== '' && aliases.some((alias) => alias.startsWith(wanted))),
  ).map(({ name, detail, takes }) => ({
    insert: takes === 'data' ? `${name}.` : `${name}:`,
    label: takes === 'data' ? `${name}.` : `${name}:`,
    detail,
  }))
  if (wanted === '') return keys
  // A word is looked for in types: they can be asked for as they are.
  const types = typeOptions(wanted, session)
    .slice(0, 10)
    .map((option) => ({ ...option, insert: `type:${option.insert}` }))
  return [...keys, ...types]
}

function valuesFor(key: string, word: string, session: Session): Option[] {
  const wanted = word.toLowerCase()
  const takes = KEYS.find(({ name }) => name === (keyFor(key) ?? key))?.takes
  switch (takes) {
    case 'type':
      return typeOptions(wanted, session)
    case 'peer':
      return peerOptions(wanted, session)
    case 'via':
      return words(wanted, ['tabs', 'relay', 'log', 'link'])
    case 'scope':
      return words(wanted, ['context', 'device', 'room'])
    case 'state':
      return words(wanted, ['pending', 'logged', 'relayed', 'refused', 'failed', 'cast', 'unknown'])
    case 'is':
      return words(wanted, IS_WORDS)
    case 'why':
      return words(wanted, ['overflow', 'offline', 'no_right', 'withdrawn', 'where', 'ended'])
    case 'ms':
      return words(wanted, ['>10ms', '>50ms', '>100ms', '>1s'])
    case 'bytes':
      return words(wanted, ['>1kB', '>10kB', '>100kB'])
    case 'time':
      return words(wanted, ['-10s', '-1m', '-5m'])
    case 'event':
      return recent(wanted, session, ({ id }) => id)
    case 'text':
      if (key === 'source') return recent(wanted, session, ({ event }) => event.source)
      return key === 'stream' ? recent(wanted, session, ({ event }) => event.stream) : []
    default:
      return []
  }
}

function words(wanted: string, choices: readonly string[]): Option[] {
  return choices
    .filter((choice) => choice.includes(wanted) && choice !== wanted)
    .map((choice) => ({ insert: choice, label: choice }))
}

/** Types by how many there are, and patterns that take several of them. */
function typeOptions(wanted: string, session: Session): Option[] {
  const counts = new Map<string, number>()
  for (const [type, count] of session.types) {
    counts.set(type, count)
    const segments = type.split('.')
    if (segments.length < 2) continue
    const pattern = `${segments[0]}.**`
    counts.set(pattern, (counts.get(pattern) ?? 0) + count)
  }
  return [...counts]
    .filter(([type]) => type.toLowerCase().includes(wanted) && type !== wanted)
    .sort(([a, x], [b, y]) => rank(a, wanted) - rank(b, wanted) || y - x)
    .map(([type, count]) => ({ insert: type, label: type, detail: count.toLocaleString('en') }))
}

/** What begins with the word comes before what has it somewhere. */
function rank(text: string, wanted: string): number {
  return text.toLowerCase().startsWith(wanted) ? 0 : 1
}

function peerOptions(wanted: string, session: Session): Option[] {
  return [...session.peers.values()]
    .filter(({ name, id }) => `${name} ${id}`.toLowerCase().includes(wanted) && name !== wanted)
    .sort(
      (a, b) =>
        Number(a.state === 'gone') - Number(b.state === 'gone') ||
        b.rate.published + b.rate.handled - (a.rate.published + a.rate.handled),
    )
    .map(({ name, state, hello }) => ({
      insert: quoted(name),
      label: name,
      detail: state === 'live' ? hello.source : state,
    }))
}

function recent(
  wanted: string,
  session: Session,
  of: (row: Extract<ReturnType<Session['rows']['at']>, { kind: 'event' }>) => string | undefined,
): Option[] {
  const counts = new Map<string, number>()
  const { rows } = session
  for (let row = rows.next - 1; row >= rows.first && rows.next - row <= MAX_LOOKED_AT; row--) {
    const there = rows.at(row)
    const text = there?.kind === 'event' ? of(there) : undefined
    if (text?.toLowerCase().includes(wanted.replace(/^@/, '')))
      counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  return [...counts]
    .sort(([, x], [, y]) => y - x)
    .map(([text, count]) => ({
      insert: quoted(text),
      label: text,
      ...(count > 1 ? { detail: count.toLocaleString('en') } : {}),
    }))
}

/** A value as a query has it: in quotes where it would end too early otherwise. */
export function quoted(text: string): string {
  if (/^[^\s,"'/\\]+$/.test(text)) return text
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** A term that lets through exactly what has this value, or all but it. */
export function termFor(key: string, value: string, not = false): string {
  return `${not ? '-' : ''}${key}:=${quoted(value)}`
}
