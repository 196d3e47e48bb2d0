/**
 * Values that must come out the same everywhere, and a way to tell that they did across contexts:
 * a fingerprint names classes, special numbers, holes, cycles and shared references.
 */

/** A value with a name for test titles; made anew at each call. */
export interface NamedValue {
  readonly name: string
  make(): unknown
}

/** About 40 values that every log and link must carry unchanged. */
export const VALUES: readonly NamedValue[] = [
  { name: 'null', make: () => null },
  { name: 'undefined', make: () => undefined },
  { name: 'true and false', make: () => [true, false] },
  { name: 'numbers', make: () => [0, 1, -1.5, 1e21, Number.MAX_SAFE_INTEGER, Number.MIN_VALUE] },
  { name: 'NaN', make: () => Number.NaN },
  {
    name: 'Infinity and -Infinity',
    make: () => [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  },
  { name: '-0', make: () => ({ value: -0 }) },
  { name: 'empty string', make: () => '' },
  { name: 'string with newlines and quotes', make: () => 'a\nb\r\n"c"\\d\u2028\u2029' },
  { name: 'string beyond the basic plane', make: () => '𝒳 🙂 é ß 漢字' },
  { name: 'lone surrogate', make: () => ['\ud800', { '\udfff': 1 }] },
  { name: 'NUL and control characters', make: () => '\u0000\u0001\u001f\u007f' },
  { name: 'BigInt', make: () => [0n, -1n, 2n ** 100n] },
  { name: 'empty object', make: () => ({}) },
  { name: 'empty array', make: () => [] },
  {
    name: 'plain object',
    make: () => ({ sku: 'A1', price: 19.99, tags: ['a', 'b'], inner: { deep: null } }),
  },
  { name: 'object with undefined', make: () => ({ a: undefined, b: 1 }) },
  {
    name: 'object with __proto__ as a key',
    make: () => JSON.parse('{"__proto__":{"polluted":true},"a":1}'),
  },
  { name: 'object without a prototype', make: () => Object.assign(Object.create(null), { a: 1 }) },
  { name: 'odd keys', make: () => ({ '': 1, 'a.b': 2, '0': 3, constructor: 4, toString: 5 }) },
  { name: 'sparse array', make: () => holey() },
  { name: 'array with undefined', make: () => [undefined, null, undefined] },
  { name: 'Date', make: () => new Date('2026-11-21T08:36:00.123Z') },
  { name: 'invalid Date', make: () => new Date(Number.NaN) },
  { name: 'RegExp', make: () => [/a\/b[\n]/giu, /(?<year>\d{4})/] },
  { name: 'URL', make: () => new URL('https://user:pw@example.org:8443/a%20b?q=1#f') },
  {
    name: 'Map',
    make: () =>
      new Map<unknown, unknown>([
        ['a', 1],
        [2, 'b'],
        [Number.NaN, -0],
      ]),
  },
  { name: 'Map with objects as keys', make: () => new Map([[{ id: 1 }, new Set([1])]]) },
  { name: 'Set', make: () => new Set<unknown>([1, '1', undefined, new Date(0)]) },
  { name: 'empty Map and Set', make: () => [new Map(), new Set()] },
  { name: 'ArrayBuffer', make: () => Uint8Array.of(0, 127, 128, 255).buffer },
  { name: 'Uint8Array', make: () => Uint8Array.of(0, 1, 254, 255) },
  { name: 'Uint8ClampedArray', make: () => Uint8ClampedArray.of(0, 255) },
  {
    name: 'Int16Array and Uint32Array',
    make: () => [Int16Array.of(-1, 32767), Uint32Array.of(0, 4294967295)],
  },
  {
    name: 'Float32Array and Float64Array',
    make: () => [Float32Array.of(1.5, -0), Float64Array.of(Number.NaN, 1e300)],
  },
  {
    name: 'BigInt64Array and BigUint64Array',
    make: () => [BigInt64Array.of(-1n), BigUint64Array.of(2n ** 63n)],
  },
  {
    name: 'DataView on a part of a buffer',
    make: () => new DataView(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2),
  },
  { name: 'two views of one buffer', make: () => twoViews() },
  { name: 'cycle', make: () => cycle() },
  { name: 'cycle through a Map', make: () => mapCycle() },
  { name: 'shared reference', make: () => shared() },
  { name: '10 levels deep', make: () => deep(10) },
  {
    name: 'everything at once',
    make: () => ({ map: new Map([['d', [new Date(1), 2n, undefined]]]), set: new Set([/x/g]) }),
  },
]

/** Values that `publish` must refuse, with the path it must name. */
export const REFUSED_VALUES: readonly (NamedValue & { readonly path: string })[] = [
  { name: 'function', make: () => ({ onClick() {} }), path: 'data.onClick' },
  { name: 'function at the top', make: () => () => 1, path: 'data' },
  { name: 'symbol', make: () => ({ list: [1, Symbol('x')] }), path: 'data.list[1]' },
  { name: 'symbol as a key', make: () => ({ a: { [Symbol('k')]: 1 } }), path: 'data.a' },
  {
    name: 'class instance',
    make: () => ({ items: [{ price: new Price() }] }),
    path: 'data.items[0].price',
  },
  { name: 'subclass of Map', make: () => ({ index: new Index() }), path: 'data.index' },
  { name: 'Error', make: () => ({ cause: new Error('no') }), path: 'data.cause' },
  { name: 'Promise', make: () => [Promise.resolve(1)], path: 'data[0]' },
  { name: 'WeakMap', make: () => ({ weak: new WeakMap() }), path: 'data.weak' },
  { name: 'Blob', make: () => ({ file: new Blob(['x']) }), path: 'data.file' },
  {
    name: 'function in a Map',
    make: () => ({ map: new Map([['key', { f() {} }]]) }),
    path: 'data.map.get("key").f',
  },
  {
    name: 'array with a named property',
    make: () => ({ match: Object.assign([1], { index: 0 }) }),
    path: 'data.match',
  },
  { name: 'boxed number', make: () => ({ n: Object(1) }), path: 'data.n' },
]

class Price {
  readonly amount = 1
}
class Index extends Map<string, number> {}

function holey(): unknown[] {
  const list: unknown[] = [1, 2, 3]
  delete list[1]
  return list
}

function twoViews(): unknown {
  const { buffer } = Uint8Array.of(1, 2, 3, 4)
  return [new Uint8Array(buffer, 0, 2), new Uint8Array(buffer, 2, 2)]
}

function cycle(): unknown {
  const node: Record<string, unknown> = { name: 'a' }
  node['self'] = node
  node['list'] = [node]
  return node
}

function mapCycle(): unknown {
  const map = new Map<string, unknown>()
  map.set('map', map)
  return map
}

function shared(): unknown {
  const address = { city: 'Bern' }
  return { from: address, to: address, other: { city: 'Bern' } }
}

function deep(levels: number): unknown {
  return levels === 0 ? { leaf: new Date(0) } : { level: levels, below: deep(levels - 1) }
}

/** A text that is the same for two values exactly when they are equal in every respect above. */
export function fingerprint(value: unknown): string {
  return print(value, new Map())
}

function print(value: unknown, seen: Map<object, number>): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value !== 'object' || value === null) return String(value)
  const known = seen.get(value)
  if (known !== undefined) return `#${known}`
  seen.set(value, seen.size)
  const tag = Object.prototype.toString.call(value).slice(8, -1)
  return `${Object.getPrototypeOf(value) === null ? 'null-' : ''}${tag}(${inside(value, seen)})`
}

function inside(value: object, seen: Map<object, number>): string {
  if (value instanceof Date) return String(value.getTime())
  if (value instanceof RegExp || value instanceof URL) return String(value)
  if (value instanceof ArrayBuffer) return new Uint8Array(value).join()
  if (ArrayBuffer.isView(value))
    return `${value.byteOffset}+${value.byteLength} of ${print(value.buffer, seen)}`
  if (value instanceof Map)
    return [...value].map(([k, v]) => `${print(k, seen)}=>${print(v, seen)}`).join()
  if (value instanceof Set) return [...value].map((item) => print(item, seen)).join()
  if (Array.isArray(value)) {
    return Array.from({ length: value.length }, (_, i) =>
      i in value ? print(value[i], seen) : 'hole',
    ).join()
  }
  return Object.keys(value)
    .map((key) => `${JSON.stringify(key)}:${print((value as Record<string, unknown>)[key], seen)}`)
    .join()
}
