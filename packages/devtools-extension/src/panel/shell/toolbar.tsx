import type { ReactNode } from 'react'
import type { Session } from '../model/model.ts'
import { useStore, useVersion } from '../state/store.ts'
import { Icon, type IconName } from '../ui/icon.tsx'
import { Tabs } from '../ui/tabs.tsx'
import type { Extra, View, ViewProps } from '../views/view.ts'
import { SOURCE_STATES } from './sources-dialog.tsx'

export type DialogName = 'sources' | 'settings' | 'help' | 'queries'

interface ToolbarProps extends ViewProps {
  readonly views: readonly View[]
  readonly tools: readonly Extra[]
  onDialog(name: DialogName): void
}

export function Toolbar(props: ToolbarProps): ReactNode {
  const { hub, session, selection, panel, views, tools, onDialog } = props
  useVersion(session)
  const settings = useStore(panel.settings)
  const paused = useStore(panel.paused)
  const following = useStore(panel.following)
  const { recording } = session
  return (
    <header className="toolbar">
      <h1 className="unseen">Crosstown</h1>
      <div className="toolbar-group" role="toolbar" aria-label="Capture">
        <button
          type="button"
          className={recording ? 'tool tool-record' : 'tool'}
          aria-pressed={recording}
          aria-label="Record"
          title={recording ? 'Stop recording (r)' : 'Record (r)'}
          onClick={() => hub.setRecording(!recording)}
        >
          <Icon name="record" />
        </button>
        <Toggle
          icon={paused ? 'play' : 'pause'}
          label="Pause the list"
          title={paused ? 'Go on (Space)' : 'Pause the list; capture goes on (Space)'}
          on={paused}
          onToggle={() => panel.paused.set(!paused)}
        />
        <button
          type="button"
          className="tool"
          aria-label="Clear"
          title="Clear (Ctrl+K)"
          onClick={() => {
            hub.clear()
            selection.clear()
          }}
        >
          <Icon name="clear" />
        </button>
        <Toggle
          icon="tail"
          label="Follow the newest row"
          title="Follow the newest row (G)"
          on={following}
          onToggle={() => {
            panel.following.set(!following)
            panel.settings.update((now) => ({ ...now, follow: !following }))
          }}
        />
        <Toggle
          icon="keep"
          label="Keep rows when the page navigates"
          title="Keep rows when the page navigates"
          on={settings.preserve}
          onToggle={() => panel.settings.update((now) => ({ ...now, preserve: !now.preserve }))}
        />
      </div>
      <span className="divider toolbar-divider" />
      <div className="toolbar-views">
        <Tabs
          label="Views"
          prefix="view"
          tabs={views.map(({ id, label, key }) => ({ id, label, title: `${label} (${key})` }))}
          current={settings.view}
          onShow={panel.show}
        />
      </div>
      <span className="grow" />
      <div className="toolbar-group">
        <SourcesButton session={session} onOpen={() => onDialog('sources')} />
        {tools.map((Tool, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the list never changes
          <Tool key={index} {...props} />
        ))}
        <button
          type="button"
          className="tool"
          aria-label="Settings"
          title="Settings"
          onClick={() => onDialog('settings')}
        >
          <Icon name="settings" />
        </button>
        <button
          type="button"
          className="tool"
          aria-label="Help"
          title="Keys and queries (?)"
          onClick={() => onDialog('help')}
        >
          <Icon name="help" />
        </button>
      </div>
    </header>
  )
}

interface ToggleProps {
  readonly icon: IconName
  readonly label: string
  readonly title: string
  readonly on: boolean
  onToggle(): void
}

function Toggle({ icon, label, title, on, onToggle }: ToggleProps): ReactNode {
  return (
    <button
      type="button"
      className="tool"
      aria-pressed={on}
      aria-label={label}
      title={title}
      onClick={onToggle}
    >
      <Icon name={icon} />
    </button>
  )
}

/** The state of the source that is worst off. */
function SourcesButton({
  session,
  onOpen,
}: {
  readonly session: Session
  onOpen(): void
}): ReactNode {
  const order = ['refused', 'closed', 'reconnecting', 'connecting', 'open'] as const
  const state = order.find((name) => session.sources.some((source) => source.state === name))
  const open = session.sources.filter((source) => source.state === 'open').length
  const { icon, word } = state ? SOURCE_STATES[state] : { icon: 'plug' as const, word: 'none' }
  return (
    <button
      type="button"
      className={`tool sources-button source-${state ?? 'none'}`}
      title="Where events come from; connect to a relay"
      onClick={onOpen}
    >
      <Icon name={icon} />
      <span className="sources-word">Sources</span>
      <span className={state === 'open' ? 'unseen' : 'source-state'}>
        {state === 'open' ? `${open} open` : word}
      </span>
    </button>
  )
}
