/** How a service takes its turn in an order: it answers the order's newest event, once. */
import { type Bus, type Handler, type HandlerContext, isBusError } from '@crosstown/bus'
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

export interface Work {
  readonly pace: Pace
  /**
   * Whoever works under this name shares the events of the room: each goes to one of them, and what came
   * while nobody was there waits. Absent: every service is given all that come while it is there.
   */
  readonly group?: string
}

/** How soon an event comes again that this device has not read yet. */
const SOON_MS = 100

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
 * Calls `answer` for each event of these types that nobody has answered. Where two take the same event,
 * both do the work, one answer counts, and the other is refused as a conflict.
 */
export function onTurn(
  bus: Bus<Shop>,
  { pace, group }: Work,
  types: readonly OrderType[],
  answer: (turn: Turn) => Promise<unknown>,
): void {
  const take: Handler<Shop, OrderEvent> = async (event, ctx) => {
    const stream = orderStream(event.data.id)
    if (event.stream !== stream) return ctx.term('it is not in the stream of its order')
    const history = (await bus.loadStream(stream)) as OrderEvent[]
    // The relay may give it to a service before the stream of the room has brought it.
    if (group && !history.some(({ id }) => id === event.id)) return ctx.nak(SOON_MS)
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
  }
  if (group)
    bus.subscribe(types, take, { group: `${group}: ${types[0]}`, from: 'now', concurrency: 4 })
  else bus.subscribe(types, take)
}
