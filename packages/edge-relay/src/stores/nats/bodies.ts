/** Records of messages that were read or written last: who waits at the head of a room asks for these. */
import type { RoomRecord } from '../../record.ts'
import type { Journal } from './journal.ts'
import type { LogMessage } from './messages.ts'

const MOST_BYTES = 16 * 2 ** 20

export class Bodies {
  readonly #records = new Map<number, readonly RoomRecord[]>()
  #bytes = 0

  keep({ seq, body }: LogMessage): readonly RoomRecord[] {
    const records = body.kind === 'append' ? body.records : []
    const known = this.#records.get(seq)
    if (known) return known
    this.#records.set(seq, records)
    this.#bytes += sizeOf(records)
    for (const [oldest, gone] of this.#records) {
      if (this.#bytes <= MOST_BYTES) break
      this.#records.delete(oldest)
      this.#bytes -= sizeOf(gone)
    }
    return records
  }

  /** The records of a message; `undefined` where it was removed. */
  async of(journal: Journal, seq: number): Promise<readonly RoomRecord[] | undefined> {
    const known = this.#records.get(seq)
    if (known) return known
    const kept = await journal.at(seq)
    const message = kept && (await journal.message(kept))
    return message && this.keep(message)
  }

  clear(): void {
    this.#records.clear()
    this.#bytes = 0
  }
}

/** About what it takes in memory, most of which is texts. */
function sizeOf(records: readonly RoomRecord[]): number {
  return records.reduce((sum, { bytes }) => sum + 2 * bytes + 500, 500)
}
