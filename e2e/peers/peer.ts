/**
 * A peer under test, the same in every kind of context: it answers a roll call, says numbered
 * things when told to go, remembers what it hears, and reports it.
 */
import { type Ask, type Bus, type BusOptions, createBus } from '@crosstown/bus'

export type Talk = {
  /** Asked of one of them, by its name. */
  [named: `name.of.${string}`]: Ask<{ sku: string }, { from: string; seen: Map<string, Date> }>
  'roll.call': { round: number }
  'roll.here': { from: string; round: number }
  go: { count: number }
  said: { from: string; n: number }
  'report.wanted': { round: number }
  'report.given': {
    from: string
    round: number
    heard: Record<string, number[]>
    /** Sources of those it sees, itself first. */
    sees: string[]
    errors: string[]
  }
}

export function startPeer(from: string, options: BusOptions): Bus<Talk> {
  const errors: string[] = []
  const bus = createBus<Talk>({
    ...options,
    source: from,
    onError: (error) => errors.push(`${error.code}: ${error.message}`),
  })
  const heard: Record<string, number[]> = {}
  bus.subscribe('said', (event) => {
    heard[event.data.from] ??= []
    heard[event.data.from]?.push(event.data.n)
  })
  bus.subscribe('roll.call', (event, ctx) =>
    ctx.publish('roll.here', { from, round: event.data.round }),
  )
  bus.respond(`name.of.${from}`, ({ data }) => ({ from, seen: new Map([[data.sku, new Date(0)]]) }))
  bus.subscribe('go', async (event) => {
    // Half in one burst, half one after the other: batches and lone events.
    const { count } = event.data
    for (let n = 0; n < count / 2; n++) void bus.publish('said', { from, n })
    for (let n = count / 2; n < count; n++) await bus.publish('said', { from, n })
  })
  bus.subscribe('report.wanted', (event, ctx) =>
    ctx.publish('report.given', {
      from,
      round: event.data.round,
      heard,
      sees: bus.presence.get().map(({ source }) => source),
      errors,
    }),
  )
  return bus
}
