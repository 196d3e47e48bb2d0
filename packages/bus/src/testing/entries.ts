import type { Batch, Entry } from '../batch/batch.ts'
import { Composer } from '../batch/composer.ts'
import { createTicket } from '../batch/ticket.ts'
import { encodeValue } from '../codec/codec.ts'
import type { BusError } from '../errors.ts'
import { type BusEvent, parseId } from '../event.ts'
import type { OwnBatch } from '../log/log.ts'
import type { InLog } from '../protocol/peer-frames.ts'
import type { PublishOptions } from '../types.ts'
import { VirtualPlatform } from './virtual-platform.ts'

/** An entry as the pipeline gets it, and the promise of whoever published it. */
export interface MadeEntry {
  readonly entry: Entry
  readonly promise: Promise<BusEvent>
}

/** Makes entries without a bus, by the real composer and tickets. */
export class EntryMaker {
  readonly platform: VirtualPlatform
  readonly composer: Composer
  /** Rejections that nobody awaited; told once the platform's clock moves. */
  readonly reported: BusError[] = []

  constructor({ hasLog = true, seed = 1 }: { hasLog?: boolean; seed?: number } = {}) {
    this.platform = new VirtualPlatform({ seed })
    this.composer = new Composer({
      source: 'test',
      platform: this.platform,
      encode: encodeValue,
      hasLog,
    })
  }

  make(type: string, data?: unknown, options: PublishOptions = {}): MadeEntry {
    const { until = 'logged', signal, ...rest } = options
    const made = createTicket<BusEvent>({
      until,
      signal,
      value: () => entry.event,
      later: (run) => this.platform.timer(0, run),
      report: (error) => this.reported.push(error),
    })
    const plan = this.composer.plan(type, rest)
    const entry = this.composer.compose(type, data, rest, plan, made.ticket)
    return { entry, promise: made.promise }
  }

  entry(type: string, data?: unknown, options?: PublishOptions): Entry {
    return this.make(type, data, options).entry
  }

  /** Entries of one type, without data. */
  entries(count: number, type = 'a'): Entry[] {
    return Array.from({ length: count }, () => this.entry(type))
  }
}

/** What the others are told of a batch that is in the log as record `number`. */
export function inLogOf({ persisted }: Batch, number: number, record: OwnBatch): InLog {
  const { roomEvents, time, headers, data, lastId } = record
  const [first, last] = [persisted[0]?.event.id ?? '', lastId].map((id) => parseId(id)[1])
  const bytes = headers.length + data.length
  return { first, last, batch: number, time, roomEvents, bytes } as InLog
}
