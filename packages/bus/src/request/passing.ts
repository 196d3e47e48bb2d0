/**
 * What whoever leads passes on from its device to the relay, and has not had an answer to. It stays
 * until then: on every new connection it is asked again, and the relay knows it by its id.
 */
import type { Platform } from '../platform.ts'
import type { Answer, Question, RequestEvents } from './requests.ts'

/** A request of this device for the room. */
interface Passed {
  readonly question: Question
  /** The context that asks. */
  readonly from: string
  readonly endsAt: number
  readonly answer: (answer: Answer) => void
  readonly cancel: () => void
  sent: boolean
}

/** How long the relay is to wait for those who respond, after it was away: they come back as we do. */
const BACK_MS = 5_000

export class Passing {
  readonly #platform: Platform
  readonly #events: Pick<RequestEvents, 'send'>
  readonly #most: number
  readonly #passed = new Map<string, Passed>()
  #wasOnline = false
  #backUntil = 0

  constructor(platform: Platform, events: Pick<RequestEvents, 'send'>, most: number) {
    this.#platform = platform
    this.#events = events
    this.#most = most
  }

  get size(): number {
    return this.#passed.size
  }

  take(
    question: Question,
    from: string,
    timeoutMs: number,
    answer: (answer: Answer) => void,
  ): void {
    const { id } = question.header
    if (this.#passed.get(id)?.from === from) return
    if (this.#passed.size >= this.#most) {
      answer({ code: 'too_many', message: `${this.#most} requests wait for the room` })
      return
    }
    const endsAt = this.#platform.monotonic() + timeoutMs
    const cancel = this.#platform.timer(timeoutMs, () => this.#drop(id))
    const one: Passed = { question, from, endsAt, answer, cancel, sent: false }
    this.#passed.set(id, one)
    this.#send(one)
  }

  /** The relay answers. */
  answered(id: string, answer: Answer): void {
    const one = this.#passed.get(id)
    this.#drop(id)
    one?.answer(answer)
  }

  /** Whoever asks waits no more. */
  waived(id: string, from: string): void {
    const one = this.#passed.get(id)
    if (one?.from !== from) return
    this.#drop(id)
    if (one.sent) this.#events.send({ frame: 'cancel', id })
  }

  review(isThere: (id: string) => boolean): void {
    for (const [id, { from }] of this.#passed) if (!isThere(from)) this.waived(id, from)
  }

  online(online: boolean): void {
    if (!online) return
    if (this.#wasOnline) this.#backUntil = this.#platform.monotonic() + BACK_MS
    this.#wasOnline = true
    for (const one of this.#passed.values()) this.#send(one)
  }

  clear(): void {
    for (const id of this.#passed.keys()) this.#drop(id)
  }

  #drop(id: string): void {
    this.#passed.get(id)?.cancel()
    this.#passed.delete(id)
  }

  #send(one: Passed): void {
    const { question, endsAt } = one
    const now = this.#platform.monotonic()
    const timeoutMs = Math.max(0, endsAt - now)
    const waitMs = one.sent ? BACK_MS : Math.max(0, this.#backUntil - now)
    const { header, dataText } = question
    const frame = { frame: 'request', events: [header], timeoutMs } as const
    const sent = this.#events.send(waitMs > 0 ? { ...frame, waitMs } : frame, [dataText])
    one.sent ||= sent
  }
}
