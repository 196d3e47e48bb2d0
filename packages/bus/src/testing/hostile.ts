/** What others may send: texts that are no frames, frames that are almost right, values of every kind. */
import * as fc from 'fast-check'

/** Values that code which trusts its input trips over. */
const ODD = [
  null,
  true,
  -1,
  0,
  0.5,
  2 ** 53,
  1e308,
  '',
  '__proto__',
  'constructor',
  'a..b',
  '**.x',
  '\u0000',
  '\ud800',
  'x'.repeat(300),
  [],
  [null],
  [[]],
  {},
  { length: 1 },
  { toString: 1, valueOf: 1, toJSON: 1 },
] as const

/** Names that are already taken in every object. */
const KEYS = ['__proto__', 'constructor', 'toString', 'toJSON', 'then', 'hasOwnProperty'] as const

const odd = fc.oneof(fc.constantFrom<unknown>(...ODD), fc.jsonValue({ maxDepth: 2 }))
const line = fc.oneof(
  fc.string(),
  fc.constantFrom('', '{', 'null', '[[1', '[-7,1e9]', '[["Map",1]]', '[["__proto__",1]]', '"\\'),
)

/** A frame as its first line has it, and its data lines. */
export interface KnownFrame {
  readonly frame: object
  readonly data: readonly string[]
}

/**
 * Texts as somebody might send them who knows these frames: the frames with fields of any depth
 * replaced, added, left out, with too many or too few lines; and texts that are no frames at all.
 */
export function hostileTexts(frames: readonly KnownFrame[]): fc.Arbitrary<string> {
  const known = fc.constantFrom(...frames)
  const replaced = fc
    .tuple(known, fc.nat(), odd)
    .map(([{ frame, data }, at, value]) => textOf(replace(frame, at, value), data))
  const added = fc
    .tuple(known, fc.constantFrom(...KEYS), odd)
    // As text: assigned, `__proto__` would not become a key.
    .map(([{ frame, data }, key, value]) =>
      textOf(frame, data).replace('{', `{${JSON.stringify(key)}:${JSON.stringify(value)},`),
    )
  const relined = fc
    .tuple(known, fc.array(line, { maxLength: 4 }))
    .map(([{ frame }, lines]) => textOf(frame, lines))
  const cut = fc
    .tuple(known, fc.nat())
    .map(([{ frame, data }, at]) => textOf(frame, data).slice(0, at % 300))
  return fc.oneof(fc.string({ unit: 'binary' }), fc.json(), replaced, added, relined, cut)
}

function textOf(frame: unknown, data: readonly string[]): string {
  return [JSON.stringify(frame), ...data].join('\n')
}

/** The frame with one of its values, at any depth, replaced or left out. */
function replace(frame: object, at: number, value: unknown): unknown {
  const paths = pathsOf(frame)
  const path = paths[at % paths.length] as readonly string[]
  const copy: unknown = structuredClone(frame)
  let inner = copy as Record<string, unknown>
  for (const key of path.slice(0, -1)) inner = inner[key] as Record<string, unknown>
  const last = path.at(-1) as string
  if (at % 7 === 0 && !Array.isArray(inner)) delete inner[last]
  else inner[last] = value
  return copy
}

function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  const own = path.length === 0 ? [] : [path]
  if (typeof value !== 'object' || value === null) return own
  return own.concat(Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key])))
}
