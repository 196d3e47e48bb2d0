/**
 * What an application leaves to be published, in a table of its own database and in a transaction of
 * its own. The relay drains it: `drain.ts` publishes rows, an implementation of {@link Outbox} knows the
 * table.
 */
import type { BusErrorCode } from '@crosstown/bus/protocol'
import type { ReadLimit } from '../stores/store.ts'

/** A row, as it was committed. */
export interface OutboxRow {
  /** Names the row; ascends in the order in which rows were inserted. */
  readonly seq: number
  /** Once for each source and id, as long as the room keeps the event. */
  readonly id: string
  readonly room: string
  readonly type: string
  readonly source: string
  /** JSON text; `null` where there is no data, or it is in `value`, or too large to be read. */
  readonly data: string | null
  /** Text of devalue. */
  readonly value: string | null
  /** UTF-8 bytes of data and value. */
  readonly bytes: number
  readonly stream: string | null
  /** 0 where the stream must have no event yet. */
  readonly expectedRevision: number | null
  readonly version: number | null
  readonly correlationId: string | null
  readonly causationId: string | null
  readonly traceparent: string | null
  /** JSON text. */
  readonly metadata: string | null
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/**
 * What became of a row: the room has it; it never will, and why; or it is to stay where it is.
 */
export type Verdict = 'taken' | 'later' | { readonly code: BusErrorCode; readonly message: string }

/** What one step came to. */
export interface Step {
  /** Rows that are gone from the table. */
  readonly settled: number
  /** Whether there may be more to be drained now. */
  readonly more: boolean
}

/** What waits in the table. */
export interface Waiting {
  /** Rows, counted up to {@link MOST_COUNTED}. */
  readonly rows: number
  /** When the oldest of them was inserted, in milliseconds since 1970. */
  readonly oldest?: number
}

/** A table that an application writes and a relay drains. */
export interface Outbox {
  /** What it is, in logs. */
  readonly engine: string

  /** Names its tables, so that a store in the same database can tell that it has them. */
  readonly id?: string

  /** How often it is looked at where nothing says that there is more, in milliseconds. */
  readonly pollMs: number

  /**
   * Reads the oldest rows, of rooms that are not among `waiting`, gives them to `publish`, and removes
   * those it took, and those it refused to where refused ones are kept. One that stays is read again.
   * Where another relay is at it, nothing is done.
   *
   * @throws {BusError} unavailable
   */
  step(
    limit: ReadLimit,
    waiting: readonly string[],
    publish: (rows: readonly OutboxRow[]) => Promise<readonly Verdict[]>,
  ): Promise<Step>

  /** @throws {BusError} unavailable */
  waiting(): Promise<Waiting>

  /** Calls `heard` when there may be more. */
  listen?(heard: () => void): void

  close(): Promise<void>
}

/** More rows than these that wait are not counted. */
export const MOST_COUNTED = 100_000

/** Refused rows that are kept: the last ones. */
export const MOST_REFUSED = 10_000

/** A row that is put aside, and why. */
export interface RefusedRow {
  readonly seq: number
  readonly code: BusErrorCode
  readonly message: string
}

/** What verdicts over rows say of the table. */
export interface Settled {
  readonly gone: readonly number[]
  readonly refused: readonly RefusedRow[]
}

/** Which rows are to go, and which of them are kept as refused. */
export function settledBy(rows: readonly OutboxRow[], verdicts: readonly Verdict[]): Settled {
  const gone: number[] = []
  const refused: RefusedRow[] = []
  for (const [i, { seq }] of rows.entries()) {
    const verdict = verdicts[i]
    if (verdict === 'taken') gone.push(seq)
    else if (typeof verdict === 'object') refused.push({ seq, ...verdict })
  }
  return { gone, refused }
}
