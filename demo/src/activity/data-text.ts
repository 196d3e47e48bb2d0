/** Any data of an event as one compact line, close to how it would be written in code. */
const MAX_DEPTH = 4

export function dataText(data: unknown, limit = 300): string {
  const text = data === undefined ? '' : textOf(data, [], limit)
  return text.length > limit ? `${text.slice(0, limit)}…` : text
}

function textOf(value: unknown, above: readonly object[], limit: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, limit + 1))
  if (typeof value === 'bigint') return `${value}n`
  if (Object.is(value, -0)) return '-0'
  if (typeof value !== 'object' || value === null) return String(value)
  if (above.includes(value)) return '[circular]'
  if (above.length === MAX_DEPTH) return '…'
  const inside = (inner: unknown) => textOf(inner, [...above, value], limit)

  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  }
  if (value instanceof RegExp) return String(value)
  if (value instanceof URL) return value.href
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${value.byteLength})`
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength})`
  if (Array.isArray(value)) return `[${list(value, inside, limit)}]`
  if (value instanceof Set) return `Set(${value.size}) {${list(value, inside, limit)}}`
  if (value instanceof Map) {
    const entry = ([key, item]: [unknown, unknown]) => `${inside(key)} → ${inside(item)}`
    return `Map(${value.size}) {${list(value, entry, limit)}}`
  }
  const property = ([key, item]: [string, unknown]) => `${name(key)}: ${inside(item)}`
  const text = list(Object.entries(value), property, limit)
  return text === '' ? '{}' : `{ ${text} }`
}

const name = (key: string): string => (/^[\w$]+$/.test(key) ? key : JSON.stringify(key))

/** Stops where nobody would see the rest. */
function list<T>(items: Iterable<T>, text: (item: T) => string, limit: number): string {
  let line = ''
  for (const item of items) {
    if (line.length > limit) break
    line += line === '' ? text(item) : `, ${text(item)}`
  }
  return line
}
