/** How a service takes its turn in an order: it answers the order's newest event, once. */
import { type Bus, type HandlerContext, isBusError } from '@crosstown/bus'
import { orderStream, type Shop } from '../src/events.ts'
import {
  applyToOrders,
  NO_ORDERS,
  type Order,
  type OrderEvent,
  type OrderType,
} from '../src/orders.ts'

/** Waits for as long as real work would take. */
export type Pace = () => Promise<unknown>

/** What a service needs for its answer. */
export interface Turn {
  /** As far as it has come. */
  readonly order: Order
  /** For the answer: it counts only while the event that it answers is the order's newest. */
  readonly answering: { readonly stream: string; readonly expectedRevision: number | 'exists' }
  /** Its `publish` carries correlation and causation on. */
  readonly ctx: HandlerContext<Shop>
}

/**
 * Calls `answer` for each event of these types that nobody has answered. Where a service runs twice,
 * both do the work, one answer counts, and the other is refused as a conflict.
 */
export function onTurn(
  bus: Bus<Shop>,
  pace: Pace,
  types: readonly OrderType[],
  answer: (turn: Turn) => Promise<unknown>,
): void {
  bus.subscribe(types, async (event, ctx) => {
    const stream = orderStream(event.data.id)
    const history = (await bus.loadStream(stream)) as OrderEvent[]
    const [order] = history.reduce(applyToOrders, NO_ORDERS)
    const newest = history.at(-1)
    if (!order || newest?.id !== event.id) return
    await pace()
    const answering = { stream, expectedRevision: newest.revision ?? 'exists' } as const
    try {
      await answer({ order, answering, ctx })
    } catch (error) {
      if (!isBusError(error) || error.code !== 'conflict') throw error
    }
  })
}
