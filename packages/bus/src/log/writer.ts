/**
 * Makes records of batches and writes them, in order, with a time of writing that never
 * decreases. In come entries and stream frames, out go numbers once they are committed.
 */
import { isTime } from '../event.ts'
import type { Platform } from '../platform.ts'
import type { Term } from '../protocol/frames.ts'
import type { Encoded, ExpectedInLog, Log, OwnBatch, RoomBatch, RoomInput, Writer } from './log.ts'
import { ownBatch, roomBatch } from './record.ts'

export class LogWriter implements Writer {
  readonly #log: Log
  readonly #platform: Platform
  #lastTime = 0
  bytes = 0

  constructor(log: Log, platform: Platform) {
    this.#log = log
    this.#platform = platform
  }

  sawTime(time: number): void {
    // A damaged record may name any time, and it would be that of all records after it.
    if (isTime(time)) this.#lastTime = Math.max(this.#lastTime, time)
  }

  record(entries: readonly Encoded[]): OwnBatch {
    return ownBatch(entries, this.#time())
  }

  write(record: OwnBatch, begun?: () => void): Promise<number> {
    this.bytes += record.headers.length + record.data.length
    return this.#log.append(record, begun)
  }

  writeExpected(
    record: OwnBatch,
    expected: readonly ExpectedInLog[],
    begun?: (revisions: ReadonlyMap<string, number>) => void,
  ): Promise<number> {
    return this.#log.appendExpected(record, expected, (revisions) => {
      this.bytes += record.headers.length + record.data.length
      begun?.(revisions)
    })
  }

  async writeRoom(
    frame: RoomInput,
    data: readonly string[],
    epoch: string,
    term: Term,
  ): Promise<{ number: number; record: RoomBatch }> {
    const record = roomBatch(frame, data, epoch, this.#time())
    this.bytes += record.headers.length + record.data.length
    return { number: await this.#log.appendRoom(record, term), record }
  }

  #time(): number {
    this.#lastTime = Math.max(this.#lastTime, this.#platform.now())
    return this.#lastTime
  }
}
