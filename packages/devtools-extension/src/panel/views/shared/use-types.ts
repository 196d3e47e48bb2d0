/** The types of events that were seen. */
import { useMemo } from 'react'
import type { Session } from '../../model/model.ts'

/** A list of thousands helps nobody to complete a word. */
const MOST = 500

/** The most frequent first. */
export function useTypes(session: Session, version: number): readonly string[] {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the session changes in place; its version says so
  return useMemo(
    () =>
      [...session.types]
        .sort(([a, many], [b, few]) => few - many || a.localeCompare(b))
        .slice(0, MOST)
        .map(([type]) => type),
    [session, version],
  )
}
