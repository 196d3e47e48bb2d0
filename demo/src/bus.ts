/** The one bus of this page, and the events the shop knows. */
import { createBus, relayLink } from '@crosstown/bus'
import { wasOffline } from './offline-memory.ts'
import { relayUrl, roomFrom, roomLink } from './room.ts'

export interface CartLine {
  readonly sku: string
  readonly name: string
  /** In cents. */
  readonly price: number
  readonly quantity: number
}

export type Shop = {
  'cart.item_added': { sku: string; name: string; price: number }
  'cart.item_removed': { sku: string }
  'cart.cleared': void

  'order.created': { id: string; items: readonly CartLine[]; total: number }
  'order.validated': { id: string; total: number }
  'order.confirmed': { id: string; message: string }

  /** Of the service worker, after an order was confirmed. */
  'notification.counted': { count: number }

  /** This device goes offline or comes back: for its tabs only. */
  'demo.offline': { on: boolean }
  /** Who else is on this device? */
  'demo.ping': void
  'demo.pong': { source: string }
  /** How many events of cart and orders the service worker has heard. */
  'demo.heard': { count: number }
}

export const room = roomFrom(location.search)

// The room belongs in the address, so that the address can be passed on.
if (new URLSearchParams(location.search).get('room') !== room) {
  history.replaceState(history.state, '', roomLink(location.href, room))
}

export const relay = relayLink({ url: relayUrl(location), room })
if (wasOffline(room)) relay.pause()

export const bus = createBus<Shop>({ name: 'shop', relay })
