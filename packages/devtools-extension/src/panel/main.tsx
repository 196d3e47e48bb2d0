/** The panel, put into a page. */
// First, so that the styles of components come after those they build on.
import './ui/theme.css'
import './ui/base.css'
import { createRoot } from 'react-dom/client'
import type { InspectSource } from '../sources/source.ts'
import { App } from './app.tsx'
import type { PanelEnv } from './env.ts'
import { createFiltered, createHub } from './model/index.ts'
import { openSettings } from './state/settings.ts'

export interface PanelOptions {
  readonly sources: readonly InspectSource[]
  readonly env: PanelEnv
}

/** Shows the panel in an element, and begins to listen to the sources. */
export function mount(root: Element, { sources, env }: PanelOptions): void {
  const hub = createHub(sources)
  const filtered = createFiltered(hub.session)
  openSettings(env.storage).then((settings) => {
    createRoot(root).render(<App hub={hub} filtered={filtered} settings={settings} env={env} />)
  })
  // A tap without an inspector is idle at once, instead of a minute later.
  addEventListener('pagehide', () => hub.close())
}
