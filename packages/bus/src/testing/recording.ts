/** A bus for unit tests: a real one, alone in memory, that says what was published on it. */
import type { EventSchemas, SchemaEvents, SchemaInput } from '../schema/schema.ts'
import type { Bus, Matched, PatternOf, Patterns } from '../types.ts'
import {
  type AloneOptions,
  type AloneSchemaOptions,
  type AloneVersionedOptions,
  alonePlatform,
  busAlone,
} from './alone.ts'
import { Ledger, type WaitOptions } from './ledger.ts'

/** A bus that keeps what is published on it, until `reset`. */
export interface RecordingBus<Events extends object, Input extends object = Events>
  extends Bus<Events, Input> {
  /**
   * What was published on this bus, in order, from the moment `publish` was called: with its data as
   * it was then, and `offset` once it is in the log. Without what was refused: an event with an
   * `expectedRevision` is there when the log took it. Without a pattern, all but system events.
   *
   * @throws {BusError} invalid_pattern
   * @example expect(bus.published('cart.item_added').map(({ data }) => data.sku)).toEqual(['A1'])
   */
  published<const Pattern extends PatternOf<Events> = '**'>(
    pattern?: Patterns<Pattern>,
  ): Matched<Events, Pattern>[]

  /** How many those are. @throws {BusError} invalid_pattern */
  count<const Pattern extends PatternOf<Events> = '**'>(pattern?: Patterns<Pattern>): number

  /**
   * The event that is waited for, as soon as it is published; at once where it was.
   *
   * @throws {BusError} as a rejection: timeout, which says what was published instead; aborted,
   *   closed, invalid_pattern, invalid_options
   * @example const paid = await bus.waitFor('order.paid', { where: ({ data }) => data.id === 7 })
   */
  waitFor<const Pattern extends PatternOf<Events>>(
    pattern: Patterns<Pattern>,
    options?: WaitOptions<Matched<Events, Pattern>>,
  ): Promise<Matched<Events, Pattern>>

  /** Forgets what was recorded. The log, subscriptions and views stay as they are. */
  reset(): void
}

/**
 * A bus for unit tests. It is a real one, with a log of its own in memory: handlers run, and replay,
 * streams and views work, with the same checks as elsewhere. It has no other contexts and no relay:
 * what waits until `relayed` waits until `logged`.
 *
 * @throws {BusError} invalid_options
 * @example
 * const bus = createRecordingBus<Shop>()
 * const cart = new Cart(bus)
 * cart.add('A1')
 * expect(bus.published('cart.item_added')).toHaveLength(1)
 */
export function createRecordingBus<const Schemas extends EventSchemas>(
  options: AloneSchemaOptions<Schemas>,
): RecordingBus<SchemaEvents<Schemas>, SchemaInput<Schemas>>
export function createRecordingBus<Events extends object = Record<string, unknown>>(
  options?: AloneVersionedOptions<Events>,
): RecordingBus<Events>
export function createRecordingBus(
  options: AloneOptions = {},
): RecordingBus<Record<string, unknown>> {
  const platform = alonePlatform()
  const ledger = new Ledger(platform)
  const bus = busAlone(options, platform, ledger.accepted)
  const { close } = bus
  const ending = (given?: Parameters<typeof close>[0]): Promise<void> => {
    ledger.end()
    return close(given)
  }
  return Object.assign(bus, {
    published: ledger.published.bind(ledger),
    count: ledger.count.bind(ledger),
    waitFor: ledger.waitFor.bind(ledger),
    reset: () => ledger.forget(),
    close: ending,
    [Symbol.asyncDispose]: () => ending(),
  }) as RecordingBus<Record<string, unknown>>
}
