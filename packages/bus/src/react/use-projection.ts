import { useMemo } from 'react'
import type { Bus, Matched, PatternOf, Patterns, Projection, ProjectOptions } from '../types.ts'
import { type AnyPattern, type RegisteredEvents, useBusAbove, withoutProvider } from './context.ts'
import { sharedView, type ViewRequest } from './shared-views.ts'
import { useStable } from './stable.ts'
import { type Source, useObservable } from './use-observable.ts'

/**
 * The state of a read model that you made once with `bus.project`, not while rendering, and close
 * yourself. Needs no provider.
 *
 * @example const cart = useProjection(cartView)
 */
export function useProjection<State>(view: Pick<Projection<State>, 'get' | 'subscribe'>): State

/**
 * The state of a read model of the bus of the nearest provider: `initial` at first, on a server and
 * while hydrating.
 *
 * It is folded once for all components that ask for the same patterns with the same reducer and the
 * same initial state (the same objects: define both outside of the component), or with the same
 * `key` and `version`. It is opened when the first of them is on the screen, and closed some seconds
 * after the last one has gone.
 *
 * The reducer and the initial state of the first render are kept, as `useReducer` keeps its initial
 * state: a function written in place does not fold anew at each render, and must not use what
 * changes. Another pattern, key or version begins another view. With a `key`, give a reducer that
 * you have changed another `version`.
 *
 * @throws {BusError} invalid_options where there is no provider; in the effect, for an error
 *   boundary: what `bus.project` throws
 * @example
 * const count = (state: number) => state + 1
 * function Badge() {
 *   return <b>{useProjection('cart.item_added', count, 0)}</b>
 * }
 */
export function useProjection<
  Events extends object = RegisteredEvents,
  State = unknown,
  const Pattern extends PatternOf<Events> = AnyPattern<Events>,
>(
  pattern: Patterns<Pattern>,
  reducer: (state: State, event: Matched<Events, Pattern>) => State,
  initial: State,
  options?: ProjectOptions,
): State

export function useProjection(
  from: string | readonly string[] | Source<unknown>,
  reducer?: ViewRequest['reducer'],
  initial?: unknown,
  options: ProjectOptions = {},
): unknown {
  const bus = useBusAbove() as Bus<Record<string, unknown>> | undefined
  const given = isSource(from) ? from : undefined
  const patterns = useStable(given ? '' : from) as string | readonly string[]
  const stable = useStable(options)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the reducer and the state of the first render are kept
  const view = useMemo(() => {
    if (given) return { source: given, first: () => given.get() }
    if (!bus) throw withoutProvider()
    const request = { patterns, reducer: reducer!, initial, options: stable }
    return { source: sharedView(bus, request), first: () => initial }
  }, [given, bus, patterns, stable])
  return useObservable(view.source, view.first)
}

function isSource(from: unknown): from is Source<unknown> {
  return typeof from === 'object' && from !== null && 'subscribe' in from
}
