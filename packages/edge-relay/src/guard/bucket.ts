/** What may be used on average: a bucket that fills at a rate, and holds what comes in ten seconds. */

/** How long a bucket takes to fill: what was saved up may be used at once. */
export const BUCKET_SECONDS = 10

/** One token, as sums of fractions come to it. */
const ONE = 1 - 1e-6

/** Tokens of one user. Time is given to it, so that it needs no clock and no timer. */
export class Bucket {
  readonly #perSecond: number
  #tokens: number
  #atMs: number

  /** A full one. */
  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond * BUCKET_SECONDS
    this.#atMs = nowMs
  }

  /** Whether nothing is known of its user any more. */
  isFull(nowMs: number): boolean {
    this.#fill(nowMs)
    return this.#tokens >= this.#perSecond * BUCKET_SECONDS
  }

  /**
   * Takes tokens while there is one, if need be more than there are: what is larger than the bucket
   * must get through as well, and is paid for afterwards.
   *
   * @returns 0, or in how many milliseconds there will be one, where nothing was taken
   */
  take(tokens: number, nowMs: number): number {
    this.#fill(nowMs)
    if (this.#tokens < ONE) return Math.ceil(((1 - this.#tokens) * 1_000) / this.#perSecond)
    this.#tokens -= tokens
    return 0
  }

  #fill(nowMs: number): void {
    const came = ((nowMs - this.#atMs) * this.#perSecond) / 1_000
    this.#tokens = Math.min(this.#perSecond * BUCKET_SECONDS, this.#tokens + came)
    this.#atMs = nowMs
  }
}

/**
 * What a frame or a body counts as: its events, or where these are large the KiB of it; at least one.
 */
export function costOf(events: number, bytes: number): number {
  return Math.max(1, events, Math.ceil(bytes / 1_024))
}
