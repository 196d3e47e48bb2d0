/** Publishes in the task in which its bus is made, before anybody can know of it: `?name=&with=`. */
import { createBus } from '@crosstown/bus'

const query = new URLSearchParams(location.search)
const name = query.get('name') ?? 'page'
const bus = createBus({ name: 'early', source: name, onError: () => {} })
bus.subscribe('order.placed', ({ data }) => {
  if (data === undefined) throw new Error('an order of nothing')
})
void bus.publish('context.started', { name })

if ('document' in globalThis) {
  for (const kind of query.getAll('with')) {
    const address = `/early.js?name=${kind}`
    if (kind === 'worker') new Worker(address, { type: 'module' })
    else void navigator.serviceWorker.register(address, { type: 'module' })
  }
}
