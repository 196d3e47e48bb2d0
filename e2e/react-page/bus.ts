/// <reference types="vite/client" />
import { type Bus, createBus } from '@crosstown/bus'

type Shop = { 'cart.added': number; 'cart.cleared': void }

export const bus = createBus<Shop>({ name: 'react-page' })

// A new edition of this module makes a new bus; the old one must not stay a peer beside it.
import.meta.hot?.dispose(() => bus.close())

declare module '@crosstown/bus/react' {
  interface Register {
    bus: typeof bus
  }
}

declare global {
  var pageBus: Bus<Shop>
}
globalThis.pageBus = bus
