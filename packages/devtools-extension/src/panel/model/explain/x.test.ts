import { it } from 'vitest'
import { Town } from './testing/town.ts'
it('x', async () => {
  const town = new Town()
  const cart = town.bus('laptop', { source: 'cart' })
  const orders = town.bus('laptop', { source: 'orders' })
  await town.settle()
  const show = () => console.log([...town.session.peers.values()].map(p => [p.name, p.device, p.hello.log, p.hello.device, p.state, p.hello.source, p.hello.status.log, p.status.log]))
  show()
  await town.publish(cart, 'a.b', 1)
  await town.pass(3000)
  show()
})
