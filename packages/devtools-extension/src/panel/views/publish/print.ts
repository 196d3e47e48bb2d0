/** Writes a value so that `parseLiteral` reads it again. */

const WIDTH = 72
const NAME = /^[\p{L}_$][\p{L}\p{N}_$]*$/u

/**
 * The value as JavaScript writes it, in lines where it is long.
 *
 * @throws {TypeError} where a value contains itself: no text can say that
 */
export function printLiteral(value: unknown): string {
  return value === undefined ? '' : print(value, '', [])
}

function print(value: unknown, indent: string, within: readonly object[]): string {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value !== 'object' || value === null) return String(value)
  if (within.includes(value)) throw new TypeError('The data contains itself, which no text can say.')
  const inner = [...within, value]
  const deeper = `${indent}  `
  const entries = (values: Iterable<unknown>, open: string, close: string): string =>
    lines(Array.from(values, (one) => print(one, deeper, inner)), open, close, indent)
  if (Array.isArray(value)) return entries(value, '[', ']')
  if (value instanceof Date)
    return `new Date(${Number.isNaN(value.getTime()) ? 'NaN' : JSON.stringify(value.toISOString())})`
  if (value instanceof RegExp) return String(value)
  if (value instanceof URL) return `new URL(${JSON.stringify(value.href)})`
  if (value instanceof Map)
    return value.size === 0 ? 'new Map()' : `new Map(${entries(value, '[', ']')})`
  if (value instanceof Set)
    return value.size === 0 ? 'new Set()' : `new Set(${entries(value, '[', ']')})`
  if (value instanceof ArrayBuffer)
    return `new Uint8Array(${entries(new Uint8Array(value), '[', ']')}).buffer`
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return `new ${value.constructor.name}(${entries(value as Uint8Array, '[', ']')})`
  const fields = Object.entries(value).map(
    ([key, field]) =>
      `${NAME.test(key) ? key : JSON.stringify(key)}: ${print(field, deeper, inner)}`,
  )
  return lines(fields, '{', '}', indent)
}

function lines(parts: readonly string[], open: string, close: string, indent: string): string {
  if (parts.length === 0) return open + close
  const pad = open === '{' ? ' ' : ''
  const one = `${open}${pad}${parts.join(', ')}${pad}${close}`
  if (one.length + indent.length <= WIDTH && !one.includes('\n')) return one
  return `${open}\n${parts.map((part) => `${indent}  ${part},`).join('\n')}\n${indent}${close}`
}
