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
    const system = patterns.filter((pattern) => SYSTEM.test(pattern))
    return (type) => !SYSTEM.test(type) || system.some((pattern) => matches(pattern, type))
  }
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const wild = patterns.filter((pattern) => pattern.includes('*'))
  return (type) => exact.has(type) || wild.some((pattern) => matches(pattern, type))
}

/**
 * Whether each of these patterns matches nothing but what one of the others matches. Several together
 * may match all that one does without this being seen.
 */
export function isWithin(inner: readonly string[], outer: readonly string[]): boolean {
  const [all, within] = [outer, inner].map((patterns) =>
    patterns.map((pattern) => (pattern === '*' ? '**' : pattern)),
  ) as [string[], string[]]
  return within.every((pattern) => all.some((one) => matches(one, pattern)))
}

/** Also whether a pattern matches all that another one does. */
function matches(pattern: string, type: string): boolean {
  // A wildcard in the first place does not stand for types of ours.
  if (SYSTEM.test(type) && !SYSTEM.test(pattern)) return false
  const wanted = pattern.split('.')
  const given = type.split('.')
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '**') return given.length > i
    if (given[i] === '**') return false
    if (i >= given.length || (wanted[i] !== '*' && wanted[i] !== given[i])) return false
  }
  return wanted.length === given.length
}
