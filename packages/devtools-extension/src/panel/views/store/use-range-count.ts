/** How many events of a log are in a range. */
import type { Ask, PeerId } from '@crosstown/bus/inspect'
import { typeMatcher } from '@crosstown/bus/protocol'
import { useEffect, useState } from 'react'
import type { Hub } from '../../model/model.ts'
import { PAGE } from './log-pages.ts'

const MOST_PAGES = 25

export interface RangeCount {
  readonly matching: number
  /** Whether there are more than were counted. */
  readonly more: boolean
}

/** `undefined` until it was counted, or where the peer does not say. */
export function useRangeCount(
  hub: Hub,
  peer: PeerId | undefined,
  ask: Extract<Ask, { what: 'replay' }> | undefined,
): RangeCount | undefined {
  const [counted, setCounted] = useState<RangeCount>()
  const text = ask && JSON.stringify(ask)
  useEffect(() => {
    setCounted(undefined)
    if (peer === undefined || text === undefined) return
    const giveUp = new AbortController()
    countIn(hub, peer, JSON.parse(text), giveUp.signal).then(
      (count) => {
        if (!giveUp.signal.aborted) setCounted(count)
      },
      // The replay itself will say what is wrong.
      () => {},
    )
    return () => giveUp.abort()
  }, [hub, peer, text])
  return counted
}

async function countIn(
  hub: Hub,
  peer: PeerId,
  { from, to, patterns }: Extract<Ask, { what: 'replay' }>,
  signal: AbortSignal,
): Promise<RangeCount> {
  const matches = typeMatcher(patterns ?? ['**'])
  let matching = 0
  let at: number | undefined = from
  for (let page = 0; page < MOST_PAGES; page++) {
    const { events, next }: { events: readonly { type: string; offset: number }[]; next?: number } =
      await hub.ask(peer, { what: 'log', from: at, limit: PAGE }, { signal })
    matching += events.filter(({ type, offset }) => offset <= to && matches(type)).length
    if (next === undefined || next > to) return { matching, more: false }
    at = next
  }
  return { matching, more: true }
}
