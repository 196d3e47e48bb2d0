/**
 * What stands between two processes, and may fail as networks do: break all connections and refuse new
 * ones, or take everything and pass nothing on, so that neither side is told.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Where it leads: a port of this machine, or the path of a Unix socket. */
export type Target = number | string

export class CutProxy {
  readonly port: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #target: Target
  #state: 'open' | 'silent' | 'refusing' = 'open'

  static async open(target: Target): Promise<CutProxy> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new CutProxy(server, target)
  }

  private constructor(server: Server, target: Target) {
    this.#server = server
    this.#target = target
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (near) => this.#take(near))
  }

  /** New connections go there from now on. */
  lead(target: Target): void {
    this.#target = target
  }

  /** Whoever is connected stays so, and hears nothing; whoever comes is taken, and hears nothing. */
  silence(): void {
    this.#state = 'silent'
  }

  /** Breaks all connections off, and each new one. */
  refuse(): void {
    this.#state = 'refusing'
    this.#breakOff()
  }

  /** As if nothing had been; connections that were silent break, as they do when one side gave up. */
  heal(): void {
    const wasSilent = this.#state === 'silent'
    this.#state = 'open'
    if (wasSilent) this.#breakOff()
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#breakOff()
    await closed
  }

  #take(near: Socket): void {
    if (this.#state === 'refusing') {
      near.on('error', () => {})
      near.destroy()
      return
    }
    const far =
      typeof this.#target === 'number'
        ? connect(this.#target, '127.0.0.1')
        : connect({ path: this.#target })
    this.#pass(near, far)
    this.#pass(far, near)
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.setNoDelay()
    from.on('data', (bytes: Buffer) => {
      // What comes while it is silent is lost, and so the connection is of no use after.
      if (this.#state !== 'silent' && !to.destroyed) to.write(bytes)
    })
    from.on('error', () => {})
    from.on('close', () => {
      this.#sockets.delete(from)
      if (this.#state !== 'silent') to.destroy()
    })
  }

  #breakOff(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** The same store by way of a proxy; for PostgreSQL the Unix socket in `?host=`. */
export async function proxied(url: string): Promise<{ readonly url: string; proxy: CutProxy }> {
  const through = new URL(url)
  const folder = through.searchParams.get('host')
  const target = folder === null ? Number(through.port) : `${folder}/.s.PGSQL.5432`
  const proxy = await CutProxy.open(target)
  through.searchParams.delete('host')
  through.hostname = '127.0.0.1'
  through.port = String(proxy.port)
  return { url: through.href, proxy }
}
