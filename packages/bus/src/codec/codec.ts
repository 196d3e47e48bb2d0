/**
 * Value text: what `data` becomes inside `publish`, once, and what log, tabs, wire and relay carry
 * unopened. JSON where the data is plain, devalue where it is not, said per event. In comes any
 * value; out goes text without a raw newline, or an error that names the culprit's path.
 */
import { parse as parseDevalue, stringify as stringifyDevalue } from 'devalue'
import { BusError } from '../errors.ts'

/** Encoded data: `encoding` is absent where the text is JSON. */
export interface ValueText {
  readonly text: string
  readonly encoding?: 'devalue'
}

const PLAIN = 0
const RICH = 1
const BAD = 2
type Kind = typeof PLAIN | typeof RICH | typeof BAD

/** Deeper than this, encoders and decoders of some runtimes overflow their stack. */
const MAX_DEPTH = 500
/** Up to so many objects, looking through a list is faster than a Set. */
const SMALL = 16

/**
 * The value text of `data`.
 *
 * @throws {BusError} invalid_data, with the path of what would not come out the same everywhere
 * @example encodeValue({ sku: 'A1' }) // { text: '{"sku":"A1"}' }
 */
export function encodeValue(data: unknown, eventType: string): ValueText {
  const kind = kindOfData(data)
  if (kind === PLAIN) return { text: JSON.stringify(data) }
  if (kind === BAD) throw invalidData(data, eventType)
  try {
    return { text: stringifyDevalue(data), encoding: 'devalue' }
  } catch (cause) {
    throw new BusError('invalid_data', `data of ${eventType} cannot be encoded`, {
      stage: 'codec',
      eventType,
      path: 'data',
      cause,
    })
  }
}

/** The value behind a text. @throws {BusError} invalid_data where the text is none */
export function decodeValue(
  text: string,
  encoding: 'devalue' | undefined,
  event: { readonly type: string; readonly id: string },
): unknown {
  try {
    return encoding === 'devalue' ? parseDevalue(text) : JSON.parse(text)
  } catch (cause) {
    throw new BusError('invalid_data', `the value text of event ${event.id} cannot be decoded`, {
      stage: 'codec',
      eventType: event.type,
      eventId: event.id,
      cause,
    })
  }
}

/** One list for all calls; a getter in the data may publish, and then needs one of its own. */
let spare: Seen | undefined = []

function kindOfData(data: unknown): Kind {
  if (typeof data !== 'object' || data === null) return kindOf(data, NOTHING_SEEN, 0)
  const seen = spare ?? []
  spare = undefined
  try {
    return kindOf(data, seen, 0)
  } finally {
    if (seen.all === undefined) {
      seen.length = 0
      spare = seen
    } else spare = []
  }
}

/** `seen` holds every object met so far: one met twice is a cycle or a shared reference. */
function kindOf(value: unknown, seen: Seen, depth: number): Kind {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return PLAIN
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? PLAIN : RICH
    case 'undefined':
    case 'bigint':
      return RICH
    case 'object':
      return value === null ? PLAIN : kindOfObject(value, seen, depth)
    default:
      return BAD
  }
}

type Seen = object[] & { all?: Set<object> }
const NOTHING_SEEN: Seen = []

function meet(value: object, seen: Seen): boolean {
  if (seen.all) {
    if (seen.all.has(value)) return true
    seen.all.add(value)
    return false
  }
  if (seen.includes(value)) return true
  seen.push(value)
  if (seen.length > SMALL) seen.all = new Set(seen)
  return false
}

function kindOfObject(value: object, seen: Seen, depth: number): Kind {
  if (depth > MAX_DEPTH) return BAD
  if (meet(value, seen)) return RICH
  if (Array.isArray(value)) return kindOfArray(value, seen, depth)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype) return kindOfFields(value, seen, depth)
  if (prototype === null || isObjectPrototype(prototype)) {
    const fields = kindOfFields(value, seen, depth)
    // JSON would bring a null prototype back as an ordinary object.
    return fields === PLAIN && prototype === null ? RICH : fields
  }
  return kindOfBuiltIn(value, seen, depth)
}

/** Of this realm or of another one: objects of an iframe have a prototype of their own. */
function isObjectPrototype(prototype: unknown): boolean {
  return (
    Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
  )
}

function kindOfArray(value: readonly unknown[], seen: Seen, depth: number): Kind {
  let kind: Kind = PLAIN
  let holes = 0
  for (let i = 0; i < value.length; i++) {
    const item = value[i]
    if (item === undefined && !(i in value)) holes += 1
    const one = kindOf(item, seen, depth + 1)
    if (one === BAD) return BAD
    if (one === RICH) kind = RICH
  }
  // A named property of an array would be lost on the way.
  return Object.keys(value).length === value.length - holes ? kind : BAD
}

function kindOfFields(value: object, seen: Seen, depth: number): Kind {
  let kind: Kind = PLAIN
  for (const key in value) {
    const one = kindOf((value as Record<string, unknown>)[key], seen, depth + 1)
    if (one === BAD) return BAD
    if (one === RICH) kind = RICH
  }
  return Object.getOwnPropertySymbols(value).length === 0 ? kind : BAD
}

const LEAF_TAGS = new Set(['Date', 'RegExp', 'URL', 'ArrayBuffer', 'DataView'])

function kindOfBuiltIn(value: object, seen: Seen, depth: number): Kind {
  const tag = tagOf(value)
  if (ArrayBuffer.isView(value)) {
    const own = tag === 'DataView' ? 2 : 3
    return distanceToRoot(value) === own && tagOf(value.buffer) === 'ArrayBuffer' ? RICH : BAD
  }
  if (distanceToRoot(value) !== 2 || Object.keys(value).length > 0) return BAD
  if (LEAF_TAGS.has(tag)) return RICH
  if (tag === 'Set') {
    for (const item of value as Set<unknown>) {
      if (kindOf(item, seen, depth + 1) === BAD) return BAD
    }
    return RICH
  }
  if (tag === 'Map') {
    for (const [key, item] of value as Map<unknown, unknown>) {
      if (kindOf(key, seen, depth + 1) === BAD || kindOf(item, seen, depth + 1) === BAD) return BAD
    }
    return RICH
  }
  return BAD
}

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

/**
 * How many prototypes a value has: 2 for a Map, 3 for a typed array, one more for a subclass,
 * which would come out as its base class. The same in every realm.
 */
function distanceToRoot(value: object): number {
  let distance = 0
  for (
    let at: unknown = Object.getPrototypeOf(value);
    at !== null;
    at = Object.getPrototypeOf(at)
  ) {
    distance += 1
  }
  return distance
}

function invalidData(data: unknown, eventType: string): BusError {
  const { path, what } = findCulprit(data, 'data', new Set(), 0) ?? {
    path: 'data',
    what: 'this value',
  }
  return new BusError(
    'invalid_data',
    `${path} of ${eventType} is ${what}, which would not come out the same everywhere: publish plain values, Map, Set, Date, BigInt, RegExp, URL, ArrayBuffer and its views`,
    { stage: 'codec', eventType, path },
  )
}

interface Culprit {
  readonly path: string
  readonly what: string
}

/** Walks again, slowly, only when something is known to be wrong. */
function findCulprit(
  value: unknown,
  path: string,
  seen: Set<object>,
  depth: number,
): Culprit | undefined {
  if (typeof value === 'function') return { path, what: 'a function' }
  if (typeof value === 'symbol') return { path, what: 'a symbol' }
  if (typeof value !== 'object' || value === null || seen.has(value)) return undefined
  if (depth > MAX_DEPTH) return { path: shorten(path), what: `deeper than ${MAX_DEPTH} levels` }
  seen.add(value)
  for (const [key, item] of childrenOf(value)) {
    const found = findCulprit(item, path + key, seen, depth + 1)
    if (found) return found
  }
  const alone =
    kindOf(emptied(value), [], 0) === BAD || Object.getOwnPropertySymbols(value).length > 0
  return alone || extraKeys(value) ? { path, what: describe(value) } : undefined
}

function shorten(path: string): string {
  return path.length > 120 ? `${path.slice(0, 117)}...` : path
}

function* childrenOf(value: object): Generator<[string, unknown]> {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) yield [`[${i}]`, value[i]]
  } else if (value instanceof Map) {
    for (const [key, item] of value) {
      const name =
        typeof key === 'string'
          ? JSON.stringify(key)
          : typeof key === 'object'
            ? '...'
            : String(key)
      yield [`.key(${name})`, key]
      yield [`.get(${name})`, item]
    }
  } else if (value instanceof Set) {
    let index = 0
    for (const item of value) yield [`.values()[${index++}]`, item]
  } else if (!ArrayBuffer.isView(value)) {
    for (const key of Object.keys(value)) {
      const name = /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
      yield [name, (value as Record<string, unknown>)[key]]
    }
  }
}

/** A value of the same class without its contents, to judge the class alone. */
function emptied(value: object): unknown {
  if (Array.isArray(value)) return []
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || isObjectPrototype(prototype)) return {}
  if (value instanceof Map) return distanceToRoot(value) === 2 ? new Map() : value
  if (value instanceof Set) return distanceToRoot(value) === 2 ? new Set() : value
  return value
}

function extraKeys(value: object): boolean {
  if (Array.isArray(value)) return Object.keys(value).some((key) => !/^\d+$/.test(key))
  return (value instanceof Map || value instanceof Set) && Object.keys(value).length > 0
}

function describe(value: object): string {
  if (extraKeys(value)) return `a ${tagOf(value)} with named properties`
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || isObjectPrototype(prototype)) return 'an object with a symbol as a key'
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name
  return `an instance of ${typeof name === 'string' && name !== '' ? name : tagOf(value)}`
}
