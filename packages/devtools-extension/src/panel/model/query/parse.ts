/**
 * Reads a query: terms between spaces, all of which a row must fulfil. `key:value`, `key:>value`,
 * `key:a,b`, a word, `"a phrase"`, `/a pattern/i`; `-` before a term turns it round.
 */
import type { DataTerm } from '@crosstown/bus/inspect'
import type { Query, QueryTerm } from '../model.ts'
import { keyFor, nearestKey } from './keys.ts'

export type Op = ':' | '=' | '>' | '>=' | '<' | '<='

export interface Value {
  readonly text: string
  readonly from: number
  readonly to: number
  /** Where it was written between slashes. */
  readonly regex?: RegExp
  /** Whether it was written between quotes: taken as it is. */
  readonly quoted: boolean
}

export interface Term extends QueryTerm {
  readonly op: Op
  /** Alternatives; none where nothing stands behind the colon. */
  readonly values: readonly Value[]
  /** Where the key ends, and the value begins. */
  readonly valueFrom: number
}

export interface ParsedQuery extends Query {
  readonly terms: readonly Term[]
}

/** Terms and values at most: no query that people write has so many. */
const MAX_TERMS = 100
const MAX_VALUES = 1_000
const MAX_LENGTH = 20_000

interface Problem {
  readonly from: number
  readonly to: number
  readonly message: string
}

/** Never throws: what it does not understand is a fault, the rest is in force. */
export function parseQuery(text: string): ParsedQuery {
  const terms: Term[] = []
  const faults: Problem[] = []
  if (text.length > MAX_LENGTH) {
    const message = `The query has more than ${MAX_LENGTH} characters.`
    return { text, terms, faults: [{ from: MAX_LENGTH, to: text.length, message }] }
  }
  const scan = new Scanner(text, faults)
  for (;;) {
    scan.skipSpaces()
    if (scan.done) break
    if (terms.length === MAX_TERMS) {
      const message = `A query has at most ${MAX_TERMS} terms.`
      faults.push({ from: scan.at, to: text.length, message })
      break
    }
    const term = readTerm(scan)
    if (term) terms.push(term)
  }
  return { text, terms, faults }
}

function readTerm(scan: Scanner): Term | undefined {
  const from = scan.at
  const not = scan.take('-') || scan.take('!')
  if (scan.done || scan.isSpace) {
    scan.fault(from, scan.at, `Put what to leave out right behind “${scan.text[from]}”.`)
    return undefined
  }
  const head = scan.key()
  if (head === undefined) {
    const value = scan.value(false)
    if (!value) return undefined
    return {
      key: 'text',
      value: value.text,
      values: [value],
      op: ':',
      not,
      from,
      to: scan.at,
      valueFrom: value.from,
    }
  }
  const { name, op } = head
  const valueFrom = scan.at
  const values: Value[] = []
  while (!scan.done && !scan.isSpace) {
    if (values.length >= MAX_VALUES) {
      scan.toSpace()
      scan.fault(valueFrom, scan.at, `A list has at most ${MAX_VALUES} values.`)
      break
    }
    const value = scan.value(true)
    if (value && (value.text !== '' || value.quoted || value.regex)) values.push(value)
    if (!scan.take(',')) break
  }
  const to = scan.at
  const key = keyFor(name)
  if (!key) {
    const near = nearestKey(name)
    const hint = near === undefined ? '' : ` Did you mean “${near}:”?`
    scan.fault(
      from,
      to,
      `There is no “${name}:” to ask for.${hint} Put quotes around it to look for the words.`,
    )
    return undefined
  }
  const value = scan.text.slice(valueFrom, to)
  const term: Term = {
    key: key === 'data' ? name : key,
    value,
    values,
    op,
    not,
    from,
    to,
    valueFrom,
  }
  return term
}

class Scanner {
  readonly text: string
  at = 0
  readonly #faults: Problem[]

  constructor(text: string, faults: Problem[]) {
    this.text = text
    this.#faults = faults
  }

  get done(): boolean {
    return this.at >= this.text.length
  }

  get isSpace(): boolean {
    return /\s/.test(this.text[this.at] ?? '')
  }

  fault(from: number, to: number, message: string): void {
    this.#faults.push({ from, to: Math.max(to, from + 1), message })
  }

  skipSpaces(): void {
    while (!this.done && this.isSpace) this.at++
  }

  toSpace(): void {
    while (!this.done && !this.isSpace) this.at++
  }

  take(text: string): boolean {
    if (!this.text.startsWith(text, this.at)) return false
    this.at += text.length
    return true
  }

  /** `name:`, `name:>=`, `name>`: what stands before a value. */
  key(): { readonly name: string; readonly op: Op } | undefined {
    KEY.lastIndex = this.at
    const found = KEY.exec(this.text)
    if (!found) return undefined
    this.at += found[0].length
    const op = (found[3] ?? found[4] ?? found[2]) as Op
    return { name: found[1]!, op }
  }

  /** One value: quoted, a pattern, or all up to the next space (or comma, in a list). */
  value(inList: boolean): Value | undefined {
    const from = this.at
    const first = this.text[from]
    if (first === '"' || first === "'") return this.#quoted(first)
    if (first === '/') {
      const regex = this.#regex()
      if (regex) return regex
    }
    while (!this.done && !this.isSpace && !(inList && this.text[this.at] === ',')) this.at++
    return { text: this.text.slice(from, this.at), from, to: this.at, quoted: false }
  }

  #quoted(quote: string): Value {
    const from = this.at++
    let text = ''
    while (!this.done && this.text[this.at] !== quote) {
      if (this.text[this.at] === '\\' && this.at + 1 < this.text.length) this.at++
      text += this.text[this.at++]
    }
    if (!this.take(quote)) this.fault(from, this.at, 'The quotes are not closed.')
    return { text, from, to: this.at, quoted: true }
  }

  #regex(): Value | undefined {
    const from = this.at
    REGEX.lastIndex = from
    const found = REGEX.exec(this.text)
    // A path such as /orders/42 is a word.
    if (!found) return undefined
    this.at += found[0].length
    const [, source = '', flags = ''] = found
    try {
      const regex = new RegExp(source, flags.includes('i') ? 'iu' : 'u')
      return { text: source, from, to: this.at, regex, quoted: false }
    } catch (error) {
      const why = error instanceof Error ? error.message.replace(/^.*: /, '') : 'it is not one'
      this.fault(from, this.at, `This is no regular expression: ${why}.`)
      return undefined
    }
  }
}

const KEY = /([A-Za-z][\w-]*(?:\.[\w$-]+)*)(?:(:)(>=|<=|>|<|=)?|(?=[><=])(>=|<=|>|<|=))/y
const REGEX = /\/((?:\\.|[^/\\\n])+)\/([a-z]*)(?=\s|,|$)/y

/** The terms that only the pages can answer: `data.path`. */
export function dataTerms(query: ParsedQuery): DataTerm[] {
  const terms: DataTerm[] = []
  for (const { key, op, values, not } of query.terms) {
    if (!key.startsWith('data.')) continue
    const path = key.slice('data.'.length).split('.')
    const [value] = values
    if (value) terms.push({ path, op, value: value.text, ...(not ? { not: true as const } : {}) })
  }
  return terms
}
