import type { Middleware, MiddlewareTools } from '../types.ts'

/** What was published or handled, and how it went. */
export interface LoggedLine {
  readonly what: 'publish' | 'handle'
  readonly type: string
  /** Absent of what was not published. */
  readonly id?: string
  /** Until the promise of `publish`, or the handler, was settled. */
  readonly ms: number
  /** Of `handle`: number of the subscription, and of the attempt. */
  readonly subscription?: number
  readonly attempt?: number
  readonly error?: unknown
}

/**
 * Says what is published and handled, when it is done.
 *
 * @param log @default console.debug, and console.warn where there is an error
 * @example bus.use(logging())
 */
export function logging(
  log: (line: LoggedLine) => void = toConsole,
): (tools: MiddlewareTools) => Middleware {
  return ({ now }) => ({
    async publish(draft, next) {
      const began = now()
      const line = { what: 'publish', type: draft.type } as const
      try {
        const event = await next()
        log({ ...line, id: event.id, ms: now() - began })
        return event
      } catch (error) {
        log({ ...line, ms: now() - began, error })
        throw error
      }
    },
    async handle({ type, id }, next, { subscription, attempt }) {
      const began = now()
      const line = { what: 'handle', type, id, subscription, attempt } as const
      try {
        const result = await next()
        log({ ...line, ms: now() - began })
        return result
      } catch (error) {
        log({ ...line, ms: now() - began, error })
        throw error
      }
    },
  })
}

function toConsole({ what, type, id = '', ms, error }: LoggedLine): void {
  const text = `[crosstown] ${what} ${type} ${id} ${ms.toFixed(1)} ms`
  if (error === undefined) console.debug(text)
  else console.warn(text, error)
}
