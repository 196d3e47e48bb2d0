import type { Log } from '../log/log.ts'
import { StreamCounts } from './stream-counts.ts'
import { eventsOf, type LoggedEvent, placementOf, type Wanted } from './walk.ts'

/** The event with this id, where the log has it. */
export async function eventById(
  log: Log,
  id: string,
  hasRelay: boolean,
): Promise<LoggedEvent | undefined> {
  const found = await log.find(id)
  if (!found) return undefined
  const { batch } = found
  const { cuts } = (await log.state(false)).room
  const placement = await placementOf(log, batch, cuts)
  const wanted: Wanted = (header) => header.id === id
  const [revisions] = hasRelay ? [] : await new StreamCounts(log).revisionsIn([batch], wanted)
  return eventsOf(batch, placement, cuts, wanted, revisions)[0]
}
