/** Changing a filter's text by its terms, so that what a click does stands where it can be read. */

import { clockTime } from '../ui/format.ts'

/** The terms of a text: split at spaces outside of quotes and of regular expressions. */
export function termsOf(text: string): string[] {
  return (
    text.match(/(?:-?[\w.$@]*[:=<>]*)?(?:"(?:\\.|[^"\\])*"?|\/(?:\\.|[^/\\\s])+\/\w*)|\S+/g) ?? []
  )
}

/** Adds a term; one that is there is taken out, and its opposite is replaced. */
export function toggleTerm(text: string, term: string): string {
  const terms = termsOf(text)
  const opposite = term.startsWith('-') ? term.slice(1) : `-${term}`
  const rest = terms.filter((each) => each !== term && each !== opposite)
  if (!terms.includes(term)) rest.push(term)
  return rest.join(' ')
}

/** Puts `after:` and `before:` in place of those there are; without a range takes them out. */
export function withRange(
  text: string,
  range: { readonly after: string; readonly before: string } | undefined,
): string {
  const rest = termsOf(text).filter((term) => !/^(after|before):/.test(term))
  if (range) rest.push(`after:${range.after}`, `before:${range.before}`)
  return rest.join(' ')
}

/** A time as a filter has it: of today by the clock, else the date as well. */
export function timeTerm(ms: number, now: number = Date.now()): string {
  return sameDay(ms, now) ? clockTime(ms) : new Date(ms).toISOString()
}

/** The other way. */
export function timeOf(term: string | undefined, now: number = Date.now()): number | undefined {
  const clock = /^(\d{2}):(\d{2}):(\d{2})\.(\d{3})$/.exec(term ?? '')
  const ms = clock
    ? new Date(now).setHours(...(clock.slice(1).map(Number) as [number, number, number, number]))
    : Date.parse(term ?? '')
  return Number.isNaN(ms) ? undefined : ms
}

function sameDay(one: number, other: number): boolean {
  return new Date(one).toDateString() === new Date(other).toDateString()
}
