/** A replay of which the reading is loaded with its first event. */
import type { BusEvent } from '../event.ts'
import type { Part } from '../part.ts'
import type { ReplayOptions } from '../types.ts'
import { unreadable } from './bound.ts'
import type { ReplaySource, replay } from './replay.ts'

type Replay = ReturnType<typeof replay>

/**
 * @throws {BusError} invalid_options, invalid_pattern, unreachable, closed: at once, or where the part
 * is not there yet by the first `next()`, which also throws `unavailable` where it cannot be loaded
 */
export function lateReplay(
  options: ReplayOptions<string>,
  source: ReplaySource,
  part: Part<{ readonly replay: typeof replay }>,
): AsyncIterableIterator<BusEvent, undefined> & AsyncDisposable {
  if (part.now) return part.now.replay(options, source)
  if (!source.hasLog) throw unreadable()
  // A bus that is closed says so now.
  source.onClose(() => {})()
  let begun: Replay | undefined
  let ended = false
  const end = async (): Promise<IteratorResult<BusEvent, undefined>> => {
    ended = true
    return begun?.return() ?? { done: true, value: undefined }
  }
  return {
    next() {
      if (begun) return begun.next()
      return part.load().then((made) => {
        if (!begun && ended) return { done: true, value: undefined }
        begun ??= made.replay(options, source)
        return begun.next()
      })
    },
    return: end,
    async [Symbol.asyncDispose]() {
      await end()
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
