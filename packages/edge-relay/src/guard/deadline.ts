/** What is asked of the application, which may never answer. */
import { BusError } from '@crosstown/bus/protocol'
import type { Limits } from '../limits.ts'
import type { Platform } from '../platform.ts'

/** How long a hook may take. */
export interface Patience {
  readonly platform: Pick<Platform, 'every'>
  readonly limits: Pick<Limits, 'hookMs'>
}

/**
 * The answer of a hook, as long as it comes in time. What it answers later is heard by nobody.
 *
 * @throws {BusError} unavailable
 */
export function inTime<T>(
  { platform, limits: { hookMs } }: Patience,
  hook: string,
  answer: PromiseLike<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = platform.every(hookMs, () => {
      stop()
      reject(new BusError('unavailable', `${hook} has not answered within ${hookMs} ms`))
    })
    answer.then(
      (value) => {
        stop()
        resolve(value)
      },
      (error: unknown) => {
        stop()
        reject(error)
      },
    )
  })
}
