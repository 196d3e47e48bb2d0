/** Tells customers how their orders went on. */
import type { Unsubscribe } from '@crosstown/bus'
import { type CatalogueBus, orderStream } from '../catalogue/catalogue.ts'

export interface Message {
  /** The same for the same event: a mail service sends it once, however often it is asked. */
  readonly key: string
  readonly customerId: string
  readonly subject: string
}

export interface Mail {
  send(message: Message, options: { readonly signal: AbortSignal }): Promise<void>
}

const SUBJECTS = {
  'order.confirmed': 'Your order is on its way',
  'order.cancelled': 'Your order was cancelled',
} as const

/**
 * A customer waits for each of these, so nothing is left out: a durable consumer goes on where it was
 * after a crash, one tab at a time sends, and what fails comes again. After five times it is a dead
 * letter, and the next mail goes out.
 */
export const notifyCustomers = (bus: CatalogueBus, mail: Mail): Unsubscribe =>
  bus.subscribe(
    ['order.confirmed', 'order.cancelled'],
    async (event, { signal }) => {
      const customerId = await customerOf(bus, event.data.orderId)
      if (customerId === undefined) return
      await mail.send({ key: event.id, customerId, subject: SUBJECTS[event.type] }, { signal })
    },
    { durable: 'mail', concurrency: 4, ackWait: 10_000, maxDeliver: 5 },
  )

/** The event says which order; whose it is says the one that created it. */
async function customerOf(bus: CatalogueBus, orderId: string): Promise<string | undefined> {
  const [created] = await bus.loadStream(orderStream(orderId))
  return created?.type === 'order.created' ? created.data.customerId : undefined
}
