/** What an event came of, and what came of it. */
import type { EventRow, Session } from '../../model/model.ts'

/** So many of each at most: a loop of events must not hold the panel. */
const MOST = 500

/** Its cause, the cause of that, and so on; the nearest first. */
export function causes(session: Session, row: EventRow): EventRow[] {
  const found: EventRow[] = []
  const seen = new Set([row.id])
  let cause = row.event.causationId
  while (cause !== undefined && !seen.has(cause) && found.length < MOST) {
    seen.add(cause)
    const event = session.event(cause)
    if (!event) break
    found.push(event)
    cause = event.event.causationId
  }
  return found
}

/** Its effects, the effects of those, and so on: breadth first. */
export function effects(session: Session, row: EventRow): EventRow[] {
  const found: EventRow[] = []
  const seen = new Set([row.id])
  const queue = [row.id]
  for (let next = queue.shift(); next !== undefined; next = queue.shift())
    for (const effect of session.effects(next)) {
      if (seen.has(effect.id) || found.length >= MOST) continue
      seen.add(effect.id)
      found.push(effect)
      queue.push(effect.id)
    }
  return found
}

/**
 * The event before or after this one in its chain. Back is its cause; on is its first effect, or,
 * where it has none, the next event that came of the same cause.
 */
export function chainNeighbour(
  session: Session,
  row: EventRow,
  direction: 'back' | 'on',
): EventRow | undefined {
  const { causationId } = row.event
  if (direction === 'back')
    return causationId === undefined ? undefined : session.event(causationId)
  const [first] = session.effects(row.id)
  if (first) return first
  let from: EventRow | undefined = row
  for (let steps = 0; from && steps < MOST; steps++) {
    const cause: string | undefined = from.event.causationId
    if (cause === undefined) return undefined
    const siblings = session.effects(cause)
    const at = siblings.findIndex((sibling) => sibling.id === from?.id)
    const next = at < 0 ? undefined : siblings[at + 1]
    if (next) return next
    from = session.event(cause)
  }
  return undefined
}
