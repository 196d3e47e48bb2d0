/** Load, decide, append: the way in which every command changes an order. */
import { type BusEvent, isBusError } from '@crosstown/bus'
import { type CatalogueBus, orderStream } from '../catalogue/catalogue.ts'
import { type Decide, evolve, NO_ORDER, type Order } from './order.ts'

/** How often a command is decided again. Who loses that often competes with a loop. */
const ATTEMPTS = 10

/**
 * Decides on the order as it is, and appends only if it still is. Whoever was faster makes this load
 * the order again, and the decision is made anew: what was allowed before need not be allowed now.
 *
 * @throws what `decide` throws, and a `conflict` after ten lost races
 */
export async function change(bus: CatalogueBus, orderId: string, decide: Decide): Promise<Order> {
  const stream = orderStream(orderId)
  for (let attempt = 1; ; attempt++) {
    const history = await bus.loadStream(stream)
    const order = history.reduce(evolve, NO_ORDER)
    const changes = decide(order)
    const revision = revisionOf(history)
    try {
      // All of them or none: the first one stands on what was loaded, each other on the one before.
      const events = await bus.publishBatch(
        changes.map((one, n) => ({ ...one, stream, expectedRevision: revision + n })),
      )
      return events.reduce(evolve, order)
    } catch (error) {
      if (!isBusError(error, 'conflict') || attempt === ATTEMPTS) throw error
    }
  }
}

/**
 * The revision that the newest event has, or will have: those that wait for the room have none yet
 * and come after all that do.
 */
export function revisionOf(history: readonly BusEvent[]): number {
  const last = history.findLastIndex(({ revision }) => revision !== undefined)
  return (history[last]?.revision ?? 0) + history.length - 1 - last
}
