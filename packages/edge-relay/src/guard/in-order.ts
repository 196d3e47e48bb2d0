/**
 * Answers of one connection, in the order of what was asked. A refusal is known at once, and an ack
 * after its commit: a device that heard of the refusal first would go back behind what is taken, send
 * that again, and where little is allowed never get on.
 */
export class InOrder {
  #asked = 0
  #answered = 0
  /** Answers that wait for those before them; absent where none ever had to. */
  #held: Map<number, () => void> | undefined

  /** Whether something was not answered yet. */
  get pending(): boolean {
    return this.#asked > this.#answered
  }

  /** Answers that are known, and wait for those before them. */
  get held(): number {
    return this.#held?.size ?? 0
  }

  /** Something was asked; what is returned is called once, with what answers it. */
  ask(): (answer: () => void) => void {
    this.#asked += 1
    const number = this.#asked
    return (answer) => {
      if (number !== this.#answered + 1) {
        this.#held ??= new Map()
        this.#held.set(number, answer)
        return
      }
      this.#answered = number
      answer()
      for (;;) {
        const next = this.#held?.get(this.#answered + 1)
        if (!next) return
        this.#answered += 1
        this.#held?.delete(this.#answered)
        next()
      }
    }
  }
}
