/** Which bus a tree of components uses. */
import { createContext, createElement, type ReactElement, type ReactNode, useContext } from 'react'
import { BusError } from '../errors.ts'
import type { Bus, PatternOf, SystemEvents } from '../types.ts'

/**
 * Tells the hooks what bus yours is, so that they know its events without being told each time.
 *
 * @example
 * declare module '@crosstown/bus/react' {
 *   interface Register {
 *     bus: typeof bus
 *   }
 * }
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications add to it
export interface Register {}

/** Events of the registered bus; without one, of any type and with unknown data. */
export type RegisteredEvents = Register extends { bus: Bus<infer Events, infer _Input> }
  ? Events
  : Record<string, unknown>

/** Where only the events are given, and not which of them: all but those of Crosstown itself. */
export type AnyPattern<Events extends object> = Exclude<PatternOf<Events>, keyof SystemEvents>

/** What `publish` of the registered bus takes. */
export type RegisteredInput = Register extends { bus: Bus<infer _Events, infer Input> }
  ? Input
  : Record<string, unknown>

/** Of any events: who reads it says which. */
const BusContext = /* @__PURE__ */ createContext<unknown>(undefined)

export interface BusProviderProps<Events extends object, Input extends object> {
  /** Made, and closed, by whoever renders the provider. */
  readonly bus: Bus<Events, Input>
  readonly children?: ReactNode
}

/**
 * Gives a bus to the components below. It neither uses the bus nor closes it.
 *
 * @example
 * const bus = createBus<Shop>({ name: 'shop' })
 * createRoot(root).render(<BusProvider bus={bus}><App /></BusProvider>)
 */
export function BusProvider<Events extends object, Input extends object>({
  bus,
  children,
}: BusProviderProps<Events, Input>): ReactElement {
  return createElement(BusContext, { value: bus }, children)
}

/** What a hook without a bus throws. */
export function withoutProvider(): BusError {
  return new BusError('invalid_options', 'no <BusProvider bus={bus}> is above this component')
}

/** The bus of the nearest provider, if there is one. */
export function useBusAbove(): unknown {
  return useContext(BusContext)
}

/**
 * The bus of the nearest `BusProvider`.
 *
 * @throws {BusError} invalid_options where there is no provider
 * @example
 * const bus = useBus<Shop>()
 * return <button onClick={() => bus.publish('cart.cleared')}>Clear</button>
 */
export function useBus(): Bus<RegisteredEvents, RegisteredInput>
export function useBus<Events extends object, Input extends object = Events>(): Bus<Events, Input>
export function useBus(): unknown {
  const bus = useBusAbove()
  if (bus === undefined) throw withoutProvider()
  return bus
}
