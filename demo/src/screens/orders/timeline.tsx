import { CheckIcon, CrossIcon, UndoIcon } from '../../icons.tsx'
import type { Order, OrderType } from '../../orders.ts'
import { clockTime } from '../../times.ts'
import { type StepShown, stepsShown } from './steps-shown.ts'

const NAMES: Readonly<Record<OrderType, string>> = {
  'order.created': 'Placed',
  'order.validated': 'Checked',
  'inventory.reserved': 'Reserved',
  'payment.completed': 'Paid',
  'shipping.arranged': 'On the way',
  'order.confirmed': 'Confirmed',
  'inventory.missing': 'Not in stock',
  'payment.declined': 'Card declined',
  'shipping.refused': 'No courier',
  'payment.refunded': 'Refunded',
  'inventory.released': 'Put back',
  'order.failed': 'Failed',
}

const SOURCES: Readonly<Record<string, string>> = {
  shop: 'In the shop',
  'orders-service': 'Node',
  'warehouse-service': 'Deno',
}

const STATES: Readonly<Record<StepShown['state'], string>> = {
  done: '',
  bad: '',
  undone: '(taken back)',
  next: '(next)',
  later: '(to come)',
}

/** The steps of an order, filled as their events arrive. */
export function Timeline({ order }: { order: Order }) {
  return (
    <ol className="timeline">
      {stepsShown(order).map(({ type, state, step }) => (
        <li
          key={type}
          className="step-item"
          data-testid="order-step"
          data-type={type}
          data-state={state}
          data-done={step !== undefined}
        >
          <span className="step-mark">
            {state === 'done' && <CheckIcon />}
            {state === 'bad' && <CrossIcon />}
            {state === 'undone' && <UndoIcon />}
          </span>
          <span className="step-text">
            <span className="step-name">
              {NAMES[type]}
              <span className="visually-hidden"> {STATES[state]}</span>
            </span>
            {step && (
              <small>
                {SOURCES[step.source] ?? step.source}, <time>{clockTime(step.time)}</time>
              </small>
            )}
          </span>
        </li>
      ))}
    </ol>
  )
}
