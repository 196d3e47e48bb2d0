/**
 * Values as inspectors see them: opened a few levels, the rest by path. In comes any value that data
 * or a view's state can be, out go trees. What is hidden is in no preview either.
 */
import type { Tree } from './frames.ts'

export type Path = readonly (string | number)[]
/** Whether the value at a path, by its names, is not to be shown. */
export type Hides = (path: readonly string[]) => boolean

export interface Opening {
  readonly path?: Path | undefined
  /** Levels opened below the path. @default 2 */
  readonly depth?: number | undefined
  /** The first child shown of the value at the path. @default 0 */
  readonly from?: number | undefined
  /** @default nothing */
  readonly hides?: Hides | undefined
}

const MAX_DEPTH = 6
const MAX_CHILDREN = 100
const MAX_PREVIEW = 120
/** Children in a preview, and characters of one. */
const PREVIEWED = 8
const MAX_PREVIEWED = 40

/** An entry of a Map whose key is no text. */
class Pair {
  readonly key: unknown
  readonly value: unknown

  constructor(key: unknown, value: unknown) {
    this.key = key
    this.value = value
  }
}

/** A child, by which it is asked for, and the name by which it is hidden; a Pair's have none. */
type Child = readonly [key: string | number, value: unknown, name?: string]

interface Look {
  readonly type: Tree['type']
  /** How many children there are; absent where there can be none. */
  readonly size?: number
  readonly children: readonly Child[]
}

/** What a value is, with children from number `from` on, at most `limit`. */
export function lookAt(value: unknown, from = 0, limit = 0): Look {
  const part = <T>(all: ArrayLike<T>, child: (one: T, at: number) => Child): Child[] => {
    const children: Child[] = []
    for (let at = from; at < all.length && at < from + limit; at++)
      children.push(child(all[at] as T, at))
    return children
  }
  const list = (type: Tree['type'], all: ArrayLike<unknown>, named = true): Look => ({
    type,
    size: all.length,
    children: part(all, (one, at) => (named ? [at, one, String(at)] : [at, one])),
  })
  if (value === null) return { type: 'null', children: [] }
  if (typeof value === 'function' || typeof value === 'symbol') return list('object', [])
  if (typeof value !== 'object') return { type: typeof value as Tree['type'], children: [] }
  if (value instanceof Pair) return list('array', [value.key, value.value], false)
  if (Array.isArray(value)) return list('array', value)
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value
    const bytes = (): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength)
    return list('view', value instanceof DataView ? bytes() : (value as Uint8Array))
  }
  const type = tagOf(value).toLowerCase()
  switch (type) {
    case 'date':
    case 'regexp':
    case 'url':
      return { type, children: [] }
    case 'arraybuffer':
      return list(type, new Uint8Array(value as ArrayBuffer))
    case 'set':
      return list(type, [...(value as Set<unknown>)])
    case 'map': {
      const all = [...(value as Map<unknown, unknown>)]
      const children = part(all, ([key, item], at) =>
        typeof key === 'string' ? [key, item, key] : [at, new Pair(key, item), String(key)],
      )
      return { type, size: all.length, children }
    }
    default: {
      const keys = Object.keys(value)
      const children = part(keys, (key) => [key, (value as Record<string, unknown>)[key], key])
      return { type: 'object', size: keys.length, children }
    }
  }
}

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

/** What is found at the path; `missing` where there is nothing. */
export function openTree(root: unknown, opening: Opening): Tree {
  const { path = [], depth = 2, from = 0, hides = () => false } = opening
  let value = root
  let names: readonly string[] = []
  const above: unknown[] = []
  for (const step of path) {
    if (hides(names)) break
    // Found by what it is called: what it inherits is none of its children.
    const child = lookAt(value, 0, Number.POSITIVE_INFINITY).children.find(([key]) => key === step)
    if (!child) return { type: 'missing', preview: '' }
    above.push(value)
    value = child[1]
    names = below(names, child[2])
  }
  return treeOf(value, names, above, Math.min(depth, MAX_DEPTH), from, hides)
}

function treeOf(
  value: unknown,
  names: readonly string[],
  above: readonly unknown[],
  depth: number,
  from: number,
  hides: Hides,
): Tree {
  if (hides(names)) return { type: 'redacted', preview: 'redacted' }
  if (above.includes(value)) return { type: 'cycle', preview: short(value) }
  const { type, size, children } = lookAt(value, from, depth > 0 ? MAX_CHILDREN : 0)
  const tree = { type, preview: previewOf(value, names, hides) }
  if (size === undefined) return tree
  if (children.length === 0) return { ...tree, size }
  const opened = children.map(([key, child, name]): readonly [string | number, Tree] => [
    key,
    treeOf(child, below(names, name), [...above, value], depth - 1, 0, hides),
  ])
  return { ...tree, size, children: opened }
}

function below(names: readonly string[], name: string | undefined): readonly string[] {
  return name === undefined ? names : [...names, name]
}

/** One line. */
function previewOf(value: unknown, names: readonly string[], hides: Hides): string {
  const { type, size, children } = lookAt(value, 0, PREVIEWED)
  if (size === undefined) return short(value)
  const keyed = type === 'object' || type === 'map'
  const parts = children.map(([key, child, name]) => {
    const shown = hides(below(names, name)) ? 'redacted' : short(child, MAX_PREVIEWED)
    return keyed ? `${key}: ${shown}` : shown
  })
  if (size > PREVIEWED) parts.push('…')
  const text = keyed ? `{${parts.join(', ')}}` : `[${parts.join(', ')}]`
  return cut(type === 'object' || type === 'array' ? text : `${tagOf(value)}(${size}) ${text}`)
}

/** A value that is not opened. */
function short(value: unknown, length: number = MAX_PREVIEW): string {
  const { type, size } = lookAt(value)
  if (value instanceof Pair) return `${short(value.key, 20)} => ${short(value.value, 20)}`
  if (type === 'array') return '[…]'
  if (type === 'object') return '{…}'
  if (size !== undefined) return `${tagOf(value)}(${size})`
  if (type === 'string') return cut(JSON.stringify((value as string).slice(0, length)), length)
  // An invalid one has no ISO form.
  if (type === 'date' && !Number.isNaN(Number(value))) return (value as Date).toISOString()
  return cut(Object.is(value, -0) ? '-0' : String(value) + (type === 'bigint' ? 'n' : ''), length)
}

function cut(text: string, length: number = MAX_PREVIEW): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}
