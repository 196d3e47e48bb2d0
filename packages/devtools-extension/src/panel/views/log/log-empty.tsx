/** What to do where there is nothing to see. */
import type { ReactNode } from 'react'
import { errorText } from '../../ui/error-text.ts'
import { count } from '../../ui/format.ts'
import type { ViewProps } from '../view.ts'

export function LogEmpty({ session, filtered, panel }: ViewProps): ReactNode {
  const captured = session.rows.next - session.rows.first
  if (captured > 0)
    return (
      <div className="empty log-empty">
        <h2>{filtered.progress < 1 ? 'Searching …' : 'No row matches the filter'}</h2>
        <p>
          {count(captured)} rows are captured. <code>{filtered.query.text}</code> lets none of them
          through.
        </p>
        <p>
          <button type="button" className="link" onClick={() => panel.setFilter('')}>
            Clear the filter
          </button>
        </p>
      </div>
    )
  function enableSite(): void {
    panel.env.enableSite?.().catch((error: unknown) => panel.say(errorText(error)))
  }
  const open = session.sources.some(({ state }) => state === 'open')
  if (!session.recording)
    return (
      <div className="empty log-empty">
        <h2>Not recording</h2>
        <p>
          Press <kbd>r</kbd> or the record button. What happens meanwhile is lost once the taps’
          rings are full.
        </p>
      </div>
    )
  return (
    <div className="empty log-empty">
      <h2>{open ? 'Listening. Nothing was published yet' : 'Nothing to listen to yet'}</h2>
      {open && session.peers.size === 0 && (
        <p>
          No bus has answered. Once a page calls <code>createBus()</code> and publishes or
          subscribes, it shows here; a bus that does neither stays silent.
        </p>
      )}
      {open && session.peers.size > 0 && (
        <p>
          {session.peers.size === 1 ? 'One peer is' : `${session.peers.size} peers are`} connected.
          Use the application, or publish an event from here.
        </p>
      )}
      {!open &&
        session.sources.map(({ label, kind, state, detail }) => (
          <p key={label}>
            <strong>{label}</strong>: {detail ?? state}
            {kind === 'extension' && panel.env.enableSite && (
              <>
                {' '}
                <button type="button" className="button" onClick={enableSite}>
                  Enable on this site
                </button>
              </>
            )}
          </p>
        ))}
      <p>
        Servers and other devices are seen through their relay: use “Sources” above. A saved session
        opens by dropping its file here.
      </p>
      {open && session.peers.size > 0 && (
        <p>
          <button type="button" className="link" onClick={() => panel.publish()}>
            Publish an event
          </button>
        </p>
      )}
    </div>
  )
}
