/** Values as source text: what a developer would type to have the same value. */

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/
/** Shorter than this, an object or array stands on one line. */
const LINE = 60

/**
 * The source text of a value as events carry them: plain ones, Map, Set, Date, BigInt, RegExp, URL,
 * ArrayBuffer and its views. A cycle has no literal: it is `undefined` with a comment.
 *
 * @example literal({ at: new Date(0), n: 1n }) // "{ at: new Date('1970-01-01T00:00:00.000Z'), n: 1n }"
 */
export function literal(value: unknown): string {
  return write(value, '', [])
}

function write(value: unknown, indent: string, inside: readonly object[]): string {
  if (typeof value === 'string') return text(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value !== 'object' || value === null) return String(value)
  if (inside.includes(value)) return 'undefined /* a cycle */'
  const deeper = `${indent}  `
  const within = [...inside, value]
  const child = (of: unknown): string => write(of, deeper, within)

  if (Array.isArray(value)) return list('[', Array.from(value, child), ']', indent)
  if (value instanceof Date)
    return Number.isNaN(value.getTime())
      ? 'new Date(Number.NaN)'
      : `new Date(${text(value.toISOString())})`
  if (value instanceof RegExp) return String(value)
  if (value instanceof URL) return `new URL(${text(value.href)})`
  if (value instanceof Map)
    return value.size === 0
      ? 'new Map()'
      : `new Map(${list(
          '[',
          [...value].map(([key, of]) => `[${child(key)}, ${child(of)}]`),
          ']',
          indent,
        )})`
  if (value instanceof Set)
    return value.size === 0
      ? 'new Set()'
      : `new Set(${list('[', [...value].map(child), ']', indent)})`
  if (value instanceof ArrayBuffer)
    return `new Uint8Array([${new Uint8Array(value).join(', ')}]).buffer`
  if (value instanceof DataView)
    return `new DataView(new Uint8Array([${new Uint8Array(value.buffer, value.byteOffset, value.byteLength).join(', ')}]).buffer)`
  if (ArrayBuffer.isView(value)) {
    const elements = Array.from(value as unknown as Iterable<number | bigint>, child)
    return `new ${value.constructor.name}([${elements.join(', ')}])`
  }
  const parts = Object.entries(value).map(([key, of]) => `${property(key)}: ${child(of)}`)
  return parts.length === 0 ? '{}' : list('{ ', parts, ' }', indent)
}

/** A text in single quotes. */
export function text(value: string): string {
  // JSON escapes what has to be; U+2028 and U+2029 may stand in a string since ES2019.
  const body = JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
  return `'${body}'`
}

function property(key: string): string {
  // As a literal `__proto__` would set the prototype.
  if (key === '__proto__') return "['__proto__']"
  return IDENTIFIER.test(key) ? key : text(key)
}

function list(open: string, parts: readonly string[], close: string, indent: string): string {
  const line = `${open}${parts.join(', ')}${close}`
  if (line.length <= LINE && !line.includes('\n')) return line
  const deeper = `${indent}  `
  return `${open.trim()}\n${parts.map((part) => `${deeper}${part},\n`).join('')}${indent}${close.trim()}`
}
