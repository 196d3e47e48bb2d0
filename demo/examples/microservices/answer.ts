/** How a service answers an event, once. */
import { type BusEvent, type HandlerContext, isBusError } from '@crosstown/bus'
import type { Events } from './events.ts'

/**
 * Publishes an answer that counts only while the event is the newest of its stream. So whoever gets an
 * event again, after a crash or beside another instance, may answer it again: one answer is taken, and
 * the others are refused as conflicts.
 */
export async function answer<Type extends keyof Events>(
  { stream, revision }: BusEvent,
  ctx: HandlerContext<Events>,
  type: Type,
  data: Events[Type],
): Promise<void> {
  // What comes from the room is confirmed, and has its revision.
  if (stream === undefined || revision === undefined) return
  try {
    // Carries correlation and causation on.
    await ctx.publish(type, data, { stream, expectedRevision: revision })
  } catch (error) {
    if (!isBusError(error, 'conflict')) throw error
  }
}
