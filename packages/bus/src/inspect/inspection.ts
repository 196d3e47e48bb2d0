/** What an application decides about its own inspection. */
import { BusError } from '../errors.ts'
import type { Metadata } from '../event.ts'
import { parsePatterns, typeMatcher } from '../protocol/pattern.ts'
import { inspectable } from './peers.ts'
import type { Redactor } from './redactor.ts'

export interface InspectionOptions {
  /** Whether the bus answers inspectors at all. @default true */
  readonly enabled?: boolean | undefined
  /**
   * What is never told: by pattern of event types, paths in `data`, as in `card.number`; `*` stands
   * for any one name or index. A path that begins with `metadata.` is one of the event's metadata.
   * Values at these paths, and below them, are in no answer and in no preview, and no search finds
   * them. A view's state hides every property that has the last name of one of the paths. Of this
   * context: others that have the same events, the relay included, tell what they have.
   *
   * @default nothing
   */
  readonly redact?: { readonly [pattern: string]: readonly string[] } | undefined
  /** Whether messages of errors are told; without, their codes only. @default true */
  readonly messages?: boolean | undefined
  /** What is kept for inspectors while one is attached. */
  readonly ring?:
    | {
        /** Events at most, about which there are records. @default 20_000 */
        readonly events?: number | undefined
        /** Characters of records and data at most. @default 8 Mi */
        readonly bytes?: number | undefined
      }
    | undefined
}

interface Rule {
  readonly matches: (type: string) => boolean
  readonly data: readonly (readonly string[])[]
  readonly metadata: readonly string[]
}

/**
 * Sets what inspectors are told of a bus; each call replaces the last one. Call it before the bus is
 * first used: what was told, was told.
 *
 * @throws {BusError} invalid_options, invalid_pattern
 * @example
 * inspection(bus, { redact: { 'user.**': ['password', 'card.*', 'metadata.userId'] } })
 */
export function inspection(bus: object, options: InspectionOptions = {}): void {
  const peer = inspectable.get(bus)
  if (!peer) throw invalid('give a bus of this copy of the package')
  const { enabled, redact = {}, messages = true, ring } = options
  for (const limit of [ring?.events, ring?.bytes]) {
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0))
      throw invalid('ring.events and ring.bytes must be whole numbers from 1')
  }
  const rules = Object.entries(redact).map(ruleOf)
  const redactor = rules.length > 0 || !messages ? redactorOf(rules, messages) : undefined
  peer.set({ enabled, redactor, ring })
}

function ruleOf([pattern, paths]: [string, readonly string[]]): Rule {
  const isPath = (path: unknown): boolean => typeof path === 'string' && path !== ''
  if (!Array.isArray(paths) || !paths.every(isPath))
    throw invalid(`redact['${pattern}'] must be a list of paths, as in ['password', 'card.*']`)
  const split = paths.map((path: string) => path.split('.'))
  return {
    matches: typeMatcher(parsePatterns(pattern)),
    data: split.filter(([first]) => first !== 'metadata'),
    metadata: split.flatMap(([first, name]) => (first === 'metadata' && name ? name : [])),
  }
}

function redactorOf(rules: readonly Rule[], messages: boolean): Redactor {
  const lastNames = new Set(
    rules.flatMap(({ data }) =>
      data.flatMap((path) => path.findLast((name) => name !== '*') ?? []),
    ),
  )
  const hides = (type: string, names: readonly string[]): boolean =>
    rules.some(({ matches, data }) => matches(type) && data.some((path) => covers(path, names)))
  return {
    hides,
    without(type, data) {
      let redacted = 0
      const seen = new Map<unknown, unknown>()
      const copy = (value: unknown, names: readonly string[]): unknown => {
        if (seen.has(value)) return seen.get(value)
        if (Array.isArray(value)) return fill(value, [], names)
        if (value instanceof Map) return fillMap(value, names)
        if (value instanceof Set) {
          const set = new Set()
          seen.set(value, set)
          let at = 0
          for (const one of value) add([...names, String(at++)], one, (item) => set.add(item))
          return set
        }
        const prototype: unknown =
          value instanceof Object ? Object.getPrototypeOf(value) : undefined
        return prototype === Object.prototype || prototype === null
          ? fill(value as object, Object.create(prototype), names)
          : value
      }
      const add = (
        names: readonly string[],
        value: unknown,
        put: (value: unknown) => void,
      ): void => {
        if (hides(type, names)) redacted += 1
        else put(copy(value, names))
      }
      const fill = (from: object, to: object, names: readonly string[]): object => {
        seen.set(from, to)
        for (const [key, value] of Object.entries(from))
          add([...names, key], value, (item) => {
            ;(to as Record<string, unknown>)[key] = item
          })
        return to
      }
      const fillMap = (from: Map<unknown, unknown>, names: readonly string[]): unknown => {
        const to = new Map<unknown, unknown>()
        seen.set(from, to)
        for (const [key, value] of from) {
          const below = [...names, String(key)]
          add(below, value, (item) => to.set(copy(key, below), item))
        }
        return to
      }
      return { data: copy(data, []), redacted }
    },
    hidesName: (names) => names.some((name) => lastNames.has(name)),
    header(text, type) {
      const hidden = rules.flatMap(({ matches, metadata }) => (matches(type) ? metadata : []))
      if (hidden.length === 0) return text
      const { metadata, ...header } = JSON.parse(text) as { metadata?: Metadata }
      if (!metadata) return text
      const shown = Object.entries(metadata).filter(
        ([key]) => !hidden.includes(key) && !hidden.includes('*'),
      )
      return JSON.stringify({ ...header, metadata: Object.fromEntries(shown) })
    },
    message: messages ? undefined : codeOf,
  }
}

/** Whether a value at these names is the one at the path, or below it. */
function covers(path: readonly string[], names: readonly string[]): boolean {
  return names.length >= path.length && path.every((part, i) => part === '*' || part === names[i])
}

function codeOf(error: unknown): string {
  const code = (Object(error) as { code?: unknown }).code
  return typeof code === 'string' ? code : 'handler_failed'
}

function invalid(what: string): BusError {
  return new BusError('invalid_options', `inspection: ${what}`)
}
