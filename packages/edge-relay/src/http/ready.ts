/** `GET /health`: the process answers. `GET /ready`: it may be sent devices. */
import type { Context } from 'hono'
import type { Platform } from '../platform.ts'
import type { Store } from '../stores/store.ts'
import { type EngineAnswer, NotReady } from './errors.ts'

/** How long the store has to answer. */
const STORE_MS = 2_000

/** For so long an answer of the store holds: anybody may ask, and nobody is counted. */
const HOLDS_MS = 1_000

/** Anybody may ask: where the engine is, and what it said, is for the log. */
const AWAY =
  'the engine of the store cannot be reached; the relay tries again by itself, and its log says why'

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
    const engine = engineAnswer(this.#store)
    if (draining) throw new NotReady('going_away', 'the relay sends its devices away', engine)
    if (engine && engine.state !== 'online') throw new NotReady('unavailable', AWAY, engine)
    if (!(await this.#storeAnswers()))
      throw new NotReady('unavailable', 'the store does not answer', engine)
    return c.json({ status: 'ready', ...(engine && { engine }) })
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

function engineAnswer({ connection, durability }: Store): EngineAnswer | undefined {
  if (!connection) return undefined
  const { kind, state, since } = connection.get()
  // What it will be is not known before.
  const known = state === 'online' && { durability }
  return { kind, state, since: new Date(since).toISOString(), ...known }
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
