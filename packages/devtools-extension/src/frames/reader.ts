/**
 * Reads what anybody may have written: each reader takes an unknown value and gives a clean one, made
 * anew of the fields it knows, or throws a {@link Fault} that says where it was and what it should be.
 */

/** What is wrong with a value, and where in it. */
export class Fault extends Error {
  override readonly name = 'Fault'
  /** Keys from the outermost to the value. */
  readonly path: (string | number)[] = []

  /** `records[3].at must be a number`. */
  get text(): string {
    let where = ''
    for (const key of this.path) {
      where += typeof key === 'number' ? `[${key}]` : where === '' ? key : `.${key}`
    }
    return where === '' ? this.message : `${where} ${this.message}`
  }
}

export type Reader<T> = (value: unknown) => T
export type Fields = { readonly [key: string]: unknown }

export function fail(message: string): never {
  throw new Fault(message)
}

/** Reads `value` with what is wrong in it found under `key`. */
export function under<T>(key: string | number, read: Reader<T>, value: unknown): T {
  try {
    return read(value)
  } catch (error) {
    if (error instanceof Fault) error.path.unshift(key)
    throw error
  }
}

export function fields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail('must be an object')
  return value as Fields
}

/** At most `max` UTF-16 units. */
export function text(max: number, min = 0): Reader<string> {
  return (value) => {
    if (typeof value !== 'string') fail('must be a text')
    if (value.length < min) fail('must not be empty')
    if (value.length > max) fail(`must not have more than ${max} characters`)
    return value
  }
}

/** A text of at most `max` units, the rest cut off: for what is only shown. */
export function shownText(max: number): Reader<string> {
  return (value) => {
    if (typeof value !== 'string') fail('must be a text')
    return value.length > max ? `${value.slice(0, max - 1)}…` : value
  }
}

export function number(min = -Number.MAX_VALUE, max = Number.MAX_VALUE): Reader<number> {
  return (value) => {
    if (typeof value !== 'number' || !Number.isFinite(value)) fail('must be a number')
    if (value < min || value > max) fail(`must be from ${min} to ${max}`)
    return value
  }
}

export function whole(min = 0, max = Number.MAX_SAFE_INTEGER): Reader<number> {
  return (value) => {
    if (!Number.isSafeInteger(value)) fail('must be a whole number')
    if ((value as number) < min || (value as number) > max) fail(`must be from ${min} to ${max}`)
    return value as number
  }
}

export const flag: Reader<boolean> = (value) =>
  typeof value === 'boolean' ? value : fail('must be true or false')

export function oneOf<T extends string>(...choices: readonly T[]): Reader<T> {
  return (value) =>
    choices.includes(value as T)
      ? (value as T)
      : fail(`must be one of ${choices.map((choice) => `'${choice}'`).join(', ')}`)
}

export function listOf<T>(read: Reader<T>, max: number): Reader<T[]> {
  return (value) => {
    if (!Array.isArray(value)) fail('must be a list')
    if (value.length > max) fail(`must not have more than ${max} entries`)
    return value.map((entry, index) => under(index, read, entry))
  }
}

type Shape = { readonly [key: string]: Reader<unknown> }
type Required<S extends Shape> = { [Key in keyof S]: ReturnType<S[Key]> }
type Optional<S extends Shape> = { [Key in keyof S]?: ReturnType<S[Key]> }

/** An object of these fields; what else it has is left behind. */
export function shape<S extends Shape, O extends Shape = Record<never, never>>(
  required: S,
  optional?: O,
): Reader<Required<S> & Optional<O>> {
  const needed = Object.entries(required)
  const others = Object.entries(optional ?? {})
  return (value) => {
    const given = fields(value)
    const made: { [key: string]: unknown } = {}
    for (const [key, read] of needed) made[key] = under(key, read, given[key])
    for (const [key, read] of others) {
      const part = given[key]
      if (part !== undefined) made[key] = under(key, read, part)
    }
    return made as Required<S> & Optional<O>
  }
}
