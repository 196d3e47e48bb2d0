import { BusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import type { Middleware, MiddlewareTools, PublishedDraft } from '../types.ts'

export interface ThrottleOptions {
  /** Events let through within `ms`. */
  readonly limit: number
  /** Milliseconds. */
  readonly ms: number
  /** Events of one key are counted together. @default their type */
  readonly key?: ((event: BusEvent | PublishedDraft) => string) | undefined
  /**
   * Where: `publish` rejects with `rate_limited`; handlers are not given what is too much, which
   * `onError` is told once, until something is let through again. @default 'publish'
   */
  readonly on?: 'publish' | 'handle' | undefined
}

/** Keys that are counted at a time; the one not seen for longest begins anew. */
const MAX_KEYS = 10_000

/**
 * Lets so many events through within any stretch of time, by type or by key.
 *
 * @throws {BusError} invalid_options
 * @example bus.use(throttle({ limit: 10, ms: 1_000 }))
 */
export function throttle(options: ThrottleOptions): (tools: MiddlewareTools) => Middleware {
  const { limit, ms, key = ({ type }) => type, on = 'publish' } = options
  if (!(Number.isSafeInteger(limit) && limit > 0 && ms > 0))
    throw new BusError('invalid_options', 'throttle: limit and ms from 1')
  return ({ now, report }) => {
    const passed = new Passed(limit, ms, now)
    const refused = (type: string): BusError => {
      const what = `more than ${limit} events of ${type} in ${ms} ms`
      return new BusError('rate_limited', what, { stage: 'dispatch', eventType: type })
    }
    if (on === 'publish') {
      return {
        publish(draft, next) {
          if (passed.lets(key(draft))) return next()
          throw refused(draft.type)
        },
      }
    }
    let told = false
    return {
      handle(event, next, { subscription, attempt }) {
        // What was let through is tried again without being counted again.
        if (attempt > 1 || passed.lets(`${subscription} ${key(event)}`)) {
          told = false
          return next()
        }
        if (!told) report(refused(event.type))
        told = true
        return undefined
      },
    }
  }
}

/** When the last events of each key were let through. */
class Passed {
  readonly #limit: number
  readonly #ms: number
  readonly #now: () => number
  readonly #times = new Map<string, number[]>()

  constructor(limit: number, ms: number, now: () => number) {
    this.#limit = limit
    this.#ms = ms
    this.#now = now
  }

  lets(key: string): boolean {
    const now = this.#now()
    const times = (this.#times.get(key) ?? []).filter((time) => now - time < this.#ms)
    const lets = times.length < this.#limit
    if (lets) times.push(now)
    this.#times.delete(key)
    this.#times.set(key, times)
    if (this.#times.size > MAX_KEYS) {
      const [oldest] = this.#times.keys()
      this.#times.delete(oldest as string)
    }
    return lets
  }
}
