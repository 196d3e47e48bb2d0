/** Which events a diagram or a tree is of. */
import type { EventRow, Filtered, Session } from '../../model/model.ts'
import type { Selected } from '../../state/selection.ts'

export type Scope = 'selection' | 'conversation' | 'shown'

/** More is no diagram that anyone reads, and takes its time. */
export const MOST = 2_000

export interface Subject {
  readonly ids: readonly string[]
  /** How many there would have been. */
  readonly of: number
}

/** The selected events, the conversation of the current one, or what the log shows. */
export function subjectOf(
  scope: Scope,
  session: Session,
  filtered: Pick<Filtered, 'at' | 'length'>,
  selected: Selected,
): Subject {
  if (scope === 'shown') return shownIn(filtered)
  if (scope === 'selection') {
    const ids = [...selected.ids]
    return { ids: ids.slice(0, MOST), of: ids.length }
  }
  const current = selected.current === undefined ? undefined : session.event(selected.current)
  const ids = current ? conversationOf(session, current).map(({ id }) => id) : []
  return { ids: ids.slice(0, MOST), of: ids.length }
}

export function conversationOf(session: Session, row: EventRow): readonly EventRow[] {
  const rows = session.conversation(row.event.correlationId ?? row.id)
  return rows.length > 0 ? rows : [row]
}

function shownIn(filtered: Pick<Filtered, 'at' | 'length'>): Subject {
  const ids: string[] = []
  for (let i = 0; i < filtered.length && ids.length < MOST; i++) {
    const row = filtered.at(i)
    if (row?.kind === 'event') ids.push(row.id)
  }
  return { ids, of: ids.length < MOST ? ids.length : filtered.length }
}
