import type { BusEvent, Expected } from '../event.ts'
import type { Ticket } from './ticket.ts'

/**
 * One event on its way through the stages: encoded, numbered, and tied to the promise of whoever
 * published it.
 */
export interface Entry {
  /** What this context's handlers get; `offset` is set once it is committed. */
  readonly event: { -readonly [Key in keyof BusEvent]: BusEvent[Key] }
  readonly headerText: string
  readonly dataText: string
  /** UTF-8 bytes of header and data. */
  readonly bytes: number
  readonly persisted: boolean
  readonly ticket: Ticket
  /** Of an event that is appended only where its stream is so. */
  readonly expected?: Expectation
}

/** What an event expects of its stream, as its publisher said it. */
export type Expectation = Exclude<Expected, { id: string }>

/** The events that go through the stages together. */
export interface Batch {
  readonly entries: readonly Entry[]
  /** Those that go into the log, in order: the record's events by index. */
  readonly persisted: readonly Entry[]
  /** Those that other contexts hear but no log keeps. */
  readonly casts: readonly Entry[]
  /** Whether it may be refused before it is in the log: it holds one event or one `publishBatch`. */
  readonly judged?: boolean
}

/**
 * Where the pipeline hands a batch on: in this order, in one task. `commit` MUST have begun its
 * write when it returns, and a judged batch may end there with `conflict`: it is delivered when it
 * is committed, and what follows it not before. `deliver` MUST NOT throw.
 */
export interface BatchSinks {
  /** Whether commits can begin; until then batches are held, or pass without one if it is late. */
  readonly gate: 'held' | 'late' | 'open'
  /**
   * The batch's number, or `undefined` where there is nothing to commit. Calls `post` itself, as
   * soon as the commit has its place in the log's order.
   */
  commit(batch: Batch): Promise<number | undefined> | undefined
  deliver(batch: Batch): void
  /** After the commit: `number` is the batch's in the log, 0 where nobody turned out to keep one. */
  committed(batch: Batch, number: number | undefined): void
  failed(batch: Batch, error: unknown): void
}
