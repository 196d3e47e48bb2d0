/** Test buses are buses: what must compile and what must not; checked by the type checker alone. */
import * as z from 'zod'
import type { Bus } from '../types.ts'
import { createTestNetwork } from './network/network.ts'
import { createNoopBus, type NoopBus } from './noop.ts'
import { createRecordingBus, type RecordingBus } from './recording.ts'

type Shop = { 'cart.item_added': { sku: string }; 'order.placed': { id: number } }

declare function checkout(bus: Bus<Shop>): Promise<void>

const recording: RecordingBus<Shop> = createRecordingBus<Shop>()
const noop: NoopBus<Shop> = createNoopBus<Shop>({ name: 'shop' })
void checkout(recording)
void checkout(noop)

const skus: string[] = recording.published('cart.item_added').map(({ data }) => data.sku)
for (const event of recording.published(['cart.*', 'order.placed']))
  if (event.type === 'order.placed') event.data.id satisfies number
void recording.waitFor('order.placed', { where: ({ data }) => data.id === 7, count: 2 })
recording.count('cart.*') satisfies number
noop.count() satisfies number
// @ts-expect-error no such type
recording.published('cart.item_aded')
// @ts-expect-error no such type
noop.count('cart.item_aded')
// @ts-expect-error data has no such property
void recording.waitFor('order.placed', { where: ({ data }) => data.sku === 'A1' })
// @ts-expect-error it is alone
createRecordingBus<Shop>({ log: false })

const events = { 'user.signed_up': z.object({ age: z.coerce.number<string>() }) }
const withSchemas = createRecordingBus({ events })
void withSchemas.publish('user.signed_up', { age: '7' })
const ages: number[] = withSchemas.published('user.signed_up').map(({ data }) => data.age)
// @ts-expect-error what is published is the input
void withSchemas.publish('user.signed_up', { age: 7 })
void createNoopBus({ events }).publish('user.signed_up', { age: '7' })

const tab = createTestNetwork().device('phone').open()
void checkout(tab.createBus<Shop>({ name: 'shop', room: '42' }))
void tab.createBus({ name: 'shop', events }).publish('user.signed_up', { age: '7' })
// @ts-expect-error data has no such property
void tab.createBus<Shop>({ name: 'shop' }).publish('order.placed', { sku: 'A1' })
// @ts-expect-error the network gives it its log
tab.createBus<Shop>({ name: 'shop', log: false })

export { ages, skus }
