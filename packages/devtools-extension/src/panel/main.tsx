/** The panel, put into a page. */
// First, so that the styles of components come after those they build on.
import './ui/theme.css'
import './ui/base.css'
import { createRoot } from 'react-dom/client'
import type { InspectSource } from '../sources/source.ts'
import { App } from './app.tsx'
import type { PanelEnv } from './env.ts'
import { createFiltered, createHub } from './model/index.ts'
import { pageTiming } from './model/timing.ts'
import { openedLater } from './shell/opened-later.ts'
import { tellReopened } from './shell/reopened.ts'
import { openSettings } from './state/settings.ts'

export interface PanelOptions {
  readonly sources: readonly InspectSource[]
  readonly env: PanelEnv
}

/** Shows the panel in an element, and begins to listen to the sources. */
export async function mount(root: Element, { sources, env }: PanelOptions): Promise<void> {
  const settings = await openSettings(env.storage)
  const { promise: shown, resolve: isShown } = Promise.withResolvers<void>()
  const hub = createHub(
    sources
      .map((source) =>
        source.kind === 'extension'
          ? tellReopened(source, () => {
              if (!settings.get().preserve) hub.clear()
            })
          : source,
      )
      .map((source) => openedLater(source, shown)),
  )
  const filtered = createFiltered(hub.session, '', hub)
  createRoot(root).render(<App hub={hub} filtered={filtered} settings={settings} env={env} />)
  const { frame, soon } = pageTiming()
  frame(() => soon(isShown))
  // A tap without an inspector is idle at once, instead of a minute later.
  addEventListener('pagehide', ({ persisted }) => {
    if (!persisted) hub.close()
  })
}
