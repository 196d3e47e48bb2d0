/** `GET /health`: the process answers. `GET /ready`: it may be sent devices. */
import { BusError } from '@crosstown/bus/protocol'
import type { Context } from 'hono'
import type { Platform } from '../platform.ts'
import type { Store } from '../stores/store.ts'

/** How long the store has to answer. */
const STORE_MS = 2_000

/** For so long an answer of the store holds: anybody may ask, and nobody is counted. */
const HOLDS_MS = 1_000

/** Whether the store answers. */
export class Readiness {
  readonly #store: Store
  readonly #platform: Platform
  #answer: Promise<boolean> | undefined
  #askedMs = 0

  constructor(store: Store, platform: Platform) {
    this.#store = store
    this.#platform = platform
  }

  /** Says whether the relay may be sent devices. @throws {BusError} going_away, unavailable */
  async answer(c: Context, draining: boolean): Promise<Response> {
    c.header('Cache-Control', 'no-store')
    if (draining) throw new BusError('going_away', 'the relay sends its devices away')
    if (!(await this.#storeAnswers()))
      throw new BusError('unavailable', 'the store does not answer')
    return c.json({ status: 'ready' })
  }

  #storeAnswers(): Promise<boolean> {
    const nowMs = this.#platform.monotonic()
    if (!this.#answer || nowMs - this.#askedMs >= HOLDS_MS) {
      this.#askedMs = nowMs
      this.#answer = within(this.#platform, STORE_MS, this.#store.rooms('', 1))
    }
    return this.#answer
  }
}

/** Whether something is done, and went well, in so many milliseconds. */
async function within(platform: Platform, ms: number, what: Promise<unknown>): Promise<boolean> {
  let stop = (): void => {}
  const over = new Promise<boolean>((resolve) => {
    stop = platform.every(ms, () => resolve(false))
  })
  const done = what.then(
    () => true,
    () => false,
  )
  const answered = await Promise.race([done, over])
  stop()
  return answered
}
