/** The Socket port on a Durable Object's WebSockets, which outlive the object. */
import type { CreditMeter } from '../credits.ts'
import type { Socket, SocketEvents } from '../socket.ts'
import type { Kept } from './durable-attachments.ts'

/** What a socket needs of the object that has it. */
export interface SocketOwner {
  /** When the runtime last answered a ping on it by itself. */
  readonly pingedMs: (socket: WebSocket) => number | undefined
  /** What is to be kept of it is another now. */
  readonly changed: (socket: DurableSocket) => void
  /** The relay closed it. */
  readonly closed: (socket: WebSocket) => void
}

export class DurableSocket implements Socket {
  readonly ws: WebSocket
  readonly credits: CreditMeter | undefined
  events: SocketEvents | undefined
  readonly #owner: SocketOwner

  /** @param credits what is known of it; nothing where it is asked for none */
  constructor(ws: WebSocket, owner: SocketOwner, credits: CreditMeter | undefined) {
    this.ws = ws
    this.credits = credits
    this.#owner = owner
  }

  /** The runtime keeps what it was handed and does not tell how much that is: devices do. */
  get bufferedAmount(): number {
    return this.credits?.outstanding ?? 0
  }

  get pingedMs(): number | undefined {
    return this.#owner.pingedMs(this.ws)
  }

  /** What to go on from; nothing for one that ends with this object. */
  get kept(): Kept | undefined {
    const snapshot = this.events?.snapshot
    return snapshot && this.credits && { snapshot, credits: this.credits.counts }
  }

  send(text: string): void {
    this.credits?.sent(text)
    try {
      this.ws.send(text)
    } catch {
      // It is closed already; that is told, too.
    }
    this.#owner.changed(this)
  }

  close(code: number, reason: string): void {
    closeSocket(this.ws, code, reason)
    this.#owner.closed(this.ws)
  }
}

export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  try {
    socket.close(code, reason)
  } catch {
    // It is closed already, or by a code that one must not answer with.
  }
}
