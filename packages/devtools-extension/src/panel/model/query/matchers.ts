/** What values of a term match: texts, types, ids, numbers. */
import { isPattern, typeMatcher } from '@crosstown/bus/protocol'
import type { Op, Term, Value } from './parse.ts'

/** What is wrong with a value. */
export class ValueFault extends Error {
  readonly value: Value | undefined

  constructor(message: string, value?: Value) {
    super(message)
    this.value = value
  }
}

export function needed(term: Term): readonly Value[] {
  if (term.values.length === 0) throw new ValueFault(`Say what “${term.key}:” should be.`)
  return term.values
}

/** The values of a term, of those that there are. */
export function oneOf<T>(term: Term, choices: { readonly [name: string]: T }): T[] {
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
export function anyText(term: Term): (text: string) => boolean {
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
export function anyType(term: Term): (type: string) => boolean {
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

export function anyId(term: Term): (id: string) => boolean {
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

/** A value without an operator is the least: `dur:50ms` is 50 ms and more. */
export function comparison(
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

export function countOf(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}
