/** What keeps the panel from seeing everything, in words, with what to do. */
import { INSPECT_VERSION } from '@crosstown/bus/inspect'
import type { ReactNode } from 'react'
import type { Session } from '../model/model.ts'
import { useVersion } from '../state/store.ts'
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
      {mismatched.map(({ id, name, hello }) => (
        <Banner key={id} kind="error">
          <strong>{name}</strong> speaks version {hello.inspect} of the inspect protocol, this panel
          version {INSPECT_VERSION}.{' '}
          {hello.inspect > INSPECT_VERSION
            ? 'Update the extension to see it.'
            : `Update its @crosstown/bus (it has ${hello.library}) to see it.`}
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
                panel.env
                  .enableSite?.()
                  .catch((error: unknown) =>
                    panel.say(error instanceof Error ? error.message : String(error)),
                  )
              }}
            >
              Enable on this site
            </button>
          )}
        </Banner>
      ))}
      {lonely.map(({ label, detail }) => (
        <Banner key={label} kind="warning">
          <strong>{label}</strong>: {detail ?? 'reconnecting'}. What is shown stays; what comes
          meanwhile follows.
        </Banner>
      ))}
    </>
  )
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
