/** Which contexts show their application an old state; one for each panel, whatever view is open. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { Hub } from '../../model/model.ts'
import { createStore, type Store } from '../../state/store.ts'

export interface Travel {
  readonly peer: PeerId
  readonly at: number
  /** The event after which it is: `cart.item_added, 14:03:22.123`. */
  readonly after: string
  /** Projections that show it. */
  readonly views: number
}

const travels = new WeakMap<Hub, Store<ReadonlyMap<PeerId, Travel>>>()

export function travelsOf(hub: Hub): Store<ReadonlyMap<PeerId, Travel>> {
  let store = travels.get(hub)
  if (!store) {
    store = createStore<ReadonlyMap<PeerId, Travel>>(new Map())
    travels.set(hub, store)
  }
  return store
}

/** Shows the application of a peer its views as of an offset. Rejects as `ask` does. */
export async function travelTo(hub: Hub, peer: PeerId, at: number, after: string): Promise<void> {
  const { views } = await hub.ask(peer, { what: 'travel', at })
  travelsOf(hub).update((before) => new Map(before).set(peer, { peer, at, after, views }))
}

/** Lets the views of a peer go on. Rejects as `ask` does, but of a peer that is gone nothing is left. */
export async function travelBack(hub: Hub, peer: PeerId): Promise<void> {
  if (hub.session.peers.get(peer)?.state !== 'gone') await hub.ask(peer, { what: 'travel' })
  travelsOf(hub).update((before) => {
    const after = new Map(before)
    after.delete(peer)
    return after
  })
}
