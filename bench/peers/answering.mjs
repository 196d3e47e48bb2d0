// The other end of a round trip, as a process of its own: what it hears it sends back.
// node bench/peers/answering.mjs relay|socket.io <address>
import { busIn, clientOf, connected } from '../lib/clients.mjs'
import { eventOf } from '../pages/events.mjs'

const [over, address] = process.argv.slice(2)

if (over === 'relay') {
  const bus = busIn(`ws://${address}`, 'answering')
  bus.subscribe('bench.ping', ({ data }) => void bus.publish('bench.pong', data))
  await bus.publish('bench.ready', null, { until: 'relayed' })
} else {
  const client = clientOf(address)
  client.on('event', ({ type, data }) => {
    if (type === 'bench.ping') client.emit('publish', { ...eventOf(0), type: 'bench.pong', data })
  })
  await connected(client)
  await client.emitWithAck('join')
}
console.log('ready to answer')
