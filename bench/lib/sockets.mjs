// Devices of a relay, and clients of Socket.IO and of plain servers, that are little more than their
// sockets: who loads a server must not be what holds it up. Only what arrives is counted.
import { encodeFrame, SUBPROTOCOL } from '@crosstown/bus/protocol'
import { WebSocket } from 'ws'
import { dataOf, eventOf, TYPE } from '../pages/events.mjs'

const NEWLINE = 10
/** What an object begins with, in JSON. */
const BRACE = 123
const light = { perMessageDeflate: false, skipUTF8Validation: true }
const term = [1, 'bench']

/**
 * A device of a relay that has joined its room. `heard` is called with how many events came since,
 * and with the message.
 *
 * @param types what it reads; all where it is absent
 */
export async function openDevice(url, room, { id, types, heard = () => {} }) {
  const socket = new WebSocket(`${url}/rooms/${room}/socket`, SUBPROTOCOL, light)
  const acked = new Map()
  let batch = 0
  let published = 0
  let every = Number.POSITIVE_INFINITY
  let taken = 0
  let told = 0
  // Where a relay cannot see its buffers, it sends on when a device says what it took.
  const took = (length) => {
    taken += length
    if (taken - told < every) return
    told = taken
    socket.send(encodeFrame({ frame: 'credit', bytes: told }))
  }
  const hello = {
    frame: 'hello',
    version: 1,
    log: `log-${id}`,
    device: { id, secret: `secret-of-${id}` },
    terms: [term],
    from: 'now',
    ...(types && { types }),
  }
  await joined(socket, (resolve, reject) => {
    const notWelcome = (code) => reject(new Error(`${id} was closed with ${code}`))
    socket.on('close', notWelcome)
    socket.on('message', (bytes) => {
      const name = bytes.toString('latin1', 10, 16)
      if (name !== 'welcom' && !name.startsWith('heart')) took(bytes.length)
      if (name === 'stream') {
        // Its own events come as their positions only.
        const count = countOf(bytes, NEWLINE)
        if (count > 0) heard(count, bytes)
      } else if (name.startsWith('ack')) {
        const ack = JSON.parse(bytes.toString())
        acked.get(ack.batch)?.()
        acked.delete(ack.batch)
      } else if (name === 'welcom') {
        socket.off('close', notWelcome)
        every = JSON.parse(bytes.toString()).limits.creditBytes ?? every
        resolve()
      } else if (!name.startsWith('heart')) reject(new Error(`${id} was sent ${bytes}`))
    })
    socket.on('open', () => socket.send(encodeFrame(hello)))
  })
  return {
    socket,
    /** Publishes a batch; resolves when the relay has it. */
    publish(count) {
      const events = []
      const data = []
      for (let i = 0; i < count; i++) {
        published += 1
        events.push({ id: `${id}-${published}`, type: TYPE, source: 'bench', time: Date.now() })
        data.push(JSON.stringify(dataOf(published)))
      }
      const frame = { frame: 'publish', batch: batch + 1, term, events }
      if (batch > 0) frame.prev = batch
      batch += 1
      return new Promise((resolve) => {
        acked.set(batch, resolve)
        socket.send(encodeFrame(frame, data))
      })
    },
  }
}

/** A client of Socket.IO that has joined the room everyone is sent to. */
export async function openSocketIo(url, { heard = () => {} }) {
  const socket = new WebSocket(`${url}/socket.io/?EIO=4&transport=websocket`, light)
  let published = 0
  await joined(socket, (resolve, reject) => {
    socket.on('message', (bytes) => {
      // 0: the connection is open, 2: a ping, 40: the namespace is joined, 42: an event
      const kind = bytes.toString('latin1', 0, 2)
      if (kind === '42') heard(1, bytes)
      else if (kind[0] === '0') socket.send('40')
      else if (kind === '40') socket.send('420["join"]')
      else if (kind[0] === '2') socket.send('3')
      else if (kind === '43') resolve()
      else reject(new Error(`Socket.IO sent ${bytes}`))
    })
  })
  return {
    socket,
    /** Publishes one event. */
    publish() {
      published += 1
      socket.send(`42["publish",${JSON.stringify(eventOf(published))}]`)
    },
  }
}

/** A client of crossws; `taken` resolves when the server has what was published before. */
export async function openCrossws(url, { heard = () => {}, join = false }) {
  const socket = new WebSocket(url, light)
  const waiting = []
  await joined(socket, (resolve, reject) => {
    socket.on('message', (bytes) => {
      if (bytes[0] === BRACE) heard(1, bytes)
      else if (bytes.toString() === 'taken') waiting.shift()?.()
      else if (bytes.toString() === 'joined') resolve()
      else reject(new Error(`crossws sent ${bytes}`))
    })
    socket.on('open', () => (join ? socket.send('join') : resolve()))
  })
  return {
    socket,
    publish: (event) => socket.send(JSON.stringify(event)),
    taken() {
      socket.send('taken?')
      return new Promise((resolve) => waiting.push(resolve))
    },
  }
}

/** The number of the event in a message that has one. */
export const numberIn = (bytes) => Number(/"n":(\d+)/.exec(bytes.toString())?.[1])

/** A plain client. */
export async function openPlain(url) {
  const socket = new WebSocket(url, light)
  await joined(socket, (resolve) => socket.on('open', resolve))
  return { socket }
}

/** Ends them, and waits until that is done. */
export async function closeSockets(clients) {
  await Promise.all(
    clients.map(
      ({ socket }) =>
        new Promise((resolve) => {
          socket.on('close', resolve)
          socket.terminate()
        }),
    ),
  )
}

/** Listens before anything can come. */
function joined(socket, listen) {
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    listen(resolve, reject)
  })
}

function countOf(bytes, byte) {
  let count = 0
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) count += 1
  return count
}
