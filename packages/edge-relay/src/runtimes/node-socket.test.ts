import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, expect, it, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { NodeSocket } from './node-socket.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

/** Both ends of one connection. */
async function connected(): Promise<{ socket: NodeSocket; stream: Duplex; client: WebSocket }> {
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const server = createServer()
  servers.push(server)
  const upgraded = new Promise<{ socket: NodeSocket; stream: Duplex }>((resolve) => {
    server.on('upgrade', (request, stream, head) => {
      sockets.handleUpgrade(request, stream, head, (ws) => {
        resolve({ socket: new NodeSocket(ws, stream), stream })
      })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  await once(client, 'open')
  return { ...(await upgraded), client }
}

/** The next so many texts that arrive. */
function arriving(client: WebSocket, count: number): Promise<unknown[]> {
  const texts: unknown[] = []
  return new Promise((resolve) => {
    client.addEventListener('message', ({ data }) => {
      if (texts.push(data) === count) resolve(texts)
    })
  })
}

it('texts of every length arrive as they are', async () => {
  const { socket, client } = await connected()
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000, 1_000_000]
  const texts = lengths.flatMap((length) => ['x'.repeat(length), 'ü😀'.repeat(length / 6)])
  const arrived = arriving(client, texts.length)
  for (const text of texts) socket.send(text)
  expect(await arrived).toEqual(texts)
})

it('what is sent with more to follow leaves with it in one write, and with that a close', async () => {
  const { socket, stream, client } = await connected()
  const writes = vi.spyOn(stream, '_writev' as never)
  const arrived = arriving(client, 3)
  const closed = once(client, 'close')
  socket.send('one', true)
  for (const text of ['two', 'three']) socket.send(text)
  socket.close(1000, 'done')
  socket.send('too late')
  expect(await arrived).toEqual(['one', 'two', 'three'])
  const [event] = (await closed) as [CloseEvent]
  expect([event.code, event.reason]).toEqual([1000, 'done'])
  expect(writes).toHaveBeenCalledTimes(1)
})

it('what nothing follows is handed to the system at once, and waits for nothing of the same turn', async () => {
  const { socket, stream, client } = await connected()
  const writes = vi.spyOn(stream, '_write' as never)
  const arrived = arriving(client, 2)
  socket.send('one')
  expect(writes).toHaveBeenCalledTimes(1)
  socket.send('two')
  expect(writes).toHaveBeenCalledTimes(2)
  expect(await arrived).toEqual(['one', 'two'])
})
