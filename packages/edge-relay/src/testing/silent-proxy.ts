/** What stands between a client and its server and may fall silent: no connection breaks, nothing passes. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SilentProxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string
  /** From now on nothing passes, either way; who connects is taken, and hears nothing. */
  silence(): void
  /** Ends what it had, as what stands on the way does when it comes back, and lets new ones pass. */
  heal(): void
  stop(): Promise<void>
}

/** @param url of a TCP server, or as PostgreSQL's with `?host=` the folder of its Unix socket */
export async function silentProxy(url: string): Promise<SilentProxy> {
  const target = new URL(url)
  const folder = target.searchParams.get('host')
  const { hostname, port } = target
  const sockets = new Set<Socket>()
  let silent = false
  const server = createServer((near) => {
    const far = folder ? connect(join(folder, '.s.PGSQL.5432')) : connect(Number(port), hostname)
    const pass = (from: Socket, to: Socket): void => {
      sockets.add(from)
      // What arrives while it is silent is gone.
      from.on('data', (bytes) => void (silent || to.write(bytes)))
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        if (!silent) to.destroy()
      })
    }
    pass(near, far)
    pass(far, near)
  })
  const own = folder && mkdtempSync(join(tmpdir(), 'crosstown-proxy-'))
  if (own) {
    server.listen(join(own, '.s.PGSQL.5432'))
    target.searchParams.set('host', own)
  } else server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  if (!own) target.port = String((server.address() as AddressInfo).port)
  const end = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: target.href,
    silence() {
      silent = true
    },
    heal() {
      silent = false
      end()
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      end()
      await closed
      if (own) rmSync(own, { recursive: true, force: true })
    },
  }
}
