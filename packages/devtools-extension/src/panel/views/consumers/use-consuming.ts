/** Asks all peers what they consume: when the view is opened, when told to, and when more has happened. */
import type { PeerId } from '@crosstown/bus/inspect'
import { useCallback, useEffect, useRef, useState } from 'react'
import type { Hub, Peer, Session } from '../../model/model.ts'
import { troubleInWords } from '../shared/trouble.ts'
import { useCalmVersion } from '../shared/use-calm.ts'
import type { Answered } from './gathered.ts'

/** Letters that a peer is asked for. */
export const MAX_LETTERS = 200
/** Between two rounds at least, ms. */
const CALM_MS = 1_000

export interface UseConsuming {
  readonly answers: ReadonlyMap<PeerId, Answered>
  /** Whether some have not answered for the first time yet. */
  readonly asking: boolean
  readonly askAgain: () => void
}

export function useConsuming(hub: Hub, session: Session, peers: readonly Peer[]): UseConsuming {
  const [answers, setAnswers] = useState<ReadonlyMap<PeerId, Answered>>(new Map())
  const [round, setRound] = useState(0)
  const version = useCalmVersion(session, CALM_MS)
  const waiting = useRef(new Map<PeerId, AbortController>())
  const known = useRef({ round: 0, of: new Map<PeerId, string>() })
  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` says that peers changed
  useEffect(() => {
    const all = known.current.round !== round
    known.current.round = round
    for (const peer of peers) {
      const now = pulseOf(peer)
      if (!all && known.current.of.get(peer.id) === now) continue
      if (waiting.current.has(peer.id)) continue
      known.current.of.set(peer.id, now)
      const giveUp = new AbortController()
      waiting.current.set(peer.id, giveUp)
      void ask(hub, peer, giveUp.signal).then((answer) => {
        if (giveUp.signal.aborted) return
        waiting.current.delete(peer.id)
        setAnswers((before) => new Map(before).set(peer.id, answer))
      })
    }
  }, [hub, version, round])
  useEffect(() => {
    const asked = waiting.current
    return () => {
      for (const giveUp of asked.values()) giveUp.abort()
      asked.clear()
    }
  }, [])
  return {
    answers,
    asking: peers.some(({ id }) => !answers.has(id)),
    askAgain: useCallback(() => setRound((n) => n + 1), []),
  }
}

/** What changes when a peer has something else to tell: nobody who rests is asked again. */
function pulseOf({ subscriptions, rate, status, hello }: Peer): string {
  // A relay calls no handlers: what it passes on is what its groups are given.
  if (hello.kind === 'relay') return [rate.published, rate.received].join()
  let calls = 0
  for (const { calls: count } of subscriptions.values()) calls += count
  return [calls, status.log.bytes].join()
}

async function ask(hub: Hub, peer: Peer, signal: AbortSignal): Promise<Answered> {
  try {
    const consuming = await hub.ask<'consumers'>(peer.id, { what: 'consumers' }, { signal })
    const keeps = consuming.consumers.length > 0 || consuming.groups.length > 0
    if (!keeps) return { consuming }
    const dead = await hub.ask<'dead'>(peer.id, { what: 'dead', limit: MAX_LETTERS }, { signal })
    return { consuming, dead }
  } catch (error) {
    // One of an older version, or a relay that keeps no groups, has nothing to tell.
    if (error instanceof Error && 'code' in error && error.code === 'unknown_ask') return {}
    const words = troubleInWords(error, hub, peer.id)
    const isRefused = error instanceof Error && 'code' in error && error.code === 'forbidden'
    return isRefused ? { refused: words } : { failed: words }
  }
}
