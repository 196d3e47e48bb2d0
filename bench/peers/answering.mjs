// The other end of a round trip, as a process of its own: what it hears it answers.
// node bench/peers/answering.mjs relay|socket.io|relay-bare|socket.io-bare <address>
import { busIn, clientOf, connected } from '../lib/clients.mjs'
import { openDevice, openSocketIo } from '../lib/sockets.mjs'
import { eventOf } from '../pages/events.mjs'

const [over, address] = process.argv.slice(2)

const answer = {
  async relay() {
    const bus = busIn(`ws://${address}`, 'answering')
    bus.subscribe('bench.ping', ({ data }) => void bus.publish('bench.pong', data))
    await bus.publish('bench.ready', null, { until: 'relayed' })
  },

  async 'socket.io'() {
    const client = clientOf(address)
    client.on('event', ({ type, data }) => {
      if (type === 'bench.ping') client.emit('publish', { ...eventOf(0), type: 'bench.pong', data })
    })
    await connected(client)
    await client.emitWithAck('join')
  },

  async 'relay-bare'() {
    const device = await openDevice(`ws://${address}`, 'bare', {
      id: 'answering',
      heard: () => device.publish(1),
    })
  },

  async 'socket.io-bare'() {
    const client = await openSocketIo(`ws://${address}`, { heard: () => client.publish() })
  },
}

await answer[over]()
console.log('ready to answer')
