/**
 * The way to relays that come and go: one address that stays, behind which each relay has a port of its
 * own. What passes is looked at before it is handed on, so that a relay can be killed at a byte.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** What passes a gate. */
export interface Passing {
  /** From devices to the relay. */
  up(chunk: Buffer): void
  /** From the relay to devices. */
  down(chunk: Buffer): void
}

/** A door that stays while relays come and go behind it. */
export class Gate {
  readonly url: string
  readonly #server: Server
  readonly #passing: Passing
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #port: number | undefined
  #turn: Promise<void> = Promise.resolve()
  #held = false

  static async open(passing: Passing): Promise<Gate> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Gate(server, passing)
  }

  private constructor(server: Server, passing: Passing) {
    this.#server = server
    this.#passing = passing
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', (device) => this.#take(device))
  }

  /** New connections go to this relay from now on. */
  lead(url: string): void {
    this.#port = Number(new URL(url).port)
  }

  /** Breaks off all connections: what a device was not handed yet it never gets. */
  cut(): void {
    this.#port = undefined
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy()
  }

  /** From when this resolves nothing reaches the relay, and nobody comes, until it is called. */
  async hold(): Promise<() => void> {
    const coming = this.#turn
    let release = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    this.#turn = coming.then(() => released)
    // Who is about to come is let in.
    await coming
    this.#held = true
    for (const [device] of this.#pairs) device.pause()
    return () => {
      this.#held = false
      for (const [device] of this.#pairs) device.resume()
      release()
    }
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }

  /** One after the other: workerd does not put a room out of memory that several opened at once. */
  #take(device: Socket): void {
    device.on('error', () => {})
    this.#turn = this.#turn.then(() => this.#connect(device))
  }

  /** Resolves when the relay has answered, or nobody waits for that any more. */
  #connect(device: Socket): Promise<void> {
    if (this.#port === undefined || device.destroyed) {
      device.destroy()
      return Promise.resolve()
    }
    const relay = connect(this.#port, '127.0.0.1')
    const pair = [device, relay] as const
    this.#pairs.add(pair)
    device.setNoDelay()
    relay.setNoDelay()
    device.once('data', (request: Buffer) => {
      relay.write(withoutExtensions(request))
      this.#pass(device, relay, (chunk) => this.#passing.up(chunk))
    })
    this.#pass(relay, device, (chunk) => this.#passing.down(chunk))
    return new Promise((resolve) => {
      const end = (): void => {
        this.#pairs.delete(pair)
        device.destroy()
        relay.destroy()
        resolve()
      }
      for (const socket of pair) socket.on('close', end).on('error', end)
      relay.once('data', () => resolve())
    })
  }

  #pass(from: Socket, to: Socket, look: (chunk: Buffer) => void): void {
    from.on('data', (chunk: Buffer) => {
      look(chunk)
      if (!to.destroyed && !to.write(chunk)) {
        from.pause()
        to.once('drain', () => this.#held || from.resume())
      }
    })
  }
}

/** Without compression frames pass as they are, so that they can be told apart. */
function withoutExtensions(request: Buffer): string {
  return request.toString('latin1').replace(/^sec-websocket-extensions:.*\r\n/im, '')
}
