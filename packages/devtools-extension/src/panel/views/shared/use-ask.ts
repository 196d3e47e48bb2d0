/** Questions to a peer, as state of a component. */
import type { Answers, Ask, PeerId } from '@crosstown/bus/inspect'
import { useCallback, useEffect, useState } from 'react'
import type { Hub } from '../../model/model.ts'
import { troubleInWords } from './trouble.ts'

export type Asked<Answer> =
  | { readonly state: 'idle'; readonly value?: undefined }
  /** `value`: of the time before, while it is asked again. */
  | { readonly state: 'asking'; readonly value?: Answer | undefined }
  | { readonly state: 'answered'; readonly value: Answer }
  | { readonly state: 'failed'; readonly words: string; readonly value?: undefined }

/**
 * Asks when the question or the peer changes, and again when told to; the question before is given up.
 * Without a peer or a question it is idle.
 */
export function useAsk<What extends Ask['what']>(
  hub: Hub,
  peer: PeerId | undefined,
  ask: Extract<Ask, { what: What }> | undefined,
): [asked: Asked<Answers[What]>, again: () => void] {
  const [asked, setAsked] = useState<Asked<Answers[What]>>({ state: 'idle' })
  const [round, setRound] = useState(0)
  const text = ask && JSON.stringify(ask)
  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` asks again
  useEffect(() => {
    if (peer === undefined || text === undefined) {
      setAsked({ state: 'idle' })
      return
    }
    const giveUp = new AbortController()
    const { signal } = giveUp
    setAsked((before) => ({ state: 'asking', value: before.value }))
    hub.ask<What>(peer, JSON.parse(text), { signal }).then(
      (value) => {
        if (!signal.aborted) setAsked({ state: 'answered', value })
      },
      (error: unknown) => {
        if (!signal.aborted) setAsked({ state: 'failed', words: troubleInWords(error, hub, peer) })
      },
    )
    return () => giveUp.abort()
  }, [hub, peer, text, round])
  return [asked, useCallback(() => setRound((n) => n + 1), [])]
}
