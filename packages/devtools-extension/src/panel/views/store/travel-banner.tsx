/** Said above every view while an application is shown an old state, with the way back. */
import { type ReactNode, useState } from 'react'
import type { Hub, Session } from '../../model/model.ts'
import { useStore, useVersion } from '../../state/store.ts'
import { Icon } from '../../ui/icon.tsx'
import { plural } from '../shared/format.ts'
import { nameOf, troubleInWords } from '../shared/trouble.ts'
import './store.css'
import { travelBack, travelsOf } from './travel-state.ts'

export function TravelBanner({ hub, session }: { hub: Hub; session: Session }): ReactNode {
  const travels = useStore(travelsOf(hub))
  useVersion(session)
  const [trouble, setTrouble] = useState<string>()
  const shown = [...travels.values()].filter(
    ({ peer }) => session.peers.get(peer)?.state !== 'gone',
  )
  if (shown.length === 0) return null
  return (
    <div className="travel-banner" role="alert">
      {shown.map(({ peer, after, views }) => (
        <div key={peer}>
          <Icon name="warning" />
          <p>
            <strong>{nameOf(session.peers, peer)} shows an old state</strong>: its{' '}
            {plural(views, 'projection')} as of {after}. New events are captured, and not shown
            there.
          </p>
          <button
            type="button"
            className="button button-main"
            onClick={() => {
              setTrouble(undefined)
              travelBack(hub, peer).catch((error) => setTrouble(troubleInWords(error, hub, peer)))
            }}
          >
            Back to now
          </button>
        </div>
      ))}
      {trouble && <p>{trouble}</p>}
    </div>
  )
}
