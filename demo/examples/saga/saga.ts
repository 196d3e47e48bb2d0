/**
 * A saga: steps that are done one after the other and, where one fails, undone in reverse. It
 * remembers nothing. How far it has come is what its conversation says, so that it goes on in another
 * tab or process, or after a crash.
 */
import { isBusError, type Unsubscribe } from '@crosstown/bus'
import { orderStream } from '../catalogue/catalogue.ts'
import { revisionOf } from '../event-sourcing/change.ts'
import type { CheckoutBus, CheckoutEvent, Order, Outcome } from './events.ts'

/** Both may be called again for the same order, after a crash: what is done already stays done. */
export interface Step {
  readonly done: Outcome['type']
  readonly failed: Outcome['type']
  readonly undone: Outcome['type']
  /** Comes to `done` or to `failed`. What it throws is neither: it is tried again. */
  run(order: Order): Promise<Outcome>
  undo(order: Order): Promise<Outcome>
}

/** What is to be done next, given what has happened; nothing where the saga has ended. */
export function nextOf(
  steps: readonly Step[],
  happened: ReadonlySet<string>,
): ((order: Order) => Promise<Outcome>) | undefined {
  if (happened.has('order.confirmed') || happened.has('order.cancelled')) return undefined
  const failed = steps.find((step) => happened.has(step.failed))
  if (!failed) {
    const step = steps.find((one) => !happened.has(one.done))
    return step ? (order) => step.run(order) : confirm
  }
  const step = steps.findLast((one) => happened.has(one.done) && !happened.has(one.undone))
  return step ? (order) => step.undo(order) : cancel(failed.failed)
}

const confirm = async ({ orderId }: Order): Promise<Outcome> => ({
  type: 'order.confirmed',
  data: { orderId },
})

const cancel =
  (reason: string) =>
  async ({ orderId }: Order): Promise<Outcome> => ({
    type: 'order.cancelled',
    data: { orderId, reason },
  })

/**
 * Runs the saga for every order that is created. The consumer is durable: it goes on where it was,
 * in whichever context of the device is there, and an event whose step threw comes again.
 */
export function runSaga(bus: CheckoutBus, steps: readonly Step[]): Unsubscribe {
  const types = steps.flatMap(({ done, failed, undone }) => [done, failed, undone])
  return bus.subscribe(['order.created', ...types], (event) => advance(bus, steps, event), {
    durable: 'checkout',
    // The orders go on beside each other, and each in its order.
    orderBy: 'stream',
  })
}

async function advance(bus: CheckoutBus, steps: readonly Step[], event: CheckoutEvent) {
  if (!('orderId' in event.data)) return
  const stream = orderStream(event.data.orderId)
  let outcome: Outcome | undefined
  for (;;) {
    const history = await bus.loadStream(stream)
    // Of all that happens to an order, what belongs to this checkout carries its correlation.
    const conversation = history.filter((one) => one.correlationId === event.correlationId)
    const [first] = conversation
    // The newest event is answered and no other: what followed on an older one is there.
    if (first?.type !== 'order.created' || conversation.at(-1)?.id !== event.id) return
    const next = nextOf(steps, new Set(conversation.map(({ type }) => type)))
    outcome ??= await next?.(first.data)
    if (!outcome) return
    try {
      // Where two run the saga, both may have done the step; one of them says so.
      await bus.publishBatch([
        {
          ...outcome,
          stream,
          expectedRevision: revisionOf(history),
          correlationId: event.correlationId,
          causationId: event.id,
          metadata: event.metadata,
        },
      ])
      return
    } catch (error) {
      if (!isBusError(error, 'conflict')) throw error
    }
  }
}
