/** A conversation as a tree: each event below the one that caused it. Pure. */
import type { LogEvent } from './log-search.ts'

export interface ThreadNode<Event> {
  readonly event: Event
  readonly answers: readonly ThreadNode<Event>[]
}

type Caused = Pick<LogEvent, 'id' | 'causationId'>

/** Events without a cause among these are roots. Order is kept. */
export function treeOf<Event extends Caused>(
  events: readonly Event[],
): readonly ThreadNode<Event>[] {
  const known = new Set(events.map(({ id }) => id))
  const answers = new Map<string | undefined, Event[]>()
  for (const event of events) {
    const cause = event.causationId && known.has(event.causationId) ? event.causationId : undefined
    answers.set(cause, [...(answers.get(cause) ?? []), event])
  }
  const below = (cause: string | undefined): readonly ThreadNode<Event>[] =>
    (answers.get(cause) ?? []).map((event) => ({ event, answers: below(event.id) }))
  return below(undefined)
}

/** How many events lead to the last answer, and how long it took, in milliseconds. */
export function spanOf(events: readonly Pick<LogEvent, 'time'>[]): number {
  const times = events.map(({ time }) => time)
  return times.length === 0 ? 0 : Math.max(...times) - Math.min(...times)
}
