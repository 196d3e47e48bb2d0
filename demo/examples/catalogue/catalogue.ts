/** The event types that all parts of the application share. */
import type { Bus, EventOf, SchemaEvents } from '@crosstown/bus'
import { modules } from './modules.ts'
import { orders } from './orders.ts'
import { payments } from './payments.ts'
import { system } from './system.ts'
import { users } from './users.ts'

export { type Item, orderStream, totalOf } from './orders.ts'

export const catalogue = { ...users, ...orders, ...payments, ...modules, ...system }

/** For each type its data, in the current version. */
export type Catalogue = SchemaEvents<typeof catalogue>

/** What a module asks for that publishes or hears of these: it does not say where they go. */
export type CatalogueBus = Bus<Catalogue>

/** An event of the catalogue, or that of one type: `CatalogueEvent<'order.created'>`. */
export type CatalogueEvent<Type extends keyof Catalogue = keyof Catalogue> = EventOf<
  Catalogue,
  Type
>
