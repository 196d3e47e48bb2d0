/** A page with examples of demo/examples on it, for a test to call: `/examples?relay=ws://...&room=...`. */
import { createBus, relayLink } from '@crosstown/bus'
import {
  cachedProfiles,
  type Profile,
  type ProfileServer,
  saveProfile,
} from '../../demo/examples/cache-invalidation/profiles.ts'
import { catalogue } from '../../demo/examples/catalogue/catalogue.ts'
import { change } from '../../demo/examples/event-sourcing/change.ts'
import * as orders from '../../demo/examples/event-sourcing/order.ts'
import { orderOverview } from '../../demo/examples/read-model/overview.ts'
import { checkoutSteps } from '../../demo/examples/saga/checkout.ts'
import { type Events, events } from '../../demo/examples/saga/events.ts'
import { runSaga } from '../../demo/examples/saga/saga.ts'

/** The test is the server that has the profiles. */
declare const readProfile: (userId: string) => Promise<Profile>
declare const writeProfile: (userId: string, profile: Profile) => Promise<void>

const query = new URLSearchParams(location.search)
const relay = relayLink({ url: query.get('relay') ?? '', room: query.get('room') ?? 'examples' })

function openShop() {
  const bus = createBus({ name: 'shop', events: catalogue, relay })
  const server: ProfileServer = {
    read: (userId) => readProfile(userId),
    write: (userId, profile) => writeProfile(userId, profile),
  }
  return {
    bus,
    orders,
    change: (orderId: string, decide: orders.Decide) => change(bus, orderId, decide),
    overview: orderOverview(bus),
    profiles: cachedProfiles(bus, server),
    save: (userId: string, profile: Profile) => saveProfile(bus, server, userId, profile),
  }
}

function openCheckout() {
  const bus = createBus<Events>({ name: 'checkout', events })
  return { bus, run: () => runSaga(bus, checkoutSteps(bus)) }
}

declare global {
  var shop: ReturnType<typeof openShop>
  var checkout: ReturnType<typeof openCheckout>
}

globalThis.shop = openShop()
globalThis.checkout = openCheckout()
