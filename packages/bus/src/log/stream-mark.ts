/**
 * How many events a log without a room has of a stream: appending counts nothing, so who must know
 * counts what came since it was counted last, and notes that. One rule for every log.
 */
import { BusError } from '../errors.ts'
import { isIndex, isObject } from '../protocol/checks.ts'
import type { ExpectedInLog } from './log.ts'

/** What is noted of a stream. */
export interface StreamMark {
  /** Its events in records that were trimmed. */
  readonly trimmed: number
  /** Its events in all records up to number `through`, trimmed ones included. */
  readonly count: number
  readonly through: number
}

/** Events of a stream in one record. */
export interface StreamEvents {
  readonly batch: number
  readonly events: number
}

const NO_MARK: StreamMark = { trimmed: 0, count: 0, through: 0 }

/** Where a log that keeps marks beside other things has that of a stream. */
export function markKey(stream: string): string {
  return `stream/${stream}`
}

/** A mark as it was written. */
export function readMark(written: unknown): StreamMark {
  if (!isObject(written)) return NO_MARK
  const { trimmed, count, through } = written
  return isIndex(trimmed) && isIndex(count) && isIndex(through)
    ? { trimmed, count, through }
    : NO_MARK
}

/** The mark with records that are about to go: of this stream, the oldest there are, in order. */
export function trimmedMark(mark: StreamMark, gone: readonly StreamEvents[]): StreamMark {
  let { trimmed, count, through } = mark
  for (const { batch, events } of gone) {
    trimmed += events
    if (batch <= through) continue
    count += events
    through = batch
  }
  return { trimmed, count, through }
}

/** @throws {BusError} conflict where something does not hold of how many events the streams have */
export function assertExpected(
  expected: readonly ExpectedInLog[],
  counts: ReadonlyMap<string, number>,
): void {
  for (const { stream, before, expected: wanted } of expected) {
    const revision = counts.get(stream) ?? 0
    const current = revision + before
    const holds =
      wanted === 'none' ? current === 0 : wanted === 'exists' ? current > 0 : current === wanted
    if (holds) continue
    throw new BusError('conflict', `stream ${stream} is not as expected: revision ${current}`, {
      stage: 'log',
      currentRevision: revision,
    })
  }
}
