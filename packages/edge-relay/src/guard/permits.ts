/** What one connection publishes, on its way past the hook: in order, however long the hook takes. */
import type { EventHeader } from '@crosstown/bus/protocol'
import type { Identity } from '../auth.ts'
import { type Authorizing, refusedTypes } from '../authorize.ts'
import type { Limits } from '../limits.ts'
import { TooMuch } from './too-much.ts'

/** What waits for the hook, at most, is as much as may wait to be sent. */
const RETRY_AFTER_MS = 1_000

/** Some events that somebody wants to publish. */
export interface Wish {
  readonly identity: Identity
  readonly headers: readonly EventHeader[]
  /** Of the frame that they came in. */
  readonly bytes: number
  /** What the token allows. */
  readonly mayPublish: (type: string) => boolean
  /** Called with what token and hook allow together. */
  readonly go: (mayPublish: (type: string) => boolean) => void
  /** Called with an error of code unavailable or rate_limited, where that cannot be said now. */
  readonly failed: (error: unknown) => void
}

export class Permits {
  readonly #context: Authorizing & { readonly limits: Pick<Limits, 'bufferBytes'> }
  readonly #room: string
  /** Done when all that came before has gone on. */
  #last: Promise<void> | undefined
  #waitingBytes = 0

  constructor(
    context: Authorizing & { readonly limits: Pick<Limits, 'bufferBytes'> },
    room: string,
  ) {
    this.#context = context
    this.#room = room
  }

  /** Asks the hook; where it answers at once and nobody waits, what is wished is done at once. */
  ask(wish: Wish): void {
    const { bytes, failed, go, headers, identity, mayPublish } = wish
    if (!this.#context.authorize) {
      go(mayPublish)
      return
    }
    if (this.#waitingBytes + bytes > this.#context.limits.bufferBytes) {
      failed(new TooMuch('rate_limited', 'too much waits to be authorized', RETRY_AFTER_MS))
      return
    }
    const types = headers.map(({ type }) => type)
    const asked = { identity, room: this.#room }
    const refused = refusedTypes(this.#context, asked, types, mayPublish)
    const proceed = (refused: ReadonlySet<string>): void =>
      go(refused.size === 0 ? mayPublish : (type) => !refused.has(type) && mayPublish(type))
    if (this.#last || refused instanceof Promise) this.#queue(refused, bytes, proceed, failed)
    else proceed(refused)
  }

  #queue(
    refused: ReadonlySet<string> | Promise<ReadonlySet<string>>,
    bytes: number,
    proceed: (refused: ReadonlySet<string>) => void,
    failed: (error: unknown) => void,
  ): void {
    this.#waitingBytes += bytes
    const turn = Promise.allSettled([refused, this.#last]).then(([answer]) => {
      this.#waitingBytes -= bytes
      if (this.#last === turn) this.#last = undefined
      if (answer.status === 'fulfilled') proceed(answer.value)
      else failed(answer.reason)
    })
    this.#last = turn
  }
}
