/** How a service answers an event, once. */
import { type BusEvent, type HandlerContext, isBusError } from '@crosstown/bus'
import type { Events } from './events.ts'

/**
 * Publishes an answer that counts only while the event is the newest of its stream. An event is given
 * at least once: again, where an instance died before it could say that it was done. Then one answer
 * is taken, and the other is refused as a conflict.
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
