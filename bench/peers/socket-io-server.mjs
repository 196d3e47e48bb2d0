// What one would build on Socket.IO instead of a relay: hands every event to the others of a room,
// keeps nothing.
// node bench/peers/socket-io-server.mjs
import { createServer } from 'node:http'
import { Server } from 'socket.io'

const http = createServer()
const server = new Server(http, { transports: ['websocket'], serveClient: false })
server.on('connection', (socket) => {
  socket.on('join', (joined) => {
    socket.join('room')
    joined()
  })
  socket.on('publish', (event, taken) => {
    socket.to('room').emit('event', event)
    taken?.()
  })
})
http.listen(0, '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${http.address().port}`)
})
