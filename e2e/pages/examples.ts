/** Modules of the examples in a page, for tests to call: `?relay=&room=`. */
import { cachedProfiles, saveProfile } from '../../demo/examples/cache-invalidation/profiles.ts'
import { change } from '../../demo/examples/event-sourcing/change.ts'
import { addItem, create } from '../../demo/examples/event-sourcing/order.ts'
import { inRoom, onDevice } from '../../demo/examples/memory-to-relay/buses.ts'
import { cancelOrder, placeOrder } from '../../demo/examples/read-model/commands.ts'
import { orderOverview } from '../../demo/examples/read-model/overview.ts'

const query = new URLSearchParams(location.search)
const relay = query.get('relay')
const bus = relay === null ? onDevice() : inRoom(relay, query.get('room') ?? 'room')

/** One for all pages of the device. */
const server = {
  read: async (userId: string) => ({ name: localStorage.getItem(userId) ?? 'nobody' }),
  write: async (userId: string, { name }: { name: string }) => localStorage.setItem(userId, name),
}

const examples = {
  bus,
  server,
  profiles: cachedProfiles(bus, server),
  overview: orderOverview(bus),
  addItem,
  cancelOrder,
  change,
  create,
  placeOrder,
  saveProfile,
}

declare global {
  var shop: typeof examples
}
globalThis.shop = examples
