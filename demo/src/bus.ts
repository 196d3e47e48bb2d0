/** The one bus of this page. */
import { type Bus, createBus, relayLink } from '@crosstown/bus'
import type { Shop } from './events.ts'
import { noteGap, noteProblem } from './notices.ts'
import { busNameFrom, relayUrl, roomFrom } from './room.ts'
import { wasOffline } from './settings.ts'

export const room = roomFrom(location.search)
export const busName = busNameFrom(location.search)

// The room belongs in the address, so that the address can be passed on.
const address = new URL(location.href)
if (address.searchParams.get('room') !== room) {
  address.searchParams.set('room', room)
  history.replaceState(history.state, '', address)
}

export const relay = relayLink({ url: relayUrl(location), room })
if (wasOffline(busName, room)) relay.pause()

export const bus: Bus<Shop> = createBus<Shop>({
  name: busName,
  source: 'shop',
  relay,
  onError: noteProblem,
  onGap: noteGap,
})

// The hooks of React know these events without being told each time.
declare module '@crosstown/bus/react' {
  interface Register {
    bus: typeof bus
  }
}
