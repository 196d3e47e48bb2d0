/** What of an order its timeline shows: what has happened, and what is still to come. Pure. */
import { type Order, type OrderStep, type OrderType, STEPS, stateOf } from '../../orders.ts'

export interface StepShown {
  readonly type: OrderType
  readonly state: 'done' | 'next' | 'later' | 'bad' | 'undone'
  readonly step: OrderStep | undefined
}

const BAD: ReadonlySet<OrderType> = new Set([
  'inventory.missing',
  'payment.declined',
  'shipping.refused',
  'order.failed',
])
const UNDONE: ReadonlySet<OrderType> = new Set(['inventory.released', 'payment.refunded'])

export function stepsShown(order: Order): readonly StepShown[] {
  const happened = order.steps.map(
    (step): StepShown => ({ type: step.type, step, state: kindOf(step.type) }),
  )
  const off = happened.some(({ state }) => state !== 'done')
  if (stateOf(order) !== 'open') return happened
  const ahead: readonly OrderType[] = off
    ? ['order.failed']
    : STEPS.filter((type) => !order.steps.some((step) => step.type === type))
  return [
    ...happened,
    ...ahead.map(
      (type, index): StepShown => ({
        type,
        step: undefined,
        state: index === 0 ? 'next' : 'later',
      }),
    ),
  ]
}

function kindOf(type: OrderType): StepShown['state'] {
  if (BAD.has(type)) return 'bad'
  return UNDONE.has(type) ? 'undone' : 'done'
}
