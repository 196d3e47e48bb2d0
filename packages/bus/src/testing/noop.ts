/** A bus for tests of code that needs one and where nobody cares for it. */
import type { Accepted } from '../batch/pipeline.ts'
import { parsePatterns, typeMatcher } from '../protocol/pattern.ts'
import type { EventSchemas, SchemaEvents, SchemaInput } from '../schema/schema.ts'
import type { Bus, PatternOf, Patterns } from '../types.ts'
import {
  type AloneOptions,
  type AloneSchemaOptions,
  type AloneVersionedOptions,
  type AnyBus,
  alonePlatform,
  busAlone,
} from './alone.ts'

/** A bus that delivers nothing, and counts. */
export interface NoopBus<Events extends object, Input extends object = Events>
  extends Bus<Events, Input> {
  /** How many events were published on it. Without a pattern, all but system events. */
  count<const Pattern extends PatternOf<Events> = '**'>(pattern?: Patterns<Pattern>): number
}

/** Events whose texts are kept at most, by the log of one who keeps nothing. */
const KEPT_EVENTS = 1_000

/** What is about events that come in. */
const HEARING = [
  'subscribe',
  'once',
  'events',
  'replay',
  'project',
  'loadStream',
  'get',
  'hasSubscribers',
  'respond',
] as const satisfies readonly (keyof AnyBus)[]

/**
 * A bus on which nothing ever comes: `publish` checks the event and resolves, whatever level or
 * revision is asked for, and no handler, loop, replay, stream or view hears of it. Patterns and
 * options are checked as elsewhere; `once` waits until its signal or `close()` ends it, and nobody
 * responds to a `request`.
 *
 * @throws {BusError} invalid_options
 * @example
 * const bus = createNoopBus<Shop>()
 * await checkout(bus, basket)
 * expect(bus.count('order.placed')).toBe(1)
 */
export function createNoopBus<const Schemas extends EventSchemas>(
  options: AloneSchemaOptions<Schemas>,
): NoopBus<SchemaEvents<Schemas>, SchemaInput<Schemas>>
export function createNoopBus<Events extends object = Record<string, unknown>>(
  options?: AloneVersionedOptions<Events>,
): NoopBus<Events>
export function createNoopBus(options: AloneOptions = {}): NoopBus<Record<string, unknown>> {
  const counts = new Map<string, number>()
  const accepted: Accepted = (entries) => {
    for (const { event } of entries) counts.set(event.type, (counts.get(event.type) ?? 0) + 1)
  }
  const platform = alonePlatform()
  const limits = { ...options.limits, logEvents: KEPT_EVENTS }
  // What is published goes to one that nobody hears, and what listens is on one where nothing comes.
  const bus = busAlone({ ...options, limits }, platform, accepted, (draft) => ({
    ...draft,
    expectedRevision: undefined,
  }))
  const silent = busAlone(options, platform)
  const { stats, close } = bus
  const closing = async (given?: Parameters<typeof close>[0]): Promise<void> => {
    await Promise.all([close(given), silent.close(given)])
  }
  return Object.assign(bus, Object.fromEntries(HEARING.map((name) => [name, silent[name]])), {
    count(patterns: Patterns<string> = '**') {
      const matches = typeMatcher(parsePatterns(patterns))
      let sum = 0
      for (const [type, count] of counts) if (matches(type)) sum += count
      return sum
    },
    stats() {
      const { subscriptions, consumers } = silent.stats()
      return { ...stats(), subscriptions, consumers }
    },
    close: closing,
    [Symbol.asyncDispose]: () => closing(),
  }) as NoopBus<Record<string, unknown>>
}
