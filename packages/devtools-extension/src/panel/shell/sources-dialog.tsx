/** Where events come from: what is open, a relay to connect to, a site to enable. */
import { type FormEvent, type ReactNode, useState } from 'react'
import type { InspectSource } from '../../sources/source.ts'
import type { Session, SourceInfo } from '../model/model.ts'
import { useVersion } from '../state/store.ts'
import { Dialog } from '../ui/dialog.tsx'
import { errorText } from '../ui/error-text.ts'
import { Icon, type IconName } from '../ui/icon.tsx'
import type { Panel } from '../views/view.ts'

export const SOURCE_STATES: Readonly<
  Record<SourceInfo['state'], { readonly icon: IconName; readonly word: string }>
> = {
  connecting: { icon: 'clock', word: 'connecting' },
  open: { icon: 'check', word: 'open' },
  reconnecting: { icon: 'warning', word: 'reconnecting' },
  closed: { icon: 'cross', word: 'closed' },
  refused: { icon: 'error', word: 'refused' },
}

interface SourcesDialogProps {
  readonly session: Session
  readonly panel: Panel
  /** Sources that were opened here, and can be closed again. */
  readonly added: readonly InspectSource[]
  onRemove(source: InspectSource): void
  onClose(): void
}

export function SourcesDialog(props: SourcesDialogProps): ReactNode {
  const { session, panel, added, onRemove, onClose } = props
  useVersion(session)
  return (
    <Dialog title="Sources" onClose={onClose}>
      {session.sources.length === 0 ? (
        <p className="hint">Nothing is open. Connect to a relay, or open a session file.</p>
      ) : (
        <ul className="source-list">
          {session.sources.map((source, index) => {
            const { icon, word } = SOURCE_STATES[source.state]
            const own = added.find(({ label }) => label === source.label)
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: two can have one label
              <li key={index} className={`source source-${source.state}`}>
                <Icon name={icon} />
                <span className="grow">
                  <strong>{source.label}</strong> <span className="source-state">{word}</span>
                  {source.detail !== undefined && <span className="hint"> {source.detail}</span>}
                </span>
                {own && (
                  <button
                    type="button"
                    className="tool"
                    aria-label={`Close ${source.label}`}
                    onClick={() => onRemove(own)}
                  >
                    <Icon name="close" />
                  </button>
                )}
              </li>
            )
          })}
        </ul>
      )}
      {panel.env.openRelay && <RelayForm panel={panel} />}
      {panel.env.enableSite && (
        <section className="form-section">
          <h3>This site</h3>
          <div className="form-line">
            <button
              type="button"
              className="button"
              onClick={() => {
                panel.env.enableSite?.().catch((error: unknown) => panel.say(errorText(error)))
              }}
            >
              Enable on this site
            </button>
            <span className="hint">Local sites are enabled already.</span>
          </div>
        </section>
      )}
    </Dialog>
  )
}

function RelayForm({ panel }: { readonly panel: Panel }): ReactNode {
  const kept = panel.settings.get().relay
  const given = panel.env.relay
  const [url, setUrl] = useState(given?.url ?? kept.url)
  const [room, setRoom] = useState(given?.room ?? kept.room)
  const [token, setToken] = useState(given?.token ?? '')
  const [fault, setFault] = useState<string>()

  function connect(event: FormEvent): void {
    event.preventDefault()
    const found = faultOf(url, room)
    setFault(found)
    if (found !== undefined || !panel.env.openRelay) return
    panel.settings.update((now) => ({ ...now, relay: { url, room } }))
    panel.open(panel.env.openRelay({ url, room, ...(token !== '' && { token }) }))
  }

  return (
    <form className="form-section" onSubmit={connect} noValidate>
      <h3>Connect to a relay</h3>
      <p className="hint">
        Shows servers and other devices of a room, as far as the token lets you.
      </p>
      <div className="form-line">
        <label className="form-label" htmlFor="relay-url">
          Address
        </label>
        <input
          id="relay-url"
          className="input mono"
          placeholder="ws://127.0.0.1:8787"
          spellCheck={false}
          value={url}
          aria-invalid={fault !== undefined}
          aria-describedby={fault === undefined ? undefined : 'relay-fault'}
          onChange={(event) => setUrl(event.target.value)}
        />
      </div>
      <div className="form-line">
        <label className="form-label" htmlFor="relay-room">
          Room
        </label>
        <input
          id="relay-room"
          className="input mono"
          spellCheck={false}
          value={room}
          onChange={(event) => setRoom(event.target.value)}
        />
      </div>
      <div className="form-line">
        <label className="form-label" htmlFor="relay-token">
          Token
        </label>
        <input
          id="relay-token"
          className="input mono"
          type="password"
          autoComplete="off"
          placeholder="none"
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
      </div>
      {fault !== undefined && (
        <p id="relay-fault" className="fault" role="alert">
          <Icon name="error" />
          {fault}
        </p>
      )}
      <div className="form-line">
        <button type="submit" className="button button-main">
          Connect
        </button>
        <span className="hint">
          {panel.env.keepsToken ? 'The token is kept for this tab only.' : 'The token is not kept.'}
        </span>
      </div>
    </form>
  )
}

/** What is wrong with an address, in words. */
function faultOf(url: string, room: string): string | undefined {
  if (!URL.canParse(url) || !/^(ws|http)s?:$/.test(new URL(url).protocol))
    return 'The address has to begin with ws://, wss://, http:// or https://'
  if (room.trim() === '') return 'Which room? It is the one relayLink was given'
  return undefined
}
