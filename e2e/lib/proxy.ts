/** A wire that can be cut: a TCP proxy before a port, for one device to be offline on real sockets. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Wire {
  /** `ws://127.0.0.1:PORT` */
  readonly url: string
  /** Ends every connection, and takes none until `mend`. */
  cut(): void
  mend(): void
  close(): Promise<void>
}

export async function wireTo(port: number): Promise<Wire> {
  const sockets = new Set<Socket>()
  let whole = true
  const server = createServer((near) => {
    if (!whole) {
      near.destroy()
      return
    }
    const far = connect(port, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const end = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      whole = false
      end()
    },
    mend() {
      whole = true
    },
    async close() {
      whole = false
      end()
      server.close()
      await once(server, 'close')
    },
  }
}
