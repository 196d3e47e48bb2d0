/** The panel: its bars, the view that is shown, the detail beside it. */
import { type ReactNode, useEffect, useEffectEvent, useMemo, useRef, useState } from 'react'
import type { InspectSource } from '../sources/source.ts'
import type { PanelEnv } from './env.ts'
import type { Filtered, Hub } from './model/model.ts'
import { Announcer, type Message } from './shell/announcer.tsx'
import { Banners } from './shell/banners.tsx'
import { FilterBar } from './shell/filter-bar.tsx'
import { Help } from './shell/help.tsx'
import { type Command, commandOf, type Focus } from './shell/keys.ts'
import { QueriesDialog } from './shell/queries-dialog.tsx'
import { SavedQueries } from './shell/saved-queries.tsx'
import { SettingsDialog } from './shell/settings-dialog.tsx'
import './shell/shell.css'
import { SourcesDialog } from './shell/sources-dialog.tsx'
import { StatusBar } from './shell/status-bar.tsx'
import { toggleTerm } from './shell/terms.ts'
import { TimeStrip } from './shell/time-strip.tsx'
import { type DialogName, Toolbar } from './shell/toolbar.tsx'
import { createSelection, type Selection } from './state/selection.ts'
import type { SettingsStore } from './state/settings.ts'
import { createStore, type Store, useStore } from './state/store.ts'
import { useTheme } from './state/theme.ts'
import { ErrorBoundary } from './ui/error-boundary.tsx'
import { Splitter } from './ui/splitter.tsx'
import { useSize } from './ui/use-size.ts'
import { Detail } from './views/detail/detail.tsx'
import { banners, tools, views } from './views/index.ts'
import type { Panel } from './views/view.ts'

/** px from which the detail stands beside the view instead of below it. */
const WIDE = 720
const LEAST_VIEW = { width: 320, height: 96 }
const LEAST_DETAIL = { width: 200, height: 80 }

interface AppProps {
  readonly hub: Hub
  readonly filtered: Filtered
  readonly settings: SettingsStore
  readonly env: PanelEnv
}

export function App({ hub, filtered, settings, env }: AppProps): ReactNode {
  const { session } = hub
  const [selection] = useState(createSelection)
  const [message] = useState<Store<Message | undefined>>(() => createStore(undefined))
  const [filter] = useState(() => createStore(filtered.query.text))
  const [dialog, setDialog] = useState<DialogName>()
  const [asked] = useState(() => createStore<DetailAsked>({}))
  const [added, setAdded] = useState<readonly InspectSource[]>([])
  const filterInput = useRef<HTMLInputElement>(null)
  const queriesButton = useRef<HTMLButtonElement>(null)
  const work = useRef<HTMLDivElement>(null)
  const size = useSize(work)

  const panel = useMemo<Panel>(
    () =>
      createPanel({ hub, filtered, settings, env, selection, message, filter, asked, setAdded }),
    [hub, filtered, settings, env, selection, message, filter, asked],
  )
  const kept = useStore(settings)
  const text = useStore(filter)
  const selected = useStore(selection)
  const { closed, opened } = useStore(asked)
  const theme = useTheme(kept.theme, env.theme)

  const view = views.find(({ id }) => id === kept.view) ?? views[0]
  const props = { hub, session, filtered, selection, panel }
  const showsDetail =
    view?.detail === true &&
    selected.row !== undefined &&
    (kept.detail.open ? closed !== selected.row : opened === selected.row)

  const run = useEffectEvent((command: Command): boolean => {
    if (command === 'filter') {
      filterInput.current?.focus()
      filterInput.current?.select()
    } else if (command === 'queries') queriesButton.current?.click()
    else if (command === 'back') {
      if (selected.row === undefined) return false
      if (showsDetail) asked.set({ closed: selected.row })
      else selection.clear()
      focusView()
    } else if (command === 'pause') panel.paused.set(!panel.paused.get())
    else if (command === 'record') hub.setRecording(!session.recording)
    else if (command === 'clear') {
      hub.clear()
      selection.clear()
    } else if (command === 'help') setDialog('help')
    else if (command === 'compare') panel.comparing.set(true)
    else if (command === 'publish') panel.publish(selected.current)
    else if (command === 'detail') {
      panel.detail()
      requestAnimationFrame(focusDetail)
    } else {
      const wanted = views.find(({ key }) => command === `view-${key}`)
      if (!wanted) return false
      panel.show(wanted.id)
    }
    return true
  })

  useEffect(() => {
    function onKeyDown(event: KeyboardEvent): void {
      if (event.defaultPrevented || document.querySelector('dialog[open]')) return
      const command = commandOf(event, focusOf(event.target as Element))
      if (command !== undefined && run(command)) event.preventDefault()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [])

  if (!view) return null
  const wide = size.width >= WIDE
  const most = wide ? size.width - LEAST_VIEW.width : size.height - LEAST_VIEW.height
  const least = wide ? LEAST_DETAIL.width : LEAST_DETAIL.height
  const detailSize = Math.max(least, Math.min(wide ? kept.detail.width : kept.detail.height, most))

  return (
    <div className="panel">
      <Toolbar {...props} views={views} tools={tools} onDialog={setDialog} />
      <FilterBar
        session={session}
        filtered={filtered}
        input={filterInput}
        text={text}
        queries={kept.queries}
        onText={panel.setFilter}
        onLeave={focusView}
      >
        <SavedQueries
          settings={settings}
          button={queriesButton}
          text={text}
          onText={panel.setFilter}
          onManage={() => setDialog('queries')}
        />
      </FilterBar>
      {kept.minimap && (
        <TimeStrip
          session={session}
          filtered={filtered}
          theme={theme}
          text={text}
          onText={panel.setFilter}
        />
      )}
      <Banners session={session} panel={panel} />
      {banners.map((Banner, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the list never changes
        <Banner key={index} {...props} />
      ))}
      <main ref={work} className={wide ? 'work work-wide' : 'work'}>
        <section
          id="view-panel"
          className="view"
          role="tabpanel"
          aria-labelledby={`view-tab-${view.id}`}
          data-keys="view"
          tabIndex={-1}
        >
          <ErrorBoundary key={view.id} name={view.label}>
            <view.Component {...props} />
          </ErrorBoundary>
        </section>
        {showsDetail && (
          <>
            <Splitter
              label="Size of the detail"
              orientation={wide ? 'vertical' : 'horizontal'}
              size={detailSize}
              least={least}
              most={most}
              onSize={(next) =>
                settings.update((now) => ({
                  ...now,
                  detail: { ...now.detail, [wide ? 'width' : 'height']: next },
                }))
              }
            />
            <aside className="detail-place" aria-label="Detail" style={{ flexBasis: detailSize }}>
              <ErrorBoundary name="Detail">
                <Detail {...props} onClose={() => run('back')} />
              </ErrorBoundary>
            </aside>
          </>
        )}
      </main>
      <StatusBar session={session} panel={panel} />
      <Announcer session={session} message={message} />
      {dialog === 'help' && <Help views={views} onClose={() => setDialog(undefined)} />}
      {dialog === 'settings' && (
        <SettingsDialog settings={settings} onClose={() => setDialog(undefined)} />
      )}
      {dialog === 'queries' && (
        <QueriesDialog
          settings={settings}
          text={text}
          onText={panel.setFilter}
          onClose={() => setDialog(undefined)}
        />
      )}
      {dialog === 'sources' && (
        <SourcesDialog
          session={session}
          panel={panel}
          added={added}
          onRemove={(source) => {
            hub.remove(source)
            setAdded((now) => now.filter((each) => each !== source))
          }}
          onClose={() => setDialog(undefined)}
        />
      )}
    </div>
  )
}

/** Rows whose detail was closed, or opened, against what the settings say. */
interface DetailAsked {
  readonly closed?: number
  readonly opened?: number
}

interface PanelParts extends AppProps {
  readonly selection: Selection
  readonly message: Store<Message | undefined>
  readonly filter: Store<string>
  readonly asked: Store<DetailAsked>
  setAdded(change: (added: readonly InspectSource[]) => readonly InspectSource[]): void
}

function createPanel(parts: PanelParts): Panel {
  const { hub, filtered, settings, env, selection, message, filter, asked, setAdded } = parts
  const say = (text: string): void => message.set({ text })
  const panel: Panel = {
    env,
    settings,
    copyOf: createStore<string | undefined>(undefined),
    comparing: createStore(false),
    paused: createStore(false),
    following: createStore(settings.get().follow),
    say,
    show(view) {
      if (!views.some(({ id }) => id === view)) return
      const moves = document.activeElement?.closest('#view-panel')
      settings.update((now) => ({ ...now, view }))
      // Who came by key from one view goes on by key in the next.
      if (moves) requestAnimationFrame(focusView)
    },
    reveal(id) {
      const row = hub.session.event(id)
      if (!row) {
        say('This event was not captured, or is forgotten')
        return
      }
      selection.select(row)
      panel.detail()
      if (filtered.indexOf(row.row) < 0) say('The filter hides its row')
    },
    detail() {
      const { row } = selection.get()
      asked.set(row === undefined ? {} : { opened: row })
    },
    setFilter(text) {
      filter.set(text)
      filtered.setQuery(text)
    },
    addTerm: (term) => panel.setFilter(toggleTerm(filter.get(), term)),
    publish(copyOf) {
      panel.copyOf.set(copyOf)
      panel.show('publish')
    },
    open(source) {
      hub.add(source)
      setAdded((now) => [...now, source])
    },
    copy(text, what) {
      env.copy(text).then(
        () => say(`Copied ${what}`),
        () => say('The browser does not let the panel copy'),
      )
    },
  }
  return panel
}

function focusView(): void {
  const view = document.getElementById('view-panel')
  const target = view?.querySelector<HTMLElement>('[data-keys="grid"]') ?? view
  target?.focus()
}

function focusDetail(): void {
  const detail = document.getElementById('detail-panel')
  const target = detail?.querySelector<HTMLElement>('[role="tree"]') ?? detail
  target?.focus()
}

function focusOf(target: Element): Focus {
  if (target.closest('input, textarea, select, [contenteditable="true"], [role="slider"]'))
    return 'field'
  if (target.closest('[data-keys="grid"]')) return 'grid'
  if (target === document.body || target.matches('[data-keys]')) return 'view'
  return 'elsewhere'
}
