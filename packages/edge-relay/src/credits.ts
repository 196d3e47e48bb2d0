/** What of a socket is still on its way, by what its device says it took. */
import { utf8Length } from '@crosstown/bus/protocol'
import type { SocketCredits } from './socket.ts'

/** Heartbeats are not counted: a runtime may send them by itself. */
const HEARTBEAT = '{"frame":"heartbeat"'

/** A broadcast hands the same text to many sockets, one after the other. */
let last = { text: '', bytes: 0 }

export class CreditMeter implements SocketCredits {
  #sent: number
  #taken: number

  /** @param counts of a meter that was there before */
  constructor([sent, taken]: readonly [sent: number, taken: number] = [0, 0]) {
    this.#sent = sent
    this.#taken = taken
  }

  get counts(): readonly [sent: number, taken: number] {
    return [this.#sent, this.#taken]
  }

  /** Bytes that were sent and not taken. */
  get outstanding(): number {
    return this.#sent - this.#taken
  }

  begin(): void {
    this.#sent = 0
    this.#taken = 0
  }

  sent(text: string): void {
    if (text.startsWith(HEARTBEAT)) return
    if (last.text !== text) last = { text, bytes: utf8Length(text) }
    this.#sent += last.bytes
  }

  took(bytes: number): void {
    // Whoever says more than it can have taken gains nothing by it.
    this.#taken = Math.max(this.#taken, Math.min(bytes, this.#sent))
  }
}
