/** Counts what happens, for people who look at curves. */
import type { Unsubscribe } from '@crosstown/bus'
import type { CatalogueBus, CatalogueEvent } from '../catalogue/catalogue.ts'

/** What leaves the application: no data, nobody's name. */
export interface Fact {
  readonly type: string
  readonly time: number
}

export interface Warehouse {
  insert(facts: readonly Fact[]): Promise<void>
}

/**
 * Everything, a hundred at a time or what came within a second. A warehouse that is slow must not
 * fill the memory of a shop: the oldest facts are dropped then, and the curve has a dent.
 */
export const collectFacts = (bus: CatalogueBus, warehouse: Warehouse): Unsubscribe =>
  bus.subscribe('**', (events) => warehouse.insert(events.map(factOf)), {
    batch: { size: 100, ms: 1_000 },
    buffer: 10_000,
    overflow: 'drop-oldest',
  })

const factOf = ({ type, time }: CatalogueEvent): Fact => ({ type, time })
