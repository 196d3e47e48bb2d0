/** Which rows of a session are exported, and how the file is called. */
import type { Filtered, NoteRow, Session } from '../../model/model.ts'
import type { Selected } from '../../state/selection.ts'

export type Extent = 'all' | 'shown' | 'selected'

export function countOf(
  extent: Extent,
  session: Session,
  filtered: Pick<Filtered, 'length'>,
  selected: Pick<Selected, 'ids'>,
): number {
  if (extent === 'all') return session.rows.next - session.rows.first
  return extent === 'shown' ? filtered.length : selected.ids.size
}

/** Ids of events; `undefined`: all rows. */
export function eventsOf(
  extent: Extent,
  filtered: Pick<Filtered, 'length' | 'at'>,
  selected: Pick<Selected, 'ids'>,
): string[] | undefined {
  if (extent === 'all') return undefined
  if (extent === 'selected') return [...selected.ids]
  const ids: string[] = []
  for (let i = 0; i < filtered.length; i++) {
    const row = filtered.at(i)
    if (row?.kind === 'event') ids.push(row.id)
  }
  return ids
}

/** `crosstown-2026-07-28-120307.ndjson` */
export function fileName(now: Date): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-')
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join('')
  return `crosstown-${day}-${time}.ndjson`
}

/** Rows looked through for marks, from the newest on. */
const LOOKED_AT = 20_000

/** Marks, the newest first. */
export function marksOf({ rows }: Pick<Session, 'rows'>, most: number): NoteRow[] {
  const marks: NoteRow[] = []
  const end = Math.max(rows.first, rows.next - LOOKED_AT)
  for (let row = rows.next - 1; row >= end && marks.length < most; row--) {
    const at = rows.at(row)
    if (at?.kind === 'mark') marks.push(at)
  }
  return marks
}
