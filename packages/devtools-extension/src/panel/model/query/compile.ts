/** Makes one question to rows of a query. */
import type { SessionStore } from '../session.ts'
import { NOTE } from '../store/rows.ts'
import { ValueFault } from './matchers.ts'
import type { ParsedQuery } from './parse.ts'
import type { Test } from './question.ts'
import { testFor } from './questions.ts'

export interface Compiled {
  /** The query, with faults of its values. */
  readonly query: ParsedQuery
  /** Whether every row passes. */
  readonly all: boolean
  /** Whether a row that was judged may have to be judged anew. */
  readonly late: boolean
  test(row: number): boolean
}

export function compile(
  query: ParsedQuery,
  session: SessionStore,
  found: ReadonlySet<string>,
): Compiled {
  const tests: { readonly test: Test; readonly not: boolean }[] = []
  const faults = [...query.faults]
  for (const term of query.terms) {
    try {
      tests.push({ test: testFor(term, session, found), not: term.not })
    } catch (error) {
      if (!(error instanceof ValueFault)) throw error
      const { from, to } = error.value ?? term
      faults.push({ from, to: Math.max(to, from + 1), message: error.message })
    }
  }
  const { ring, notes, entries } = session
  return {
    query: { ...query, faults },
    all: tests.length === 0,
    late: tests.some(({ test }) => test.late),
    test(row) {
      const entry = ring.at(row)
      if (entry === NOTE) {
        const note = notes.get(row)
        return note !== undefined && tests.every(({ test, not }) => test.note(note) !== not)
      }
      if (entry < 0 || !entries.isDescribed(entry)) return false
      for (const { test, not } of tests) if (test.event(entry) === not) return false
      return true
    },
  }
}
