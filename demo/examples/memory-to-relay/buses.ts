/** The same bus, three times: the options say how far it reaches, and nothing else does. */
import { createBus, type LogSource, memoryLog, relayLink } from '@crosstown/bus'
import { type CatalogueBus, catalogue } from '../catalogue/catalogue.ts'

const shop = { name: 'shop', events: catalogue }

/** A test, a script: what is published is gone with the process. */
export const inMemory = (): CatalogueBus => createBus({ ...shop, log: memoryLog(), tabs: false })

/** A page with its tabs and workers, over a log in IndexedDB: the defaults. A server gives a file. */
export const onDevice = (log?: LogSource): CatalogueBus => createBus({ ...shop, log })

/** The same, and all devices of the room. */
export const inRoom = (url: string, room: string, log?: LogSource): CatalogueBus =>
  createBus({ ...shop, log, relay: relayLink({ url, room }) })
