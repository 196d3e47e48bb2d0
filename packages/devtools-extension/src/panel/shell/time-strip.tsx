/** The minimap, fed by the session and the filter. */
import { type ReactNode, useMemo } from 'react'
import { minimapOf } from '../model/index.ts'
import type { Filtered, Session } from '../model/model.ts'
import { usePacedVersion } from '../state/store.ts'
import { Minimap, type TimeRange } from './minimap.tsx'
import { timeOf, timeTerm, withRange } from './terms.ts'

/** Slices of the captured time: fine enough for a wide dock. */
const BUCKETS = 240

interface TimeStripProps {
  readonly session: Session
  readonly filtered: Filtered
  readonly theme: string
  readonly text: string
  onText(text: string): void
}

export function TimeStrip({ session, filtered, theme, text, onText }: TimeStripProps): ReactNode {
  const version = usePacedVersion(session, filtered)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the version stands for what is in them
  const data = useMemo(() => minimapOf(session, filtered, BUCKETS), [session, filtered, version])
  return (
    <Minimap
      data={data}
      range={rangeOf(filtered)}
      theme={theme}
      // Terms are of whole milliseconds; what lies at the edge is within.
      onRange={(range) =>
        onText(
          withRange(
            text,
            range && { after: timeTerm(range.from), before: timeTerm(Math.floor(range.to) + 1) },
          ),
        )
      }
    />
  )
}

function rangeOf(filtered: Filtered): TimeRange | undefined {
  const { terms } = filtered.query
  const [after, before] = ['after', 'before'].map((key) =>
    terms.find((term) => term.key === key && !term.not),
  )
  const [from, to] = [timeOf(after?.value), timeOf(before?.value)]
  return from === undefined || to === undefined ? undefined : { from, to }
}
