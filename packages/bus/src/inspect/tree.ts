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
  readonly hides?: Hides | undefined
}

const MAX_DEPTH = 6
const MAX_CHILDREN = 100
const MAX_PREVIEW = 120
/** Children in a preview. */
const PREVIEWED = 8

/** An entry of a Map whose key is no text. */
class Pair {
  readonly key: unknown
  readonly value: unknown

  constructor(key: unknown, value: unknown) {
    this.key = key
    this.value = value
  }
}

const PAIR = ['key', 'value'] as const

/** A child, by which it is asked for, and the name by which it is hidden; a Pair's have none. */
type Child = readonly [key: string | number, value: unknown, name?: string]

/** What is found at the path; `missing` where there is nothing. */
export function openTree(root: unknown, opening: Opening): Tree {
  const { path = [], depth = 2, from = 0, hides = SHOWN } = opening
  let value = root
  const names: string[] = []
  const above: unknown[] = []
  for (const step of path) {
    if (hides(names)) break
    const child = childAt(value, step)
    if (!child) return { type: 'missing', preview: '' }
    above.push(value)
    value = child[1]
    if (child[2] !== undefined) names.push(child[2])
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
  const type = typeOf(value)
  if (above.includes(value)) return { type: 'cycle', preview: short(value) }
  const size = sizeOf(value)
  const tree = { type, preview: previewOf(value, names, hides) }
  if (size === undefined) return tree
  if (depth === 0 || size === 0) return { ...tree, size }
  const children = childrenOf(value, from, MAX_CHILDREN).map(
    ([key, child, name]): readonly [string | number, Tree] => [
      key,
      treeOf(child, below(names, name), [...above, value], depth - 1, 0, hides),
    ],
  )
  return { ...tree, size, children }
}

const SHOWN: Hides = () => false

function below(names: readonly string[], name: string | undefined): readonly string[] {
  return name === undefined ? names : [...names, name]
}

function typeOf(value: unknown): Tree['type'] {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value as Tree['type']
  if (Array.isArray(value) || value instanceof Pair) return 'array'
  if (ArrayBuffer.isView(value)) return 'view'
  const tag = tagOf(value).toLowerCase()
  return KINDS.has(tag) ? (tag as Tree['type']) : 'object'
}

const KINDS: ReadonlySet<string> = new Set(['date', 'regexp', 'url', 'map', 'set', 'arraybuffer'])

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

/** How many children a value has; `undefined` where it can have none. */
function sizeOf(value: unknown): number | undefined {
  switch (typeOf(value)) {
    case 'array':
      return value instanceof Pair ? 2 : (value as unknown[]).length
    case 'map':
    case 'set':
      return (value as Set<unknown>).size
    case 'view':
    case 'arraybuffer':
      return elementsOf(value as ArrayBuffer).length
    case 'object':
      return Object.keys(value as object).length
    default:
      return undefined
  }
}

/** Of a DataView and of an ArrayBuffer, the bytes. */
function elementsOf(value: ArrayBuffer | ArrayBufferView): ArrayLike<unknown> {
  if (!ArrayBuffer.isView(value)) return new Uint8Array(value)
  if (!(value instanceof DataView)) return value as Uint8Array
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
}

/** Children from number `from` on, at most `limit`. */
export function childrenOf(value: unknown, from = 0, limit: number = MAX_CHILDREN): Child[] {
  const through = from + limit
  switch (typeOf(value)) {
    case 'array':
      if (value instanceof Pair)
        return PAIR.slice(from, through).map((part, i): Child => [from + i, value[part]])
      return listed(value as unknown[], from, through)
    case 'view':
    case 'arraybuffer':
      return listed(elementsOf(value as ArrayBuffer), from, through)
    case 'set':
      return listed([...(value as Set<unknown>)], from, through)
    case 'map':
      return [...(value as Map<unknown, unknown>)]
        .slice(from, through)
        .map(([key, item], i): Child => entryOf(key, item, from + i))
    case 'object':
      return Object.keys(value as object)
        .slice(from, through)
        .map((key): Child => [key, (value as Record<string, unknown>)[key], key])
    default:
      return []
  }
}

function entryOf(key: unknown, item: unknown, index: number): Child {
  return typeof key === 'string' ? [key, item, key] : [index, new Pair(key, item), String(key)]
}

function listed(list: ArrayLike<unknown>, from: number, through: number): Child[] {
  const children: Child[] = []
  for (let i = from; i < Math.min(list.length, through); i++) children.push([i, list[i], String(i)])
  return children
}

function childAt(value: unknown, step: string | number): Child | undefined {
  const type = typeOf(value)
  if (type === 'map' && typeof step === 'string') {
    const map = value as Map<unknown, unknown>
    return map.has(step) ? [step, map.get(step), step] : undefined
  }
  if (type !== 'object') return Number(step) < 0 ? undefined : childrenOf(value, Number(step), 1)[0]
  return Object.hasOwn(value as object, step)
    ? [step, (value as Record<string, unknown>)[step], String(step)]
    : undefined
}

/** One line. */
function previewOf(value: unknown, names: readonly string[], hides: Hides): string {
  const size = sizeOf(value)
  if (size === undefined) return short(value)
  const type = typeOf(value)
  const bare = type === 'array' || type === 'view' || type === 'set' || type === 'arraybuffer'
  let text = ''
  for (const [key, child, name] of childrenOf(value, 0, PREVIEWED)) {
    const shown = hides(below(names, name)) ? 'redacted' : short(child, 40)
    text += `${text && ', '}${bare ? '' : `${key}: `}${shown}`
    if (text.length > MAX_PREVIEW) break
  }
  if (size > PREVIEWED) text += ', …'
  const kind = type === 'object' || type === 'array' ? '' : `${tagOf(value as object)}(${size}) `
  return cut(bare ? `${kind}[${text}]` : `${kind}{${text}}`, MAX_PREVIEW)
}

/** A value that is not opened. */
function short(value: unknown, length: number = MAX_PREVIEW): string {
  switch (typeOf(value)) {
    case 'string':
      return cut(JSON.stringify((value as string).slice(0, length)), length)
    case 'bigint':
      return cut(`${value}n`, length)
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'date':
      // An invalid one has no ISO form.
      return Number.isNaN(Number(value)) ? 'Invalid Date' : (value as Date).toISOString()
    case 'array':
      return value instanceof Pair ? `${short(value.key, 20)} => ${short(value.value, 20)}` : '[…]'
    case 'object':
      return '{…}'
    case 'map':
    case 'set':
    case 'view':
    case 'arraybuffer':
      return `${tagOf(value as object)}(${sizeOf(value)})`
    default:
      return cut(String(value), length)
  }
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}
