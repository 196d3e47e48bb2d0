import { BusProvider } from '@crosstown/bus/react'
import { bus } from './bus.ts'
import { Cart } from './cart.tsx'

export function App() {
  return (
    <BusProvider bus={bus}>
      <Cart />
    </BusProvider>
  )
}
