import { useEffect, useState } from 'react'
import { type CartLine, room } from '../bus.ts'
import { countOf } from '../cart.ts'
import { clockTime } from '../clock-time.ts'
import { CheckIcon, ReceiptIcon } from '../icons.tsx'
import { ANSWERS, type Answer, type Order, type OrderStep } from '../orders.ts'
import { money } from '../products.ts'
import { DEFAULT_ROOM } from '../room.ts'
import { orders } from '../shop.ts'
import { useStore } from '../store.ts'
import { Empty, Panel } from './panel.tsx'

const STEPS: Readonly<Record<Answer, { name: string; by: string }>> = {
  'order.validated': { name: 'Validated', by: 'orders-service, on Node' },
  'order.confirmed': { name: 'Confirmed', by: 'notifications-service, on Deno' },
}

const SHOWN = 5

/** Orders of this room, and what the services answered. */
export function OrdersScreen() {
  const all = useStore(orders)
  return (
    <Panel id="orders" title="Orders">
      {all.length === 0 ? (
        <Empty id="orders-empty" icon={<ReceiptIcon />}>
          No orders yet. Two services wait for the first one.
        </Empty>
      ) : (
        <ul className="orders">
          {all.slice(0, SHOWN).map((order) => (
            <OrderCard key={order.correlationId} order={order} />
          ))}
        </ul>
      )}
      {all.length > SHOWN && <p className="earlier">Earlier ones are in the log.</p>}
    </Panel>
  )
}

function OrderCard({ order }: { order: Order }) {
  const { id, items, total, created, answers, correlationId } = order
  const open = ANSWERS.some((type) => !answers[type])
  const late = useLate(created.time) && open
  const count = countOf(items)
  return (
    <li className="order" data-testid="order" data-order={id} data-correlation={correlationId}>
      <p className="order-head">
        <strong>Order {id}</strong>
        <span>
          {count === 1 ? '1 item' : `${count} items`}, {money(total)}
        </span>
      </p>
      <ol className="steps">
        <Step name="Placed" type="order.created" words={listOf(items)} step={created} />
        {ANSWERS.map((type) => {
          const { name, by } = STEPS[type]
          const step = answers[type]
          const words = step?.message ? `${step.source}: ${step.message}` : by
          return <Step key={type} type={type} name={name} words={words} step={step} />
        })}
      </ol>
      {late && (
        <p className="hint" data-testid="order-late">
          {room === DEFAULT_ROOM
            ? 'Still waiting. The services answer as soon as they and this device are online.'
            : `Still waiting. By default the services are in the room ${DEFAULT_ROOM} only.`}
        </p>
      )}
    </li>
  )
}

interface StepProps {
  name: string
  type: string
  words: string
  step: OrderStep | undefined
}

function Step({ name, type, words, step }: StepProps) {
  return (
    <li className="step-row" data-testid="order-step" data-type={type} data-done={Boolean(step)}>
      <span className="step-mark">{step && <CheckIcon />}</span>
      <span className="step-text">
        {step ? name : `Not ${name.toLowerCase()} yet`}
        <small>{words}</small>
      </span>
      {step && <time dateTime={new Date(step.time).toISOString()}>{clockTime(step.time)}</time>}
    </li>
  )
}

const listOf = (items: readonly CartLine[]): string =>
  items.map(({ name, quantity }) => (quantity === 1 ? name : `${quantity} ${name}`)).join(', ')

const LATE_MS = 4_000

/** Whether that long has gone by since. */
function useLate(since: number): boolean {
  const [late, setLate] = useState(() => Date.now() - since > LATE_MS)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), Math.max(0, since + LATE_MS - Date.now()))
    return () => clearTimeout(timer)
  }, [since])
  return late
}
