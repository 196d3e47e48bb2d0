/** The cursor of a consumer in its log, written by whoever has its turn. */
import type { DeadText } from '../log/consumers.ts'
import type { Log } from '../log/log.ts'
import { type Kept, readKept } from './cursor.ts'

/** Where a consumer's cursor is kept. */
export interface CursorStore {
  /** Takes the turn after the last one that was taken: what there is, or what `begin` says. */
  take(begin: () => Promise<Kept>): Promise<Kept>
  /** @returns how many dead letters went to make room; `undefined` if another turn was taken since */
  write(kept: Kept, dead: readonly DeadText[]): Promise<number | undefined>
}

export class LogCursor implements CursorStore {
  readonly #log: Log
  readonly #name: string
  #generation = 0

  constructor(log: Log, name: string) {
    this.#log = log
    this.#name = name
  }

  async take(begin: () => Promise<Kept>): Promise<Kept> {
    for (;;) {
      const row = await this.#log.consumer(this.#name)
      const kept = (row && readKept(row.state)) ?? (await begin())
      const expected = row?.generation ?? 0
      this.#generation = expected + 1
      // Another one may have been faster: the browser passes a lock on before it ends a write.
      if ((await this.#write(kept, [], expected)) !== undefined) return kept
    }
  }

  write(kept: Kept, dead: readonly DeadText[]): Promise<number | undefined> {
    return this.#write(kept, dead, this.#generation)
  }

  #write(kept: Kept, dead: readonly DeadText[], expected: number): Promise<number | undefined> {
    return this.#log.writeConsumer({
      name: this.#name,
      generation: this.#generation,
      state: JSON.stringify(kept),
      expected,
      dead,
    })
  }
}
