import { hrefOf, route } from '../../route.ts'
import { useStore } from '../../store.ts'
import { BurstView } from './burst-view.tsx'
import { LogView } from './log-view.tsx'
import { RewindView } from './rewind-view.tsx'
import { ThreadsView } from './threads-view.tsx'

const VIEWS = [
  { name: 'log', text: 'Log', View: LogView },
  { name: 'threads', text: 'Threads', View: ThreadsView },
  { name: 'rewind', text: 'Rewind', View: RewindView },
  { name: 'burst', text: 'Burst', View: BurstView },
] as const

/** The log of this device, looked at in four ways. */
export function ActivityScreen() {
  const { rest } = useStore(route)
  const shown = VIEWS.find(({ name }) => name === rest[0]) ?? VIEWS[0]
  const { View } = shown
  return (
    <>
      <header className="page-head with-tabs">
        <h1>Activity</h1>
        <nav className="tabs" aria-label="Ways to look at the log">
          {VIEWS.map(({ name, text }) => (
            <a
              key={name}
              href={hrefOf('activity', name)}
              aria-current={name === shown.name ? 'page' : undefined}
              data-testid={`tab-${name}`}
            >
              {text}
            </a>
          ))}
        </nav>
      </header>
      <View />
    </>
  )
}
