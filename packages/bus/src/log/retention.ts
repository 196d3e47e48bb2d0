/** What goes when a log is over its limits: the same rule for every log. */
import { BATCH_SLOTS, offsetOf } from '../event.ts'
import type { RetentionLimits, Totals, Trimmed } from './log.ts'

/** Records looked at in one transaction, to be added up or to be removed. */
export const RECORDS_PER_STEP = 64

/** Snapshots of read models that a log keeps. */
export const MAX_SNAPSHOTS = 100

/** What retention has to know of a record. */
export interface Sized {
  readonly batch: number
  /** Number of the newest batch in it, where it has several. */
  readonly last?: number
  readonly time: number
  readonly headers: string
  readonly data: string
}

export const NO_TOTALS: Totals = { through: 0, events: 0, bytes: 0 }

/** The totals with the records after `through`, which are given in order. */
export function addUp(totals: Totals, records: readonly Sized[]): Totals {
  let { through, events, bytes } = totals
  for (const record of records) {
    through = record.batch
    events += eventsIn(record)
    bytes += bytesIn(record)
  }
  return { through, events, bytes }
}

/** Which of the oldest records go. */
export interface TrimPlan<Record extends Sized> {
  readonly remove: readonly Record[]
  readonly totals: Totals
  readonly trimmed: Omit<Trimmed, 'more'>
  /** The log is within its limits. */
  readonly enough: boolean
}

/**
 * Decides on neighbouring records, the oldest first. Those that must stay are passed over: the
 * limits then take the next ones.
 */
export function planTrim<Record extends Sized>(
  records: readonly Record[],
  totals: Totals,
  limits: RetentionLimits,
  stays: (record: Record) => boolean,
): TrimPlan<Record> {
  const remove: Record[] = []
  let { events, bytes } = totals
  let removed = 0
  let enough = false
  for (const record of records) {
    if (events <= limits.events && bytes <= limits.bytes && record.time >= limits.before) {
      enough = true
      break
    }
    if (stays(record)) continue
    remove.push(record)
    removed += eventsIn(record)
    events -= eventsIn(record)
    bytes -= bytesIn(record)
  }
  const [first, last] = [remove[0], remove.at(-1)]
  return {
    remove,
    totals: { through: totals.through, events: Math.max(0, events), bytes: Math.max(0, bytes) },
    trimmed: {
      removed,
      ...(first === undefined || last === undefined
        ? undefined
        : {
            range: {
              from: offsetOf(first.batch, 0),
              through: offsetOf(last.last ?? last.batch, BATCH_SLOTS - 1),
            },
          }),
    },
    enough,
  }
}

/** Value texts have no newline in them, and placeholders no text. */
function eventsIn({ headers, data }: Sized): number {
  if (headers === '[]' || typeof data !== 'string') return 0
  let lines = 1
  for (let at = data.indexOf('\n'); at >= 0; at = data.indexOf('\n', at + 1)) lines += 1
  return lines
}

/** A damaged record may have something else where its texts were: it must not stop the others. */
export function bytesIn({ headers, data }: Pick<Sized, 'headers' | 'data'>): number {
  return lengthOf(headers) + lengthOf(data)
}

function lengthOf(text: unknown): number {
  return typeof text === 'string' ? text.length : 0
}
