import { useProjection } from '@crosstown/bus/react'
import { ReceiptIcon } from '../../icons.tsx'
import { hrefOf } from '../../route.ts'
import { useSeenWhileShown } from '../../seen.ts'
import { useStore } from '../../store.ts'
import { loaded, orders } from '../../views.ts'
import { Empty } from '../empty.tsx'
import { OrderCard } from './order-card.tsx'

const SHOWN = 8

/** Orders of this room, and what the services answered. */
export function OrdersScreen() {
  const all = useProjection(orders)
  const opening = !useStore(loaded)
  useSeenWhileShown()
  return (
    <>
      <header className="page-head">
        <h1>Orders</h1>
        <p>
          Checked and charged by a service on Node, packed and sent by one on Deno. Each step is an
          event that causes the next.
        </p>
      </header>
      {all.length === 0 ? (
        <div className="panel">
          {opening ? (
            <Empty id="orders-opening" icon={<ReceiptIcon />} title="Opening your orders">
              They are read from the log of this device.
            </Empty>
          ) : (
            <Empty id="orders-empty" icon={<ReceiptIcon />} title="No orders yet">
              Fill the cart and place one. <a href={hrefOf()}>To the shop</a>
            </Empty>
          )}
        </div>
      ) : (
        <ul className="orders">
          {all.slice(0, SHOWN).map((order) => (
            <OrderCard key={order.correlationId} order={order} />
          ))}
        </ul>
      )}
      {all.length > SHOWN && (
        <p className="earlier">
          Earlier ones are in the log: <a href={hrefOf('activity')}>to the activity</a>
        </p>
      )}
    </>
  )
}
