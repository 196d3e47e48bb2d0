/** What somebody may have meant: types and patterns that are nearly a given type. */

export interface Near {
  readonly text: string
  /** How far off, from 0; for comparison only. */
  readonly score: number
  /** What differs, as the rest of a sentence: `differs by one letter`. */
  readonly how: string
}

/** Candidates looked at; more types are no application's. */
const MAX_CANDIDATES = 5_000

/** Types or patterns, the nearest first; those that are the type, or take it, are not among them. */
export function nearest(type: string, candidates: Iterable<string>, limit = 3): readonly Near[] {
  const found: Near[] = []
  let looked = 0
  for (const candidate of new Set(candidates)) {
    if (++looked > MAX_CANDIDATES) break
    const near = nearness(type, candidate)
    if (near) found.push(near)
  }
  return found.sort((a, b) => a.score - b.score || compare(a.text, b.text)).slice(0, limit)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Asked again with every event that comes, of the same few types and patterns. */
const known = new Map<string, Near | undefined>()
const MAX_KNOWN = 20_000

/** How a type or pattern differs from a type, where it does so by little. */
export function nearness(type: string, candidate: string): Near | undefined {
  if (candidate === type || candidate === '*' || candidate === '**') return undefined
  const key = `${type} ${candidate}`
  if (known.has(key)) return known.get(key)
  if (known.size >= MAX_KNOWN) known.clear()
  const found = differenceOf(type, candidate)
  const near = found && { text: candidate, ...found }
  known.set(key, near)
  return near
}

function differenceOf(type: string, candidate: string): Omit<Near, 'text'> | undefined {
  const given = type.split('.')
  const wanted = candidate.split('.')
  const open = wanted.at(-1) === '**'
  const literal = !candidate.includes('*')
  if (literal) {
    if (candidate.toLowerCase() === type.toLowerCase())
      return { score: 0.1, how: 'differs in upper and lower case' }
    if (lettersOf(candidate) === lettersOf(type))
      return { score: 0.2, how: 'is written with other separators' }
    if (given.length > 1 && sorted(given) === sorted(wanted))
      return { score: 0.5, how: 'has the same parts in another order' }
  }
  const edits = editsOf(given, wanted, open)
  if (edits === 0) return undefined
  if (edits !== undefined) {
    const letters = edits === 1 ? 'one letter' : `${edits} letters`
    return { score: edits, how: `differs by ${letters}` }
  }
  return literal ? byOneSegment(given, wanted) : byDepth(given, wanted, open)
}

/** Letters to change so that the type is what the pattern takes; `undefined` where it is too much. */
function editsOf(
  given: readonly string[],
  wanted: readonly string[],
  open: boolean,
): number | undefined {
  const fixed = open ? wanted.length - 1 : wanted.length
  if (open ? given.length <= fixed : given.length !== fixed) return undefined
  let edits = 0
  let letters = 0
  for (let i = 0; i < fixed; i++) {
    const one = given[i] as string
    const other = wanted[i] as string
    if (other === '*') continue
    letters += other.length
    const most = Math.min(one.length, other.length)
    const here = distance(one, other, most < 3 ? 0 : Math.max(1, Math.floor(most / 3)))
    if (here === undefined) return undefined
    edits += here
  }
  return edits > 3 || edits * 3 > letters ? undefined : edits
}

/** One has a segment more than the other. */
function byOneSegment(
  given: readonly string[],
  wanted: readonly string[],
): Omit<Near, 'text'> | undefined {
  const more = wanted.length - given.length
  if (more !== 1 && more !== -1) return undefined
  const [long, short] = more === 1 ? [wanted, given] : [given, wanted]
  if (short.length === 1 && (short[0] as string).length < 3) return undefined
  for (let i = 0; i < long.length; i++) {
    const without = [...long.slice(0, i), ...long.slice(i + 1)]
    if (without.join('.') !== short.join('.')) continue
    const how = more === 1 ? 'has one part more' : 'lacks one part'
    return { score: 1.5, how: `${how}: ${long[i]}` }
  }
  return undefined
}

/** A pattern that would take the type, were it of as many parts. */
function byDepth(
  given: readonly string[],
  wanted: readonly string[],
  open: boolean,
): Omit<Near, 'text'> | undefined {
  const fixed = open ? wanted.slice(0, -1) : wanted
  const common = Math.min(given.length, fixed.length)
  let literals = 0
  for (let i = 0; i < common; i++) {
    if (fixed[i] === '*') continue
    if (fixed[i] !== given[i]) return undefined
    literals++
  }
  if (literals === 0) return undefined
  if (open && given.length === fixed.length)
    return { score: 1, how: 'takes types with at least one part more' }
  if (wanted.at(-1) === '*' && given.length === fixed.length + 1)
    return { score: 1, how: 'takes one part where * is, here are two' }
  if (wanted.at(-1) === '*' && given.length === fixed.length - 1)
    return { score: 1, how: 'takes types with one part more' }
  if (wanted.at(-1) === '*' && given.length > fixed.length)
    return { score: 1.2, how: 'takes one part where * is, here are more' }
  return undefined
}

function lettersOf(type: string): string {
  return type.replace(/[^a-z0-9]/gi, '').toLowerCase()
}

function sorted(segments: readonly string[]): string {
  return [...segments].sort().join('.')
}

/** Letters added, left out, changed, or swapped with their neighbour; `undefined` above `most`. */
export function distance(one: string, other: string, most: number): number | undefined {
  if (one === other) return 0
  if (Math.abs(one.length - other.length) > most) return undefined
  let before: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_, j) => j)
  for (let i = 1; i <= one.length; i++) {
    const row = [i]
    let least = i
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1]
      let edits = Math.min(
        (last[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (last[j - 1] as number) + (same ? 0 : 1),
      )
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1])
        edits = Math.min(edits, (before[j - 2] as number) + 1)
      row.push(edits)
      least = Math.min(least, edits)
    }
    if (least > most) return undefined
    before = last
    last = row
  }
  const edits = last[other.length] as number
  return edits > most ? undefined : edits
}
