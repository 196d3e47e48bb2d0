/** `subscribe` with `group`: its options checked, and joined. */
import type { Given } from '../dispatch/dispatch.ts'
import { BusError } from '../errors.ts'
import type { From } from '../protocol/frames.ts'
import type { GroupOptions, ReadFrom } from '../types.ts'
import type { Groups } from './groups.ts'
import { assertName, settlingOf } from './options.ts'

export interface GroupSubscriberOptions {
  readonly groups: Groups
  readonly hasRelay: boolean
  readonly isName: (text: string) => boolean
  /** Opens log and links. */
  readonly open: () => void
  /** Calls back when the bus closes; the returned function takes that back. @throws {BusError} closed */
  readonly onClose: (run: () => void) => () => void
}

/**
 * Joins the group; what leaves it is returned.
 *
 * @param give makes the subscription, once the options are known to be right
 * @throws {BusError} invalid_options, invalid_pattern, unreachable, closed
 */
export function subscribeGroup(
  options: Omit<GroupOptions<never>, 'where'>,
  give: () => Given,
  { groups, hasRelay, isName, onClose, open }: GroupSubscriberOptions,
): () => void {
  const group = assertName(options.group, 'group', isName)
  const settling = settlingOf(options, 'group')
  const from = fromOf(options.from)
  if (!hasRelay) {
    const what =
      'a group is shared by a room: give this bus a relay, or subscribe on one that has it'
    throw new BusError('unreachable', what, { stage: 'consume' })
  }
  const { policy, signal } = options
  let end = (): void => {}
  const forget = onClose(() => end())
  try {
    const given = give()
    const leave = signal?.aborted ? () => {} : groups.join({ group, given, settling, policy, from })
    end = () => {
      leave()
      given.end()
      forget()
      signal?.removeEventListener('abort', end)
    }
  } catch (error) {
    forget()
    throw error
  }
  if (signal?.aborted) end()
  else {
    signal?.addEventListener('abort', end, { once: true })
    open()
  }
  return end
}

function fromOf(from: ReadFrom = 'start'): From {
  if (typeof from === 'string')
    return from === 'start' || from === 'now' ? from : { position: from }
  if (from instanceof Date) return { time: from.getTime() }
  if (typeof from === 'number') {
    const what =
      "subscribe: from: a group begins in the room, so 'start', 'now', a position, a Date or { last }"
    throw new BusError('invalid_options', what, { stage: 'consume' })
  }
  return from
}
