// The plain server a page catches up from without a relay: to whoever connects it sends so many
// events as text, one JSON text a line and so many lines a message.
// node bench/peers/rows-server.mjs <events> <lines a message>
import { WebSocketServer } from 'ws'
import { eventOf } from '../pages/events.mjs'

const [count, lines] = process.argv.slice(2).map(Number)

// Made once: what is compared is how they get into the page.
const messages = []
for (let first = 0; first < count; first += lines) {
  const texts = []
  for (let n = first; n < first + lines; n++) texts.push(JSON.stringify(eventOf(n)))
  messages.push(texts.join('\n'))
}

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
server.on('connection', (socket) => {
  for (const message of messages) socket.send(message)
})
server.on('listening', () => console.log(`listening on 127.0.0.1:${server.address().port}`))
