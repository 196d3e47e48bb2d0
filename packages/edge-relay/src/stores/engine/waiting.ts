/** Waits of an engine's frame: each has an end. */
import type { Platform } from '../../platform.ts'

const FIRST_MS = 50
const MOST_MS = 2_000

/** What `work` comes to, or an error when that takes longer; `work` itself goes on. */
export function within<T>(platform: Platform, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = platform.every(ms, () => {
      stop()
      reject(new SilenceError(ms))
    })
    work.finally(stop).then(resolve, reject)
  })
}

/** Nothing came back in time: the server stands still, or something on the way to it does. */
export class SilenceError extends Error {
  constructor(ms: number) {
    super(`no answer for ${ms / 1_000} s`)
  }
}

/**
 * How long to wait before the next of `tries` in a row: twice as long each time up to two seconds, less a
 * random part of up to a half, so that relays that lost one engine do not come back as one.
 */
export function backoffMs(tries: number, platform: Platform): number {
  const most = Math.min(FIRST_MS * 2 ** tries, MOST_MS)
  return Math.ceil(most * (1 - chance(platform) / 2))
}

const CHANCES = 1_024

/** From 0 to 1. */
function chance(platform: Platform): number {
  let sum = 0
  for (const letter of platform.randomName(8)) sum = (sum * 31 + letter.charCodeAt(0)) % CHANCES
  return sum / CHANCES
}
