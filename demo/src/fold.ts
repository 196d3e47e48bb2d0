/** A read model: what a reducer makes of the events of the log, and of those that come. */
import type { Bus, EventOf, Observable, PatternOf, TypeOf } from '@crosstown/bus'
import type { Shop } from './events.ts'

export function fold<Type extends TypeOf<Shop>, State>(
  bus: Bus<Shop>,
  types: readonly Type[],
  reducer: (state: State, event: EventOf<Shop, Type>) => State,
  initial: State,
): Observable<State> {
  let state = initial
  const callbacks = new Set<(state: State) => void>()
  const apply = (event: EventOf<Shop, Type>): void => {
    state = reducer(state, event)
    for (const callback of callbacks) callback(state)
  }
  bus.subscribe(types as readonly PatternOf<Shop>[], apply as never, { from: 'start' })
  return {
    get: () => state,
    subscribe(callback) {
      callbacks.add(callback)
      callback(state)
      const off = () => void callbacks.delete(callback)
      return Object.assign(off, { [Symbol.dispose]: off })
    },
  }
}
