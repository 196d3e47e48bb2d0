import type { Bus, EventOf } from '@crosstown/bus'
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

/** The order an event is of, as far as it has come; `undefined` where its beginning is not kept. */
export async function orderOf(
  bus: Bus<Shop>,
  { data }: EventOf<Shop, OrderType>,
): Promise<Order | undefined> {
  const history = await bus.loadStream(orderStream(data.id))
  return (history as OrderEvent[]).reduce(applyToOrders, NO_ORDERS)[0]
}
