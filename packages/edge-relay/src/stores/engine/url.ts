/** URLs of engines: their options are known, and no error says what of them is secret. */
import { BusError } from '@crosstown/bus/protocol'

/** An option of a URL: what is said of it where it is another, and which values it has. */
export type UrlOptions = Readonly<Record<string, RegExp | readonly string[]>>

/** @throws {BusError} invalid_options */
export function queryOf(search: string, known: UrlOptions): Record<string, string> {
  const asked: Record<string, string> = {}
  for (const [name, value] of new URLSearchParams(search)) {
    const values = Object.hasOwn(known, name) ? known[name] : undefined
    if (values === undefined) {
      const names = Object.keys(known).join(', ')
      throw wrong(`${name} is no option of the URL of this store; there are ${names}`)
    }
    const fits = values instanceof RegExp ? values.test(value) : values.includes(value)
    if (!fits) {
      const what = values instanceof RegExp ? `not as it must be` : `not ${values.join(', ')}`
      throw wrong(`the option ${name} of the URL of the store is ${what}`)
    }
    asked[name] = value
  }
  return asked
}

/** Of all engines. */
export const STRICT: readonly string[] = ['strict']

/** What is asked for in a URL is asked for. */
export function strictIn(asked: Readonly<Record<string, string>>): { durability?: 'strict' } {
  return asked['durability'] === 'strict' ? { durability: 'strict' } : {}
}

export const DIGITS: RegExp = /^[1-9]\d{0,8}$/

/** A part of a URL as it was before it was put there. @throws {BusError} invalid_options */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw wrong('the URL of the store has a % that is not followed by two hexadecimal digits')
  }
}

export function wrong(what: string): BusError {
  return new BusError('invalid_options', what)
}
