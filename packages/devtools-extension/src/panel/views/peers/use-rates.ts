/** How busy peers have been for the last minute. */
import type { PeerId } from '@crosstown/bus/inspect'
import { useEffect, useState } from 'react'
import type { Session } from '../../model/model.ts'

const EVERY_MS = 1_000
const KEPT = 60

/** By peer: events published and received a second, the newest last; one value a second. */
export function useRates(session: Session): ReadonlyMap<PeerId, readonly number[]> {
  const [rates, setRates] = useState<ReadonlyMap<PeerId, readonly number[]>>(new Map())
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'hidden') return
      setRates((before) => {
        const after = new Map<PeerId, readonly number[]>()
        for (const { id, rate } of session.peers.values()) {
          const values = before.get(id) ?? []
          after.set(id, [...values.slice(1 - KEPT), rate.published + rate.received])
        }
        return after
      })
    }, EVERY_MS)
    return () => clearInterval(timer)
  }, [session])
  return rates
}
