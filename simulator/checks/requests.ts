// What holds of requests: each is settled, by a reply that was given to it, and a device is at it once.
import { isOver } from '../ledger.ts'
import type { Answering } from '../requests.ts'
import type { View } from './view.ts'

/** How a request may end without a reply, of a type to which somebody replies in the end. */
const HONEST: ReadonlySet<string> = new Set(['no_responder', 'closed', 'unauthorized'])

export function* requests({ requests: all, disturbed }: View): Iterable<string> {
  if (!all) return
  const names = new Map(all.calls.map((call) => [`${call.key} ${call.by.name}`, call]))
  for (const { key, by, type, state, code = '', reply } of all.asked) {
    if (state === 'pending' && !isOver(by) && !type.startsWith('fact.sure'))
      yield `${key} (${type}) of ${by.name} was never settled`
    if (state === 'replied' && (reply?.key !== key || !names.has(`${key} ${reply.by}`)))
      yield `${key} of ${by.name} got the reply to ${reply?.key} by ${reply?.by}`
    if (state === 'rejected' && type.startsWith('fact.sure') && !HONEST.has(code) && !isOver(by))
      yield `${key} (${type}) of ${by.name} was rejected: ${code}`
  }
  for (const call of all.calls) {
    if (call.ended === undefined && !isOver(call.by) && call.signal.aborted)
      yield `${call.key} is still being answered by ${call.by.name}, though nobody waits`
  }
  yield* twice(all.calls, disturbed)
}

/** Two contexts of a device that are at the same request, where nothing came between. */
function* twice(
  calls: readonly Answering[],
  disturbed: (call: Answering) => boolean,
): Iterable<string> {
  for (const [i, call] of calls.entries()) {
    const before = calls.slice(0, i).find((one) => {
      const same = one.id === call.id && one.by.device === call.by.device
      return same && (one.ended ?? Number.POSITIVE_INFINITY) > call.begun
    })
    if (before && !disturbed(before) && !disturbed(call))
      yield `${call.key} was given to ${call.by.name} while ${before.by.name} was at it`
  }
}
