import { BusError } from '@crosstown/bus/protocol'

/** Too much of something, for so long: the answer says when to come again. */
export class TooMuch extends BusError {
  readonly retryAfterMs: number

  constructor(code: 'rate_limited' | 'unavailable', message: string, retryAfterMs: number) {
    super(code, message)
    this.retryAfterMs = retryAfterMs
  }
}
