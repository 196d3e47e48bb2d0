/** What must compile and what must not; checked by the type checker alone, never run. */
import { type Bus, type BusEvent, createBus } from '../index.ts'
import { BusProvider, useBus, useEvent, useProjection } from './index.ts'

type Shop = { 'cart.added': { sku: string }; 'cart.cleared': void; 'order.created': { id: number } }
type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const yes = <_ extends true>(): void => {}

declare const shop: Bus<Shop>
const parsed = createBus({ name: 'parsed', events: {} })

export function Component(): null {
  // ── providers take any bus ──
  BusProvider({ bus: shop })
  BusProvider({ bus: parsed })
  // @ts-expect-error there must be one
  BusProvider({})

  // ── without a registered bus: any type, unknown data ──
  void useBus().publish('any.type', { any: 'data' })
  useEvent('any.*', (event) => {
    yes<Equal<typeof event.data, unknown>>()
  })

  // ── events given ──
  void useBus<Shop>().publish('cart.added', { sku: 'A1' })
  // @ts-expect-error no such type
  void useBus<Shop>().publish('cart.add', { sku: 'A1' })
  useEvent<Shop>('cart.*', (event, context) => {
    if (event.type === 'cart.added') yes<Equal<typeof event.data, { sku: string }>>()
    // @ts-expect-error not an event of Crosstown itself, which that pattern does not match
    if (event.type === '$event.refused') return
    return context.publish('order.created', { id: 1 })
  })
  useEvent<Shop, 'cart.added'>('cart.added', (event) => {
    yes<Equal<typeof event, BusEvent<'cart.added', { sku: string }>>>()
  })
  useEvent<Shop>('order.created', () => {}, { where: ({ type }) => type === 'order.created' })
  // @ts-expect-error no type matches
  useEvent<Shop>('basket.*', () => {})

  // ── read models ──
  const list = useProjection<Shop, readonly string[], 'cart.added'>(
    'cart.added',
    (skus, { data }) => [...skus, data.sku],
    [],
    { key: 'skus', version: 2 },
  )
  yes<Equal<typeof list, readonly string[]>>()
  const count = useProjection('any.*', (n: number) => n + 1, 0)
  yes<Equal<typeof count, number>>()
  const view = useProjection(shop.project('cart.cleared', () => new Date(), new Date()))
  yes<Equal<typeof view, Date>>()
  // @ts-expect-error a pattern needs a reducer and an initial state
  useProjection('any.*')
  const counted = shop.project('cart.cleared', (n: number) => n + 1, 0)
  // @ts-expect-error a view has its own
  useProjection(counted, (n: number) => n, 0)
  return null
}
