/** Said above every view while a link is broken on purpose: what, for how long, and the way out. */
import { type ReactNode, useEffect, useState } from 'react'
import { useStore, useVersion } from '../../state/store.ts'
import { Icon } from '../../ui/icon.tsx'
import { nameOf, troubleInWords } from '../shared/trouble.ts'
import type { ViewProps } from '../view.ts'
import { endExpired, faultInWords, faultsOf, setFault } from './fault-state.ts'
import './faults.css'

export function FaultBanner({ hub, session }: ViewProps): ReactNode {
  const faults = useStore(faultsOf(hub))
  useVersion(session)
  const [now, setNow] = useState(() => Date.now())
  const [trouble, setTrouble] = useState<string>()
  const any = faults.size > 0
  useEffect(() => {
    if (!any) return
    const tick = () => {
      setNow(Date.now())
      endExpired(hub, Date.now())
    }
    tick()
    const timer = setInterval(tick, 500)
    return () => clearInterval(timer)
  }, [any, hub])
  const shown = [...faults.values()].filter(({ peer }) => session.peers.get(peer)?.state !== 'gone')
  if (shown.length === 0) return null
  return (
    <section className="fault-banner" aria-label="Faults in force">
      {shown.map(({ peer, fault, until }) => (
        <div key={peer}>
          <Icon name="warning" />
          <p>
            <span role="alert">
              <strong>Broken on purpose:</strong> {nameOf(session.peers, peer)}{' '}
              {faultInWords(fault)}.
            </span>{' '}
            {until === undefined
              ? 'Another panel set it; it ends by itself.'
              : `Ends in ${Math.max(0, Math.ceil((until - now) / 1000))} s.`}
          </p>
          <button
            type="button"
            className="button button-main"
            onClick={() => {
              setTrouble(undefined)
              setFault(hub, peer, null).catch((error: unknown) =>
                setTrouble(troubleInWords(error, hub, peer)),
              )
            }}
          >
            Mend it now
          </button>
        </div>
      ))}
      {trouble && <p role="alert">{trouble}</p>}
    </section>
  )
}
