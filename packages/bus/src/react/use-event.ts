import { useEffect, useInsertionEffect, useRef } from 'react'
import type { Handler, Matched, PatternOf, Patterns, SubscribeOptions } from '../types.ts'
import { type AnyPattern, type RegisteredEvents, useBus } from './context.ts'
import { useStable } from './stable.ts'

/**
 * Calls `handler` for each matching event while the component is mounted: always the handler, the
 * `where` and the function `retry.backoff` of the latest commit. Patterns and options are compared by value (`signal` and
 * `policy` by identity); only when they change does it subscribe anew.
 *
 * It hears what is published after the component is on the screen. To show what happened before,
 * use `useProjection`, or the option `from`.
 *
 * @throws {BusError} in the effect, for an error boundary: invalid_pattern, invalid_options,
 *   unreachable, closed
 * @example
 * useEvent('order.confirmed', (event) => toast(`Order ${event.data.id} is on its way`))
 */
export function useEvent<
  Events extends object = RegisteredEvents,
  const Pattern extends PatternOf<Events> = AnyPattern<Events>,
>(
  pattern: Patterns<Pattern>,
  handler: Handler<Events, Matched<Events, Pattern>>,
  options: SubscribeOptions<Matched<Events, Pattern>> = {},
): void {
  const bus = useBus<Events>()
  const { where, signal, policy, retry, ...rest } = options
  const backoff = typeof retry?.backoff === 'function' ? retry.backoff : undefined
  const patterns = useStable(pattern)
  const others = useStable({ ...rest, ...(retry && { retry }) })
  const latest = useRef({ handler, where, backoff })
  useInsertionEffect(() => {
    latest.current = { handler, where, backoff }
  })
  const chooses = where !== undefined
  const pauses = backoff !== undefined
  useEffect(
    () =>
      bus.subscribe(patterns, (event, context) => latest.current.handler(event, context), {
        ...others,
        signal,
        policy,
        ...(others.retry &&
          pauses && {
            retry: {
              ...others.retry,
              backoff: (attempt: number) => latest.current.backoff?.(attempt) ?? 0,
            },
          }),
        // Without one, events that nobody looks at need not be decoded.
        ...(chooses && { where: (event) => latest.current.where?.(event) ?? true }),
      }),
    [bus, patterns, others, signal, policy, chooses, pauses],
  )
}
