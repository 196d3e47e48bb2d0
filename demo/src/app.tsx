import { Mark } from './icons.tsx'
import { CartScreen } from './screens/cart.tsx'
import { ConnectionScreen } from './screens/connection.tsx'
import { EventsScreen } from './screens/events.tsx'
import { OfflineSwitch } from './screens/offline-switch.tsx'
import { OrdersScreen } from './screens/orders.tsx'
import { RoomBar } from './screens/room-bar.tsx'
import { ShelfScreen } from './screens/shelf.tsx'
import { TryScreen } from './screens/try.tsx'

export function App() {
  return (
    <>
      <a className="skip-link" href="#shelf">
        Skip to the shop
      </a>
      <header className="top">
        <div className="brand">
          <Mark />
          <div>
            <h1>Corner shop</h1>
            <p>One cart on every tab and device</p>
          </div>
        </div>
        <RoomBar />
        <OfflineSwitch />
      </header>
      <ConnectionScreen />
      <main className="screens">
        <div className="column">
          <ShelfScreen />
          <TryScreen />
        </div>
        <div className="column">
          <CartScreen />
          <OrdersScreen />
        </div>
        <EventsScreen />
      </main>
      <footer className="bottom">
        <p>
          A demo of <strong>Crosstown</strong>: one event bus for every tab, worker, server and
          device of a web app.
        </p>
      </footer>
    </>
  )
}
