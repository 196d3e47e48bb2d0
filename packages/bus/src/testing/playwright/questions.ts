/** Questions to taps, and their answers: each goes through a pipe that is there. */
import {
  type AnswerFrame,
  type Answers,
  type Ask,
  INSPECT_VERSION,
  type PeerId,
} from '../../inspect/frames.ts'
import type { Platform } from '../../platform.ts'

/** A pipe: the frame of a page. */
export interface Carrier {
  /** Posts texts on the inspect channel. Whether that was done; never rejects. */
  send(texts: readonly string[]): Promise<boolean>
}

/** Who is asked, and through which pipes it was heard, the last one last. */
export interface Asked {
  readonly id: PeerId
  readonly carriers: Set<Carrier>
}

interface Question {
  through: Carrier | undefined
  answered(frame: AnswerFrame): void
}

/** How long a peer may take to answer. */
const ANSWER_MS = 5_000

export class Questions {
  readonly #session: string
  readonly #clock: Pick<Platform, 'timer'>
  readonly #open = new Map<number, Question>()
  readonly #outgoing = new Map<Carrier, string[]>()
  readonly #sending = new Map<Carrier, Promise<boolean>>()
  #asked = 0

  constructor(session: string, clock: Pick<Platform, 'timer'>) {
    this.#session = session
    this.#clock = clock
  }

  /**
   * Asks through the pipe that the peer was heard through last, or the one before.
   *
   * @param before a frame that goes ahead; then only an answer through the same pipe counts
   */
  async ask<What extends Ask['what']>(
    peer: Asked,
    ask: Extract<Ask, { what: What }>,
    before?: object,
  ): Promise<Answers[What]> {
    const id = ++this.#asked
    const frame = { frame: 'ask', to: peer.id, id, ask }
    const texts = (before ? [before, frame] : [frame]).map((one) => this.#text(one))
    const { promise, resolve, reject } = Promise.withResolvers<Answers[What]>()
    // It may be rejected while it is on its way.
    promise.catch(ignore)
    const late = (): void => reject(new Error(`${ask.what}: no answer`))
    const cancel = this.#clock.timer(ANSWER_MS, late)
    const question: Question = {
      through: undefined,
      answered({ error, result }) {
        if (error) reject(new Error(`${error.code}: ${error.message}`))
        else resolve(result as Answers[What])
      },
    }
    this.#open.set(id, question)
    try {
      for (const carrier of [...peer.carriers].reverse()) {
        if (before) question.through = carrier
        if (await this.#send(carrier, texts)) return await promise
        peer.carriers.delete(carrier)
      }
      throw new Error('nobody is there to be asked')
    } finally {
      cancel()
      this.#open.delete(id)
    }
  }

  /** What is to be sent in one turn goes in one call. */
  #send(carrier: Carrier, texts: readonly string[]): Promise<boolean> {
    const waiting = this.#outgoing.get(carrier)
    waiting?.push(...texts)
    const sending = this.#sending.get(carrier)
    if (sending) return sending
    this.#outgoing.set(carrier, [...texts])
    const sent = Promise.resolve().then(() => {
      const all = this.#outgoing.get(carrier) ?? []
      this.#outgoing.delete(carrier)
      this.#sending.delete(carrier)
      return carrier.send(all)
    })
    this.#sending.set(carrier, sent)
    return sent
  }

  #text(frame: object): string {
    return JSON.stringify({ inspect: INSPECT_VERSION, session: this.#session, ...frame })
  }

  answered(carrier: Carrier, frame: AnswerFrame): void {
    if (frame.session !== this.#session) return
    const question = this.#open.get(frame.id)
    if (!question || (question.through && question.through !== carrier)) return
    question.answered(frame)
  }
}

function ignore(): undefined {}
