/** What a checkout consists of: the shared catalogue, and types of its own. */
import type { Bus, EventOf, SchemaEvents } from '@crosstown/bus'
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

export type Events = SchemaEvents<typeof events>
export type CheckoutBus = Bus<Events>
export type CheckoutEvent = EventOf<Events, keyof Events>
export type Order = Events['order.created']

/** Something that has happened and is to be published: a type and its data. */
export type Outcome = {
  [Type in keyof Events]: { readonly type: Type; readonly data: Events[Type] }
}[keyof Events]
