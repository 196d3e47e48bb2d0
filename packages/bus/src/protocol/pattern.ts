/**
 * Patterns of event types: `cart.item_added` (that type), `cart.*` (one segment in that place),
 * `cart.**` (one or more segments, last place only), a lone `*` or `**` (everything). The same
 * rule holds for subscriptions, for rights and for a relay link's `types`.
 */
import { BusError, shown } from '../errors.ts'

const PATTERN = /^(?:\$?[A-Za-z0-9_-]+|\*)(?:\.(?:[A-Za-z0-9_-]+|\*)){0,15}(?:\.\*\*)?$/
const SYSTEM = /^\$/

/** The patterns of a list or of one, checked. @throws {BusError} invalid_pattern */
export function parsePatterns(pattern: unknown): readonly string[] {
  const list: unknown[] = Array.isArray(pattern) ? pattern : [pattern]
  if (list.length === 0) throw badPattern(pattern, 'give at least one pattern')
  for (const one of list) {
    if (!isPattern(one)) {
      throw badPattern(
        one,
        "use a type as 'cart.item_added', 'cart.*' for one segment, 'cart.**' for one or more at the end, or '*' for everything",
      )
    }
  }
  return list as string[]
}

function badPattern(pattern: unknown, what: string): BusError {
  return new BusError('invalid_pattern', `${shown(pattern)} is not a pattern: ${what}`, {
    stage: 'dispatch',
  })
}

/** Whether a text is a pattern. Types that start with `$` are ours; patterns may name them. */
export function isPattern(pattern: unknown): pattern is string {
  if (typeof pattern !== 'string' || pattern.length > 256) return false
  return pattern === '**' || (PATTERN.test(pattern) && pattern.split('.').length <= 16)
}

/** A test of types for patterns that are known to be patterns. */
export function typeMatcher(patterns: readonly string[]): (type: string) => boolean {
  if (patterns.some((pattern) => pattern === '*' || pattern === '**')) {
    const system = patterns.filter((pattern) => SYSTEM.test(pattern)).map(split)
    return (type) => !SYSTEM.test(type) || matchesOne(system, type)
  }
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const wild = patterns.filter((pattern) => pattern.includes('*')).map(split)
  return (type) => exact.has(type) || (wild.length > 0 && matchesOne(wild, type))
}

/**
 * Whether each of these patterns matches nothing but what one of the others matches. Several together
 * may match all that one does without this being seen.
 */
export function isWithin(inner: readonly string[], outer: readonly string[]): boolean {
  const whole = (pattern: string): string => (pattern === '*' ? '**' : pattern)
  const all = outer.map(whole).map(split)
  return inner.map(whole).every((pattern) => matchesOne(all, pattern))
}

function split(text: string): string[] {
  return text.split('.')
}

/** Whether one of the patterns matches the type, or all that another pattern matches. */
function matchesOne(patterns: readonly (readonly string[])[], type: string): boolean {
  const given = split(type)
  return patterns.some((pattern) => matches(pattern, given))
}

function matches(wanted: readonly string[], given: readonly string[]): boolean {
  // A wildcard in the first place does not stand for types of ours.
  if (SYSTEM.test(given[0] as string) && !SYSTEM.test(wanted[0] as string)) return false
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '**') return given.length > i
    if (given[i] === '**') return false
    if (i >= given.length || (wanted[i] !== '*' && wanted[i] !== given[i])) return false
  }
  return wanted.length === given.length
}
