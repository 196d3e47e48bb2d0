/**
 * An application in two of its versions: in the first, an item of a cart has a name only; in the
 * third it has a sku and a quantity. Every peer says what it read of others, for the test to look at.
 */
import { type Bus, type BusEvent, type BusOptions, createBus } from '@crosstown/bus'
import * as z from 'zod'

/** What was read of an event. */
export interface Read {
  readonly id: string
  readonly data: unknown
  readonly version: number
}

const read = z.object({
  by: z.string(),
  origin: z.string(),
  event: z.object({ id: z.string(), data: z.unknown(), version: z.number() }),
})

const first = { 'cart.added': z.object({ item: z.string() }), 'cart.read': read }
const third = {
  'cart.added': {
    schema: z.object({ sku: z.string(), quantity: z.number() }),
    version: 3,
    upcast: {
      1: (data: { item: string }) => ({ sku: data.item }),
      2: (data: { sku: string }) => ({ ...data, quantity: 1 }),
    },
  },
  'cart.read': read,
}

export function openVersion(version: string | null, options: BusOptions): Bus<object> {
  const bus = createBus({ ...options, events: version === '1' ? first : third })
  bus.subscribe('cart.added', (event, ctx) => {
    if (ctx.origin === 'self') return undefined
    return ctx.publish('cart.read', { by: bus.source, origin: ctx.origin, event: said(event) })
  })
  return bus as unknown as Bus<object>
}

export function said({ id, data, version }: BusEvent): Read {
  return { id, data, version }
}
