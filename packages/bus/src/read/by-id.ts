import type { Log } from '../log/log.ts'
import { eventsOf, type LoggedEvent, placementOf } from './walk.ts'

/** The event with this id, where the log has it. */
export async function eventById(log: Log, id: string): Promise<LoggedEvent | undefined> {
  const found = await log.find(id)
  if (!found) return undefined
  const { cuts } = (await log.state(false)).room
  const placement = await placementOf(log, found.batch, cuts)
  return eventsOf(found.batch, placement, cuts).find((event) => event.header.id === id)
}
