import { countOf } from '../../cart.ts'
import { type Order, type OrderState, stateOf } from '../../orders.ts'
import { money } from '../../products.ts'
import { hrefOf } from '../../route.ts'
import { clockTime } from '../../times.ts'
import { Timeline } from './timeline.tsx'
import { Waiting } from './waiting.tsx'

const STATES: Readonly<Record<OrderState, string>> = {
  open: 'In progress',
  confirmed: 'Confirmed',
  failed: 'Failed',
}

export function OrderCard({ order }: { order: Order }) {
  const { id, items, total, correlationId, steps } = order
  const state = stateOf(order)
  const count = countOf(items)
  const end = steps.find(({ type }) => type === 'order.confirmed' || type === 'order.failed')
  return (
    <li className="panel order" data-testid="order" data-order={id} data-state={state}>
      <header className="order-head">
        <h2>Order {id}</h2>
        <span className="state" data-state={state}>
          {STATES[state]}
        </span>
        <p>
          {items
            .map(({ name, quantity }) => (quantity === 1 ? name : `${quantity} × ${name}`))
            .join(', ')}
        </p>
        <p className="order-sum">
          {money(total)}
          <small>
            {count === 1 ? '1 item' : `${count} items`}, {clockTime(steps[0]?.time ?? 0)}
          </small>
        </p>
      </header>
      <Timeline order={order} />
      <footer className="order-foot">
        {end ? (
          <p className="order-end" data-testid="order-end" data-state={state}>
            {end.message}
            {state === 'failed' && takenBack(order)}
          </p>
        ) : (
          <Waiting order={order} />
        )}
        <a href={hrefOf('activity', 'threads', correlationId)} data-testid="order-thread">
          See its events
          <span className="visually-hidden"> of order {id}</span>
        </a>
      </footer>
    </li>
  )
}

/** What was done for nothing, and is undone. */
function takenBack({ steps }: Order): string {
  const types = steps.map(({ type }) => type)
  const done = [
    types.includes('payment.refunded') && 'your money is on its way back',
    types.includes('inventory.released') && 'the goods are back on the shelf',
  ].filter((words) => words !== false)
  if (done.length === 0) return ''
  const words = done.join(', and ')
  return ` ${words.charAt(0).toUpperCase()}${words.slice(1)}.`
}
