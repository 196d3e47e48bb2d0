/** What the services say to each other. They know this file, and not each other. */
import type { Bus, SchemaEvents } from '@crosstown/bus'
import * as z from 'zod'
import { catalogue } from '../catalogue/catalogue.ts'

export const events = {
  ...catalogue,
  'shipment.requested': z.object({ orderId: z.string(), paymentId: z.string() }),
}

export type Events = SchemaEvents<typeof events>
export type ShopBus = Bus<Events>
