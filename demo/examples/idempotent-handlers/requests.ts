/** Requests that come twice: a double click, a form sent again, a caller that saw no answer in time. */
import { dedupe, dedupePublish, type Metadata } from '@crosstown/bus'
import type { Catalogue, CatalogueBus } from '../catalogue/catalogue.ts'

interface Asked {
  readonly type: string
  readonly metadata?: Metadata | undefined
}

/** Whoever makes a request names it; the name comes along with everything it causes. */
const key = ({ type, metadata }: Asked): string | undefined =>
  metadata?.requestId && `${type} ${metadata.requestId}`

/**
 * Here a request is published once, and whoever asks again gets the first one's event. What another
 * context published again all the same, a handler is given once. Both remember for an hour, and not
 * across a reload: what must never happen twice has a key where it is stored, as the ledger has.
 */
export function onceByRequest(bus: CatalogueBus): void {
  const remembered = { key, ms: 3_600_000 }
  bus.use(dedupePublish(remembered))
  bus.use(dedupe(remembered))
}

export const authorize = (
  bus: CatalogueBus,
  requestId: string,
  payment: Catalogue['payment.authorized'],
): Promise<{ readonly id: string }> =>
  bus.publish('payment.authorized', payment, { metadata: { requestId } })
