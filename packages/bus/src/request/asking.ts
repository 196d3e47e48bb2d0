/**
 * One request on its way: whom it was given to, who failed, and when nobody is left. Of each device
 * one context is asked; when that is gone the next one is. Whoever replies first ends it.
 */
import type { Asked } from '../sync/sync.ts'
import type { Answer, Question } from './requests.ts'

/** How far a request goes: to this context, this device, whoever is linked with it, or the room, too. */
export type Reach = 'context' | 'own' | 'device' | 'room'

export interface AskingOptions {
  readonly key: string
  readonly question: Question
  readonly reach: Reach
  /** By the clock that never goes back. */
  readonly endsAt: number
  /** Whether a context is one to be asked. */
  readonly isFor: (context: Asked) => boolean
  /** Whether it waits for somebody to come who can be asked. */
  readonly patient?: boolean
  /** Whether somebody who leads, and has the way to the room, will come where there is nobody. */
  readonly hasRelay: boolean
  /** Asks a context. */
  readonly ask: (asking: Asking, to: string) => void
  /** Gives it to who leads, for the room. */
  readonly askRoom: (asking: Asking, leader: string) => void
  /** It is over. */
  readonly done: (answer: Answer) => void
}

export class Asking {
  readonly options: AskingOptions
  /** Contexts that are at it. */
  readonly #asked = new Set<string>()
  /** Contexts that failed: their device was asked. */
  readonly #failed = new Set<string>()
  /** Contexts that do not respond after all. */
  readonly #declined = new Set<string>()
  /** The leader that it was given to for the room. */
  #givenTo: string | undefined
  #roomIsOver: boolean
  #failure: Answer | undefined
  #over = false

  constructor(options: AskingOptions) {
    this.options = options
    this.#roomIsOver = options.reach !== 'room'
  }

  /** Whether somebody may still be at it. */
  get isOut(): boolean {
    return this.#asked.size > 0 || (this.#givenTo !== undefined && !this.#roomIsOver)
  }

  /** What it waits for, in words. */
  get waitsFor(): string {
    if (this.#asked.size > 0) return 'who responds to it'
    return this.#givenTo === undefined ? 'whoever leads this device' : 'the room'
  }

  /** Asks whom there is to ask; `settled` where whoever is there is known. */
  review(contexts: readonly Asked[], settled: boolean): void {
    const { isFor, reach, ask, askRoom } = this.options
    const there = new Set(contexts.map(({ id }) => id))
    for (const id of this.#asked) if (!there.has(id)) this.#asked.delete(id)
    const devices = Map.groupBy(contexts.filter(isFor), ({ device }) => device)
    for (const [device, those] of devices) {
      if (device !== undefined && reach === 'own') continue
      if (those.some(({ id }) => this.#asked.has(id) || this.#failed.has(id))) continue
      const next = those.find(({ id }) => !this.#declined.has(id))
      if (!next) continue
      this.#asked.add(next.id)
      ask(this, next.id)
      if (this.#over) return
    }
    const leader = contexts.find((one) => one.device === undefined && one.leader)?.id
    if (!this.#roomIsOver && leader !== undefined && leader !== this.#givenTo) {
      this.#givenTo = leader
      askRoom(this, leader)
    }
    if (settled && leader === undefined && !this.options.hasRelay) this.#roomIsOver = true
    this.#conclude(settled)
  }

  /** Asks once more those who have not answered: they may not have heard it, or not been heard. */
  again(): void {
    const { ask, askRoom } = this.options
    for (const id of [...this.#asked]) ask(this, id)
    if (this.#givenTo !== undefined && !this.#roomIsOver) askRoom(this, this.#givenTo)
  }

  /** A context answers. */
  answered(from: string, answer: Answer): void {
    if (this.#over || !this.#asked.delete(from)) return
    if ('text' in answer) this.end(answer)
    else if (answer.code === 'no_responder') this.#declined.add(from)
    else {
      this.#failed.add(from)
      this.#failure ??= answer
    }
  }

  /** The room answers. */
  roomAnswered(answer: Answer): void {
    if (this.#over || this.#roomIsOver) return
    this.#roomIsOver = true
    if ('text' in answer) this.end(answer)
    else if (answer.code !== 'no_responder') this.#failure ??= answer
  }

  #conclude(settled: boolean): void {
    if (this.#over || this.#asked.size > 0 || !this.#roomIsOver) return
    const { type } = this.options.question.header
    // Who failed was there: whether others are is not waited for.
    if (this.#failure) this.end(this.#failure)
    else if (settled && !this.options.patient)
      this.end({ code: 'no_responder', message: `nobody responds to ${type}` })
  }

  end(answer: Answer): void {
    if (this.#over) return
    this.#over = true
    this.options.done(answer)
  }
}
