/** What a device took of one connection, told to a relay that asks for it. */
import { utf8Length } from '../event.ts'
import type { RelayFrame } from './frames.ts'

export class Credits {
  #every: number | undefined
  #taken = 0
  #told = 0

  /** A frame came, as this text: what is to be said of it when it is dealt with, if it is time. */
  took(frame: RelayFrame, text: string): number | undefined {
    if (frame.frame === 'welcome') this.#every = frame.limits.creditBytes
    else if (this.#every !== undefined && frame.frame !== 'heartbeat') {
      this.#taken += utf8Length(text)
      if (this.#taken - this.#told >= this.#every) {
        this.#told = this.#taken
        return this.#told
      }
    }
    return undefined
  }
}
