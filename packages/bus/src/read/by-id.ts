import type { Log } from '../log/log.ts'
import { eventsOf, type LoggedEvent } from './walk.ts'

/** The event with this id, where the log has it. */
export async function eventById(log: Log, id: string): Promise<LoggedEvent | undefined> {
  const found = await log.find(id)
  if (!found) return undefined
  const { batch } = found
  const placement =
    batch.kind === 'own' && batch.roomEvents > 0 ? await log.placement(batch.batch) : undefined
  return eventsOf(batch, placement).find((event) => event.header.id === id)
}
