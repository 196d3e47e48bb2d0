/**
 * Revisions in a log without a room: the events of a stream count as they were written. On a walk
 * through the log, the log is asked once for each stream it comes by, and then counted on.
 */
import type { EventHeader } from '../event.ts'
import type { Log, StoredBatch } from '../log/log.ts'

export class StreamCounts {
  readonly #log: Pick<Log, 'countStreams'>
  /** Events of each stream before the records to come. */
  readonly #counts = new Map<string, number>()

  constructor(log: Pick<Log, 'countStreams'>) {
    this.#log = log
  }

  /**
   * The revisions of the events in neighbouring records, each time those behind the last ones; 0 for
   * an event without a stream, and where its record was trimmed meanwhile.
   */
  async revisionsIn(records: readonly StoredBatch[]): Promise<readonly (readonly number[])[]> {
    const headers = records.flatMap((record) => record.headers)
    const streams = new Set(headers.flatMap(({ stream }) => stream ?? []))
    const unknown = [...streams].filter((stream) => !this.#counts.has(stream))
    if (unknown.length > 0) {
      const counts = await this.#log.countStreams(unknown, (records[0] as StoredBatch).batch)
      for (const [i, count] of (counts ?? []).entries())
        this.#counts.set(unknown[i] as string, count)
    }
    return records.map((record) => record.headers.map((header) => this.#next(header)))
  }

  #next({ stream }: EventHeader): number {
    const count = stream === undefined ? undefined : this.#counts.get(stream)
    if (count === undefined) return 0
    this.#counts.set(stream as string, count + 1)
    return count + 1
  }
}
