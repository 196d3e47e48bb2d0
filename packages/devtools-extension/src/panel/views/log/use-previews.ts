import { useEffect, useReducer, useState } from 'react'
import type { Hub, Row } from '../../model/model.ts'
import { Previews } from './previews.ts'

/** ms for which the same rows have to be shown. */
const REST = 150
/** The same of a list that follows: what comes in faster than that, nobody reads. */
const FOLLOWING_REST = 500

/** Previews of the rows that are shown, asked for once the list rests. */
export function usePreviews(
  hub: Hub,
  rows: readonly Row[],
  follows: boolean,
): Pick<Previews, 'get'> {
  const rest = follows ? FOLLOWING_REST : REST
  const [, draw] = useReducer((count: number) => count + 1, 0)
  const [previews] = useState(() => new Previews(hub, onceAFrame(draw)))
  // A filter may change those between the first and the last only.
  const shown = rows.map(({ row }) => row).join(' ')
  // biome-ignore lint/correctness/useExhaustiveDependencies: which rows they are is in `shown`
  useEffect(() => {
    if (shown === '') return
    const timer = setTimeout(() => previews.want(rows.filter((row) => row.kind === 'event')), rest)
    return () => clearTimeout(timer)
  }, [previews, shown, rest])
  return previews
}

/** However many answers come in a frame, they are drawn together. */
function onceAFrame(run: () => void): () => void {
  let waits = false
  return () => {
    if (waits) return
    waits = true
    requestAnimationFrame(() => {
      waits = false
      run()
    })
  }
}
