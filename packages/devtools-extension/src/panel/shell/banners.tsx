/** What keeps the panel from seeing everything, in words, with what to do. */
import { type ReactNode, useEffect, useState } from 'react'
import type { Session } from '../model/model.ts'
import { useVersion } from '../state/store.ts'
import { errorText } from '../ui/error-text.ts'
import { Icon } from '../ui/icon.tsx'
import type { Panel } from '../views/view.ts'

export function Banners({
  session,
  panel,
}: {
  readonly session: Session
  readonly panel: Panel
}): ReactNode {
  useVersion(session)
  const mismatched = [...session.peers.values()].filter(({ state }) => state === 'mismatch')
  const refused = session.sources.filter(({ state }) => state === 'refused')
  const lonely = session.sources.filter(({ state }) => state === 'reconnecting')
  return (
    <>
      {mismatched.map(({ id, name, detail }) => (
        <Banner key={id} kind="error">
          <strong>{name}</strong>: {detail ?? 'it speaks another version of the inspect protocol'}
        </Banner>
      ))}
      {refused.map(({ label, kind, detail }) => (
        <Banner key={label} kind="error">
          <strong>{label}</strong>: {detail ?? 'refused'}
          {kind === 'extension' && panel.env.enableSite && (
            <button
              type="button"
              className="button"
              onClick={() => {
                panel.env.enableSite?.().catch((error: unknown) => panel.say(errorText(error)))
              }}
            >
              Enable on this site
            </button>
          )}
        </Banner>
      ))}
      {lonely.map(({ label, detail }) => (
        <Later key={label}>
          <Banner kind="warning">
            <strong>{label}</strong>: {detail ?? 'It is connecting again.'} What is shown stays, and
            what happens meanwhile follows as far as the taps keep it.
          </Banner>
        </Later>
      ))}
    </>
  )
}

/** ms; a page that is reloaded is back sooner. */
const PATIENCE = 1500

function Later({ children }: { readonly children: ReactNode }): ReactNode {
  const [shown, setShown] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), PATIENCE)
    return () => clearTimeout(timer)
  }, [])
  return shown && children
}

function Banner({
  kind,
  children,
}: {
  readonly kind: 'error' | 'warning'
  readonly children: ReactNode
}): ReactNode {
  return (
    <div className={`banner banner-${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      <Icon name={kind} label={kind} />
      <p className="grow">{children}</p>
    </div>
  )
}
