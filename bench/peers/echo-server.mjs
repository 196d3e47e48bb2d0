// The least that holds a connection: sends back what comes.
// node bench/peers/echo-server.mjs
import { WebSocketServer } from 'ws'

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})
server.on('listening', () => console.log(`listening on 127.0.0.1:${server.address().port}`))
