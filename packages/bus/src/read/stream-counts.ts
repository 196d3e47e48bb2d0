/**
 * Revisions in a log without a room: the events of a stream count as they were written. On a walk
 * through the log, the log is asked once for each stream of which an event is wanted, and then
 * counted on.
 */
import { type EventHeader, offsetOf } from '../event.ts'
import type { Log, StoredBatch } from '../log/log.ts'

/** Whether an event is wanted. */
type Wanted = (header: EventHeader, offset: number) => boolean

/** What of a header counts. */
export type StreamHeader = Pick<EventHeader, 'type' | 'stream'>

/** Streams counted on at most; past it, the log is asked anew. */
const MAX_STREAMS = 10_000

export class StreamCounts {
  readonly #log: Pick<Log, 'countStreams'>
  /** Events of each stream in the records up to number `#through`. */
  readonly #counts = new Map<string, number>()
  #through = 0

  constructor(log: Pick<Log, 'countStreams'>) {
    this.#log = log
  }

  /**
   * The revisions of the wanted events in neighbouring records; 0 for one without a stream, and where
   * its record was trimmed meanwhile.
   */
  async revisionsIn(
    records: readonly StoredBatch[],
    wanted: Wanted,
  ): Promise<readonly (readonly number[])[]> {
    const revisions: number[][] = []
    for (let from = 0; from < records.length; ) {
      // How many events one that cannot be read has, the log knows.
      const damaged = records.findIndex((record, i) => i >= from && record.damaged)
      const end = damaged < 0 ? records.length : damaged + 1
      const part = records.slice(from, end)
      await this.#count(part, wanted)
      for (const { headers } of part) revisions.push(headers.map((header) => this.#next(header)))
      this.#through = (part.at(-1) as StoredBatch).batch
      if (damaged >= 0) this.#counts.clear()
      from = end
    }
    return revisions
  }

  /**
   * The revisions of all events in a record that was written here and comes next; `undefined` where
   * the log has to be asked for a wanted one.
   */
  revisionsNext(
    batch: number,
    headers: readonly StreamHeader[],
    wanted: (header: StreamHeader) => boolean,
  ): readonly number[] | undefined {
    const known = batch === this.#through + 1
    const has = ({ stream }: StreamHeader): boolean =>
      stream === undefined || (known && this.#counts.has(stream))
    if (!headers.every((header) => has(header) || !wanted(header))) return undefined
    if (!known) this.#counts.clear()
    this.#through = batch
    return headers.map((header) => this.#next(header))
  }

  /** Asks the log for what is wanted of these records and not counted yet. */
  async #count(records: readonly StoredBatch[], wanted: Wanted): Promise<void> {
    const { batch: first } = records[0] as StoredBatch
    // What was trimmed meanwhile comes by here in no record.
    if (first !== this.#through + 1 || this.#counts.size > MAX_STREAMS) this.#counts.clear()
    const unknown = new Set<string>()
    for (const { batch, headers } of records) {
      headers.forEach((header, index) => {
        const { stream } = header
        if (stream === undefined || this.#counts.has(stream) || unknown.has(stream)) return
        if (wanted(header, offsetOf(batch, index))) unknown.add(stream)
      })
    }
    if (unknown.size === 0) return
    const names = [...unknown]
    const counts = await this.#log.countStreams(names, first)
    for (const [i, count] of (counts ?? []).entries()) this.#counts.set(names[i] as string, count)
  }

  #next({ stream }: StreamHeader): number {
    const count = stream === undefined ? undefined : this.#counts.get(stream)
    if (count === undefined) return 0
    this.#counts.set(stream as string, count + 1)
    return count + 1
  }
}
