/** How much one connection sends: who sends too much is told to wait, and who does not wait goes. */
import { BusError } from '@crosstown/bus/protocol'
import { Bucket } from './bucket.ts'

/**
 * Frames that may come after a first one was refused: what was under way, and not what somebody sends
 * who does not listen. A device has 16 batches under way.
 */
const MAX_REFUSED = 1_000
/** For so long nothing more is taken, so that what was sent behind the refused one is refused as well. */
const MIN_WAIT_MS = 250

export class Pace extends Bucket {
  #closedUntilMs = 0
  #refused = 0

  /**
   * Counts a frame.
   *
   * @returns 0, or in how many milliseconds it may come again
   * @throws {BusError} rate_limited where its sender does not listen
   */
  override take(cost: number, nowMs: number): number {
    if (nowMs >= this.#closedUntilMs) {
      const waitMs = super.take(cost, nowMs)
      if (waitMs === 0) {
        this.#refused = 0
        return 0
      }
      this.#closedUntilMs = nowMs + Math.max(MIN_WAIT_MS, waitMs)
    }
    this.#refused += 1
    if (this.#refused > MAX_REFUSED)
      throw new BusError('rate_limited', 'too many frames after being told to wait')
    return this.#closedUntilMs - nowMs
  }
}
