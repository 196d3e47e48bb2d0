/** What a checkout consists of: the shared catalogue, and types of its own. */
import type { Ask, Bus, EventOf, SchemaEvents } from '@crosstown/bus'
import * as z from 'zod'
import { catalogue } from '../catalogue/catalogue.ts'

const orderId = z.string()

export const events = {
  ...catalogue,
  'inventory.reserved': z.object({ orderId }),
  'inventory.missing': z.object({ orderId, sku: z.string() }),
  'inventory.released': z.object({ orderId }),
  'shipment.requested': z.object({ orderId }),
  'shipment.refused': z.object({ orderId, reason: z.string() }),
  'shipment.recalled': z.object({ orderId }),
}

/** What the saga asks the services for, and what they reply; none of it goes into a log. */
type Questions = {
  /** The goods that there are not enough of; none where all are reserved. */
  'inventory.reserve': Ask<Order, readonly string[]>
  'inventory.release': Ask<{ orderId: string }, void>
  /** A payment's id; none where the bank declined. */
  'payment.take': Ask<{ orderId: string; amount: number }, string | undefined>
  'payment.give_back': Ask<{ orderId: string }, string>
  /** Whether a courier comes. */
  'shipment.order': Ask<{ orderId: string }, boolean>
  'shipment.recall': Ask<{ orderId: string }, void>
}

type Facts = SchemaEvents<typeof events>
export type Events = Facts & Questions
export type CheckoutBus = Bus<Events>
export type CheckoutEvent = EventOf<Events, keyof Facts>
export type Order = Facts['order.created']

/** Something that has happened and is to be published: a type and its data. */
export type Outcome = {
  [Type in keyof Facts]: { readonly type: Type; readonly data: Facts[Type] }
}[keyof Facts]
