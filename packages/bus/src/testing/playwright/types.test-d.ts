/** What must compile and what must not in a test with typed events; checked by the type checker alone. */
import { crosstownTest, test } from './index.ts'

type Shop = { 'cart.item_added': { sku: string }; 'cart.cleared': void }

crosstownTest<Shop>()('typed', async ({ crosstown }) => {
  const added = await crosstown.expectEvent('cart.item_added', {
    where: ({ data }) => data.sku === 'A1',
  })
  added.data.sku satisfies string
  added.origin satisfies 'device' | 'room'
  for (const event of await crosstown.events('cart.*'))
    if (event.type === 'cart.item_added') event.data.sku satisfies string
  await crosstown.publish('cart.cleared')
  const { data } = await crosstown.publish('cart.item_added', { sku: 'A1' }, { bus: 'shop' })
  data.sku satisfies string
  const phone = await crosstown.device('phone')
  // @ts-expect-error no such type
  await phone.expectEvent('cart.item_aded')
  // @ts-expect-error data is missing
  await phone.publish('cart.item_added')
  // @ts-expect-error no such data
  await phone.publish('cart.item_added', { sku: 1 })
})

test('untyped', async ({ crosstown }) => {
  await crosstown.publish('anything', { at: 1 })
  ;(await crosstown.expectEvent('anything')).data satisfies unknown
})
