/**
 * Reads a value as JavaScript writes it, without running anything: JSON, and beside it unquoted keys,
 * single quotes, comments, trailing commas, `undefined`, `NaN`, `Infinity`, `42n`, `/a/i`, and
 * `new Date(…)`, `new Map([[…]])`, `new Set([…])`, `new URL('…')`, `new Uint8Array([…])` and its kin.
 */
export type Parsed =
  | { readonly value: unknown; readonly fault?: undefined }
  | { readonly fault: Fault }

export interface Fault {
  /** Index in the text. */
  readonly at: number
  /** From 1. */
  readonly line: number
  readonly column: number
  readonly message: string
}

const ARRAYS = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
} as const
const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['null', null],
  ['true', true],
  ['false', false],
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
])
const NAME = /[\p{L}_$][\p{L}\p{N}_$]*/uy
const NUMBER =
  /[+-]?(?:0[xX][\da-fA-F]+|0[bB][01]+|0[oO][0-7]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/y
const REGEXP = /\/((?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([a-z]*)/y
const BLANK = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y
const DEPTH = 200

class Unreadable extends Error {
  readonly at: number
  constructor(at: number, message: string) {
    super(message)
    this.at = at
  }
}

/** An empty text is `undefined`: an event without data. */
export function parseLiteral(text: string): Parsed {
  let at = 0

  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found) at += found[0].length
    return found
  }
  const blank = (): void => {
    match(BLANK)
    if (text.startsWith('/*', at))
      throw new Unreadable(at, 'This comment is not closed: */ is missing')
  }
  const take = (sign: string): boolean => {
    blank()
    if (!text.startsWith(sign, at)) return false
    at += sign.length
    return true
  }
  const expect = (sign: string, where: string): void => {
    if (!take(sign)) throw new Unreadable(at, `Expected ${sign} ${where}${butFound()}`)
  }
  const butFound = (): string =>
    at >= text.length ? ', but the text ends here' : `, but found ${JSON.stringify(text[at])}`

  const value = (depth: number): unknown => {
    blank()
    if (depth > DEPTH) throw new Unreadable(at, `More than ${DEPTH} values within each other`)
    const sign = text[at]
    if (sign === '{') return object(depth)
    if (sign === '[') return array(depth)
    if (sign === '"' || sign === "'" || sign === '`') return string(sign)
    if (sign === '/') return regexp()
    const word = name()
    if (word !== undefined) return named(word, depth)
    return number()
  }

  const list = (close: string, entry: () => void): void => {
    for (;;) {
      if (take(close)) return
      entry()
      if (take(close)) return
      expect(',', `or ${close} here`)
    }
  }

  const object = (depth: number): object => {
    at++
    const entries: [string, unknown][] = []
    list('}', () => {
      blank()
      const from = at
      const computed = take('[')
      const key = keyAt()
      if (key === undefined) throw new Unreadable(at, `Expected a key here${butFound()}`)
      if (computed) expect(']', `after the key ${key}`)
      else if (key === '__proto__')
        throw new Unreadable(
          from,
          "As a key, write ['__proto__']: JavaScript takes this for a prototype",
        )
      expect(':', `after the key ${key}`)
      entries.push([key, value(depth + 1)])
    })
    return Object.fromEntries(entries)
  }

  const keyAt = (): string | undefined => {
    blank()
    const sign = text[at]
    return sign === '"' || sign === "'" ? string(sign) : (name() ?? match(/\d+/y)?.[0])
  }

  const array = (depth: number): unknown[] => {
    at++
    const values: unknown[] = []
    list(']', () => {
      blank()
      if (text[at] === ',')
        throw new Unreadable(at, 'Expected a value here; for a hole write undefined')
      values.push(value(depth + 1))
    })
    return values
  }

  const string = (quote: string): string => {
    const from = at++
    let out = ''
    for (;;) {
      const sign = text[at]
      if (sign === undefined || (sign === '\n' && quote !== '`'))
        throw new Unreadable(from, `This text is not closed: ${quote} is missing`)
      at++
      if (sign === quote) return out
      if (sign === '$' && quote === '`' && text[at] === '{')
        throw new Unreadable(at - 1, 'Nothing is run here: a text in backticks has no placeholders')
      out += sign === '\\' ? escaped() : sign
    }
  }

  const escaped = (): string => {
    const sign = text[at++]
    const simple = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', '0': '\0', '\n': '' }[
      sign ?? ''
    ]
    if (simple !== undefined) return simple
    const code = match(sign === 'x' ? /[\da-fA-F]{2}/y : /[\da-fA-F]{4}|\{[\da-fA-F]{1,6}\}/y)?.[0]
    if (sign !== 'x' && sign !== 'u') {
      if (code !== undefined) at -= code.length
      return sign ?? ''
    }
    const point = code === undefined ? Number.NaN : Number.parseInt(code.replace(/[{}]/g, ''), 16)
    if (!(point <= 0x10ffff))
      throw new Unreadable(at - 2, `\\${sign} needs the number of a character`)
    return String.fromCodePoint(point)
  }

  const name = (): string | undefined => match(NAME)?.[0]

  const number = (): number | bigint => {
    const from = at
    const negative = /[+-]/.test(text[at] ?? '')
    if (negative && /^[+-]\s*Infinity/.test(text.slice(at, at + 12))) {
      const sign = text[at] === '-' ? -1 : 1
      at = text.indexOf('Infinity', at) + 8
      return sign * Number.POSITIVE_INFINITY
    }
    const digits = match(NUMBER)?.[0]
    if (digits === undefined) throw new Unreadable(from, `Expected a value here${butFound()}`)
    const plain = digits.replaceAll('_', '')
    if (text[at] === 'n') {
      at++
      const big = /^([+-]?)(\d+|0[xXbBoO][\da-fA-F]+)$/.exec(plain)
      if (!big) throw new Unreadable(from, 'A BigInt is a whole number')
      const whole = BigInt(big[2] as string)
      return big[1] === '-' ? -whole : whole
    }
    const [, minus, rest] = /^([+-]?)(.*)$/.exec(plain) as unknown as [string, string, string]
    return minus === '-' ? -Number(rest) : Number(rest)
  }

  const regexp = (): RegExp => {
    const from = at
    const found = match(REGEXP)
    if (!found) throw new Unreadable(from, 'This regular expression is not closed: / is missing')
    try {
      return new RegExp(found[1] as string, found[2])
    } catch (error) {
      throw new Unreadable(from, error instanceof Error ? error.message : String(error))
    }
  }

  const named = (word: string, depth: number): unknown => {
    const from = at - word.length
    if (WORDS.has(word)) return WORDS.get(word)
    if (word === 'Number' && match(/\.NaN\b/y)) return Number.NaN
    let kind = word
    if (word === 'new') {
      blank()
      kind = name() ?? ''
    }
    if (word !== 'new' && kind !== 'Date' && kind !== 'BigInt')
      throw new Unreadable(
        from,
        `${word} means nothing here: write a text in quotes, or a value such as new Date('2026-01-31')`,
      )
    expect('(', `after ${kind || 'new'}`)
    const values: unknown[] = []
    list(')', () => values.push(value(depth + 1)))
    const made = make(kind, values[0], values.length)
    if (made instanceof Error) throw new Unreadable(from, made.message)
    if (kind.endsWith('Array') && take('.buffer')) return (made as Uint8Array).buffer
    return made
  }

  try {
    blank()
    if (at >= text.length) return { value: undefined }
    const whole = value(0)
    blank()
    if (at < text.length) throw new Unreadable(at, 'The value ends before this')
    return { value: whole }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { fault: { at: error.at, ...placeIn(text, error.at), message: error.message } }
  }
}

/** What `new Kind(argument)` is; an error that says why not. */
function make(kind: string, argument: unknown, count: number): unknown {
  if (count > 1) return new Error(`${kind} takes one value here`)
  try {
    switch (kind) {
      case 'Date': {
        if (typeof argument !== 'string' && typeof argument !== 'number')
          return new Error("Date takes a text or a number: new Date('2026-01-31T12:00:00Z')")
        const date = new Date(argument)
        return Number.isNaN(date.getTime()) && !Number.isNaN(argument)
          ? new Error(`${JSON.stringify(argument)} is no date`)
          : date
      }
      case 'BigInt':
        return BigInt(argument as string)
      case 'URL':
        return new URL(argument as string)
      case 'Set':
        if (argument !== undefined && !Array.isArray(argument))
          return new Error('Set takes a list: new Set([1, 2])')
        return new Set(argument)
      case 'Map':
        if (argument !== undefined && !isPairs(argument))
          return new Error("Map takes a list of pairs: new Map([['key', 1]])")
        return new Map(argument)
      case 'DataView':
        if (!(argument instanceof ArrayBuffer))
          return new Error('DataView takes a buffer: new DataView(new Uint8Array([1, 2]).buffer)')
        return new DataView(argument)
      case 'ArrayBuffer':
        return new Error('Write new Uint8Array([…]).buffer for an ArrayBuffer')
    }
    const Kind = Object.hasOwn(ARRAYS, kind) ? ARRAYS[kind as keyof typeof ARRAYS] : undefined
    if (!Kind)
      return new Error(
        `new ${kind} is not known here: use Date, Map, Set, URL, or an array such as Uint8Array`,
      )
    if (!Array.isArray(argument)) return new Error(`${kind} takes a list: new ${kind}([1, 2])`)
    return new (Kind as new (values: unknown[]) => object)(argument)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function isPairs(value: unknown): value is [unknown, unknown][] {
  return Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2)
}

/** Line and column of an index, from 1. */
export function placeIn(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at).split('\n')
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 }
}
