/// <reference types="vite/client" />
import { type Bus, createBus } from '@crosstown/bus'

type Shop = { 'cart.added': number; 'cart.cleared': void }

// After an edit of this module, the bus of its former edition must not stay a peer. (`hot.dispose` is
// for modules that accept their own updates.)
import.meta.hot?.data.bus?.close()

export const bus = createBus<Shop>({ name: 'react-page' })

if (import.meta.hot) import.meta.hot.data.bus = bus

declare module '@crosstown/bus/react' {
  interface Register {
    bus: typeof bus
  }
}

declare global {
  var pageBus: Bus<Shop>
}
globalThis.pageBus = bus
