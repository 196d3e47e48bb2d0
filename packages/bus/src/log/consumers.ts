/**
 * What a log keeps for durable consumers: where each stands, and the events they gave up. The log
 * opens neither text.
 */

/** Where a durable consumer stands. */
export interface ConsumerRow {
  readonly name: string
  /** Of the turn in which it may be written: each turn takes the next number. */
  readonly generation: number
  readonly state: string
}

export interface ConsumerWrite extends ConsumerRow {
  /** The generation that is there, 0 for no row: written only where it is. */
  readonly expected: number
  /** Dead letters that are written with it. */
  readonly dead?: readonly DeadText[]
}

export interface DeadText {
  /** Name of the consumer. */
  readonly consumer: string
  readonly text: string
}

export interface DeadRow extends DeadText {
  /** Given by the log, ascending, never used twice. */
  readonly id: number
}

/** The part of a log for consumers. Everything rejects as other writes and reads of the log do. */
export interface ConsumerLog {
  consumer(name: string): Promise<ConsumerRow | undefined>
  /** All of them, by name. */
  consumers(): Promise<ConsumerRow[]>
  /**
   * Writes a consumer's row and dead letters, all or nothing. Over 1,000 dead letters, or 8 Mi
   * characters of them, the oldest go.
   *
   * @returns how many dead letters went to make room; `undefined` where nothing was written, since
   *   the row has another generation
   */
  writeConsumer(write: ConsumerWrite): Promise<number | undefined>
  /** Removes a consumer, whoever holds it. */
  removeConsumer(name: string): Promise<void>
  /** Oldest first. */
  deadLetters(): Promise<DeadRow[]>
  /**
   * Changes dead letters: a text replaces that of a letter, `undefined` removes it. One that is not
   * there is passed over.
   *
   * @returns the ids of those that were there
   */
  changeDead(changes: ReadonlyMap<number, string | undefined>): Promise<number[]>
}

const MAX_DEAD = 1_000
const MAX_DEAD_CHARACTERS = 8 * 1_024 * 1_024

/** How many of the oldest dead letters go, given the sizes of all of them, oldest first. */
export function deadTooMany(sizes: readonly number[]): number {
  let gone = Math.max(0, sizes.length - MAX_DEAD)
  let sum = sizes.slice(gone).reduce((total, size) => total + size, 0)
  // The newest stays, however long it is.
  while (sum > MAX_DEAD_CHARACTERS && gone < sizes.length - 1) {
    sum -= sizes[gone] as number
    gone += 1
  }
  return gone
}
