/** The types of events that were seen. */
import { useMemo } from 'react'
import type { Session } from '../../model/model.ts'

/** Of so many rows, the newest. */
const LOOKED_AT = 5_000

/** Types, the most frequent first. */
export function typesOf(session: Session): { type: string; events: number }[] {
  const seen = new Map<string, number>()
  const { first, next } = session.rows
  for (let row = next - 1; row >= Math.max(first, next - LOOKED_AT); row--) {
    const at = session.rows.at(row)
    if (at?.kind === 'event') seen.set(at.event.type, (seen.get(at.event.type) ?? 0) + 1)
  }
  return [...seen]
    .map(([type, events]) => ({ type, events }))
    .sort((a, b) => b.events - a.events || a.type.localeCompare(b.type))
}

export function useTypes(session: Session, version: number): readonly string[] {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the session changes in place; its version says so
  return useMemo(() => typesOf(session).map(({ type }) => type), [session, version])
}
