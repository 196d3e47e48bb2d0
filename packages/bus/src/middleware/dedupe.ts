import type { BusEvent } from '../event.ts'
import type { Middleware, MiddlewareTools, PublishedDraft } from '../types.ts'

export interface DedupeOptions<Event> {
  /** What is the same of events that are the same; `undefined` for one that is like no other. */
  readonly key: (event: Event) => string | undefined
  /** Keys remembered at most, of each subscription; the oldest are forgotten. @default 10_000 */
  readonly keys?: number | undefined
  /** Milliseconds a key is remembered, from when its event was there. @default Infinity */
  readonly ms?: number | undefined
}

interface Known {
  readonly at: number
  readonly result: unknown
}

/**
 * Gives a handler one event of each key. While the first is being handled, what comes with its key
 * ends as that does; where it fails, the next one is handled. Each subscription remembers for itself,
 * and until the page goes.
 *
 * @example bus.use(dedupe({ key: (event) => event.metadata?.requestId }))
 */
export function dedupe(options: DedupeOptions<BusEvent>): (tools: MiddlewareTools) => Middleware {
  return ({ now }) => {
    const seen = new Map<number, Memory>()
    return {
      handle(event, next, { subscription, signal, ended }) {
        const key = options.key(event)
        if (key === undefined) return next()
        let memory = seen.get(subscription)
        if (!memory) {
          memory = new Memory(options, now)
          seen.set(subscription, memory)
          ended.addEventListener('abort', () => seen.delete(subscription), { once: true })
        }
        return memory.once(key, next, signal === ended ? undefined : signal)
      },
    }
  }
}

/**
 * Publishes one event of each key: what is published with the key of an earlier one resolves with that
 * one's event. What was refused is forgotten.
 *
 * @example bus.use(dedupePublish({ key: ({ type, data }) => `${type} ${JSON.stringify(data)}`, ms: 500 }))
 */
export function dedupePublish(
  options: DedupeOptions<PublishedDraft>,
): (tools: MiddlewareTools) => Middleware {
  return ({ now }) => {
    const memory = new Memory(options, now)
    return {
      publish(draft, next) {
        const key = options.key(draft)
        return key === undefined ? next() : memory.once(key, next)
      },
    }
  }
}

class Memory {
  readonly #keys: number
  readonly #ms: number
  readonly #now: () => number
  readonly #known = new Map<string, Known>()

  constructor(
    { keys = 10_000, ms = Number.POSITIVE_INFINITY }: DedupeOptions<never>,
    now: () => number,
  ) {
    this.#keys = keys
    this.#ms = ms
    this.#now = now
  }

  /** @param signal of `run`, where it has one: what is given up is forgotten as what failed is */
  once(key: string, run: () => unknown, signal?: AbortSignal): unknown {
    const known = this.#known.get(key)
    if (known && this.#now() - known.at <= this.#ms) return known.result
    this.#known.delete(key)
    const result = run()
    const entry = { at: this.#now(), result }
    this.#known.set(key, entry)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#keys) break
      this.#known.delete(oldest)
    }
    const forget = (): void => {
      if (this.#known.get(key) === entry) this.#known.delete(key)
    }
    signal?.addEventListener('abort', forget, { once: true })
    Promise.resolve(result)
      .catch(forget)
      .finally(() => signal?.removeEventListener('abort', forget))
    return result
  }
}
