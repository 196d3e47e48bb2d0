/** The responders of this context, and what they are at. In come requests, out go answers. */
import { BusError, shown, toBusError } from '../errors.ts'
import { type BusEvent, MAX_EVENT_BYTES, utf8Length } from '../event.ts'
import { MAX_MESSAGE_LENGTH } from '../protocol/presence.ts'
import type { Answer, Question, Responder } from './requests.ts'

export interface AnsweringOptions {
  /** By type. */
  readonly responders: ReadonlyMap<string, Responder>
  readonly encode: (
    data: unknown,
    type: string,
  ) => { readonly text: string; readonly encoding?: 'devalue' | undefined }
  /** The event that is asked with; what cannot be read is reported and absent. */
  readonly open: (question: Question) => BusEvent | undefined
  /** Makes what a responder gets beside the event. */
  readonly context: (event: BusEvent, origin: Origin, signal: AbortSignal) => unknown
  readonly timer: (ms: number, run: () => void) => () => void
  readonly report: (error: BusError) => void
}

export type Origin = 'self' | 'device' | 'room'

/** A request that is being answered. */
interface Work {
  from: string
  readonly giveUp: (why: BusError) => void
  /** Whom to tell: it may be asked for again, by who leads now. */
  readonly tell: ((answer: Answer) => void)[]
}

interface Begun {
  readonly from: string
  readonly origin: Origin
  readonly timeoutMs: number
  readonly answered: (answer: Answer) => void
}

/** Answers that are kept, and the characters that one of them may have. */
const MAX_KEPT = 64
const MAX_KEPT_LENGTH = 16_384
/** Requests that one context answers at a time. */
const MAX_WORK = 1_000

export class Answering {
  readonly #options: AnsweringOptions
  readonly #work = new Map<string, Work>()
  /** The last answers. */
  readonly #answers = new Map<string, Answer>()

  constructor(options: AnsweringOptions) {
    this.#options = options
  }

  /** Requests that are being answered. */
  get size(): number {
    return this.#work.size
  }

  /** Answers; what it is at already is answered once, to all who ask. */
  take(
    key: string,
    question: Question,
    from: string,
    origin: Origin,
    timeoutMs: number,
    answered: (answer: Answer) => void,
  ): void {
    const { type } = question.header
    const responder = this.#options.responders.get(type)
    const work = this.#work.get(key)
    const known = this.#answers.get(key)
    if (known) {
      answered(known)
      return
    }
    if (work) {
      work.from = from
      work.tell.push(answered)
    } else if (!responder) answered({ code: 'no_responder', message: `nobody responds to ${type}` })
    else if (this.#work.size >= MAX_WORK)
      answered({ code: 'too_many', message: `${MAX_WORK} requests are being answered` })
    else void this.#begin(key, question, responder, { from, origin, timeoutMs, answered })
  }

  async #begin(
    key: string,
    question: Question,
    responder: Responder,
    { from, origin, timeoutMs, answered }: Begun,
  ): Promise<void> {
    const controller = new AbortController()
    const cancel = this.#options.timer(timeoutMs, () => this.#giveUp(key, 'timeout'))
    const work = { from, tell: [answered], giveUp: (why: BusError) => controller.abort(why) }
    this.#work.set(key, work)
    const answer = await this.#answer(question, responder, origin, controller.signal)
    cancel()
    // Given up: who waits for it all the same asks again.
    if (this.#work.get(key) !== work) return
    this.#keep(key, answer)
    for (const tell of work.tell) tell(answer)
  }

  /** Who asks may ask again, because the answer was lost on its way. */
  #keep(key: string, answer: Answer): void {
    this.#work.delete(key)
    if ('text' in answer && answer.text.length > MAX_KEPT_LENGTH) return
    this.#answers.set(key, answer)
    if (this.#answers.size <= MAX_KEPT) return
    for (const oldest of this.#answers.keys()) {
      this.#answers.delete(oldest)
      break
    }
  }

  async #answer(
    question: Question,
    responder: Responder,
    origin: Origin,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { context, encode, open, report } = this.#options
    const { type, id: eventId } = question.header
    try {
      const event = open(question)
      if (!event) return { code: 'responder_failed', message: 'the request cannot be read' }
      const reply = encode(await responder(event, context(event, origin, signal)), type)
      const bytes = utf8Length(reply.text)
      if (bytes > MAX_EVENT_BYTES)
        throw new BusError('too_large', `a reply has at most ${MAX_EVENT_BYTES} bytes`, about(type))
      return reply
    } catch (error) {
      // Who is not waited for any more may throw because of that.
      if (!signal.aborted) {
        const what = `a responder of ${type} threw`
        report(toBusError(error, 'handler_failed', what, { ...about(type), eventId }))
      }
      return { code: 'responder_failed', message: messageOf(error) }
    }
  }

  /** Nobody waits for this one any more. */
  giveUp(key: string): void {
    this.#giveUp(key, 'aborted')
  }

  #giveUp(key: string, code: 'timeout' | 'aborted'): void {
    const work = this.#work.get(key)
    // One that does not heed its signal is in nobody's way.
    this.#work.delete(key)
    work?.giveUp(new BusError(code, 'nobody waits for the reply any more', { stage: 'request' }))
  }

  /** Gives up what was asked by those who are not there any more. */
  review(isThere: (id: string) => boolean): void {
    for (const [key, { from }] of this.#work) {
      // Of another device its leaders ask, who may change; the relay says when it is gone.
      if (!key.includes('/') && !isThere(from)) this.giveUp(key)
    }
  }

  close(): void {
    for (const key of this.#work.keys()) this.giveUp(key)
  }
}

function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown }
  const text = typeof message === 'string' ? message : shown(error)
  return text.slice(0, MAX_MESSAGE_LENGTH).toWellFormed()
}

function about(eventType: string): { stage: 'request'; eventType: string } {
  return { stage: 'request', eventType }
}
