/**
 * The data of recorded events, of whoever has it. It is asked for when an event comes, while it may
 * still be had, unless too many come at once: then when somebody looks at them.
 */
import { decodeValue } from '../../codec/codec.ts'
import type { InspectedEvent } from '../../inspect/frames.ts'
import type { Asked, Questions } from './questions.ts'
import type { TestSession } from './session.ts'

/** An event whose data is asked for. */
export interface Payload {
  readonly event: InspectedEvent
  data: unknown
  /** Absent until it is asked for, and where nobody had it. */
  loading?: Promise<void> | undefined
  /** How often nobody had it. */
  failures: number
}

/** Events whose data is asked for at once. */
const AT_ONCE = 64
/** So many may wait; the others wait for somebody to look at them. */
const EAGER = 500
/** How often the data of an event is asked for. */
const TRIES = 3

export class Payloads<One extends Payload> {
  readonly #questions: Questions
  readonly #written: TestSession
  /** Who may have it, the likeliest first. */
  readonly #owners: (one: One) => Iterable<Asked>
  readonly #waiting: (() => void)[] = []
  #asking = 0

  constructor(questions: Questions, written: TestSession, owners: (one: One) => Iterable<Asked>) {
    this.#questions = questions
    this.#written = written
    this.#owners = owners
  }

  /** An event came. */
  came(one: One): void {
    if (this.#waiting.length < EAGER) void this.#load(one)
  }

  /** Resolves when each of them has its data, or nobody has it. */
  async of(events: readonly One[]): Promise<void> {
    await Promise.all(events.map((one) => this.#load(one)))
  }

  #load(one: One): Promise<void> | undefined {
    if (one.failures < TRIES) one.loading ??= this.#inTurn(one)
    return one.loading
  }

  async #inTurn(one: One): Promise<void> {
    if (this.#asking >= AT_ONCE)
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    else this.#asking += 1
    if (!(await this.#find(one))) {
      one.failures += 1
      one.loading = undefined
    }
    const next = this.#waiting.shift()
    if (next) next()
    else this.#asking -= 1
  }

  /** Whether somebody had it. */
  async #find(one: One): Promise<boolean> {
    const { id, type } = one.event
    for (const owner of this.#owners(one)) {
      try {
        const { text, encoding } = await this.#questions.ask(owner, { what: 'text', event: id })
        one.data = text === undefined ? undefined : decodeValue(text, encoding, { type, id })
        const written = { ...(text !== undefined && { text }), ...(encoding && { encoding }) }
        this.#written.payload(owner.id, id, one.data, written)
        return true
      } catch {
        // The next one may have it.
      }
    }
    return false
  }
}
