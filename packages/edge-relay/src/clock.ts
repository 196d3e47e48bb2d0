/**
 * The one file of the relay that touches a clock, a timer or chance, so that tests can hold all
 * three in their hand.
 */

/** Time and chance as the relay uses them. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls `run` again and again until the returned function is called; keeps no process alive. */
  every(intervalMs: number, run: () => void): () => void
  /** Calls `run` when what has already arrived in this turn of the event loop has been handled. */
  soon(run: () => void): void
  /** `length` random characters of A-Z a-z 0-9 _ -. */
  randomName(length: number): string
}

/** The clock of the process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  every(intervalMs, run) {
    const timer: unknown = setInterval(run, intervalMs)
    // Only Node and Deno hold a process open for a timer, and only there is it an object.
    if (typeof timer === 'object' && timer !== null && 'unref' in timer)
      (timer as NodeJS.Timeout).unref()
    return () => clearInterval(timer as NodeJS.Timeout)
  },
  soon(run) {
    if (typeof setImmediate === 'function') setImmediate(run)
    else setTimeout(run, 0)
  },
  randomName,
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-'

function randomName(length: number): string {
  let name = ''
  // 64 characters, so the low six bits of a random byte choose evenly.
  for (const byte of crypto.getRandomValues(new Uint8Array(length))) name += ALPHABET[byte & 63]
  return name
}
