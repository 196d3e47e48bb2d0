/**
 * Dead letters that are given to their consumer once more, one after the other, while it has its
 * turn. Until one is handled it stays a dead letter: whatever kills this context, it can be found.
 */
import type { Log } from '../log/log.ts'
import type { LetterText } from './consume.ts'
import { readLetter } from './dead-letters.ts'
import { type Outcome, type Rules, verdictOf } from './settlement.ts'

export interface RedriveOptions {
  readonly name: string
  readonly log: Pick<Log, 'deadLetters' | 'changeDead'>
  readonly rules: Rules
  readonly now: () => number
  readonly timer: (ms: number, run: () => void) => () => void
  /** Gives the event to the handler, for the so-manieth time since it was redriven. */
  readonly call: (letter: LetterText, attempt: number) => Promise<Outcome>
  readonly over: () => boolean
  readonly report: (error: unknown) => void
}

interface Waiting {
  readonly id: number
  readonly letter: LetterText
  attempts: number
  due: number
}

export class Redrive {
  readonly #options: RedriveOptions
  #waiting: Waiting[] = []
  #running = false
  #again = false
  #cancel: (() => void) | undefined

  constructor(options: RedriveOptions) {
    this.#options = options
  }

  /** There may be letters to give again. */
  wake(): void {
    this.#again = true
    if (!this.#running) void this.#run()
  }

  end(): void {
    this.#cancel?.()
    this.#waiting = []
  }

  async #run(): Promise<void> {
    const { now, over, report, timer } = this.#options
    this.#running = true
    this.#cancel?.()
    try {
      while (!over()) {
        if (this.#again) await this.#gather()
        const due = this.#waiting.findIndex((one) => one.due <= now())
        if (due < 0) break
        await this.#give(this.#waiting.splice(due, 1)[0] as Waiting)
      }
    } catch (error) {
      report(error)
    }
    this.#running = false
    const next = Math.min(...this.#waiting.map(({ due }) => due))
    if (over() || next === Number.POSITIVE_INFINITY) return
    this.#cancel = timer(Math.max(0, next - now()), () => this.wake())
  }

  async #gather(): Promise<void> {
    this.#again = false
    const { name, log } = this.#options
    const changes = new Map<number, string>()
    const found: Waiting[] = []
    for (const { id, consumer, text } of await log.deadLetters()) {
      const letter = consumer === name ? readLetter(text) : undefined
      if (!letter?.redriven) continue
      const { redriven: _, ...rest } = letter
      changes.set(id, JSON.stringify(rest))
      found.push({ id, letter: rest, attempts: 0, due: 0 })
    }
    if (changes.size === 0) return
    // Before they are given: one that kills this context is not given again by itself.
    const there = new Set(await log.changeDead(changes))
    this.#waiting.push(...found.filter(({ id }) => there.has(id)))
  }

  async #give(one: Waiting): Promise<void> {
    const { call, rules, now, log, over } = this.#options
    one.attempts += 1
    const outcome = await call(one.letter, one.attempts)
    if (over()) return
    const verdict = verdictOf(rules, one.attempts, outcome)
    if (verdict.next === 'again') {
      one.due = now() + verdict.delayMs
      if (!verdict.counts) one.attempts -= 1
      this.#waiting.push(one)
      return
    }
    const { reason, detail } = verdict.next === 'dead' ? verdict : {}
    const attempts = one.letter.attempts + one.attempts
    const text = reason && JSON.stringify({ ...one.letter, reason, detail, attempts, time: now() })
    await log.changeDead(new Map([[one.id, text]]))
  }
}
