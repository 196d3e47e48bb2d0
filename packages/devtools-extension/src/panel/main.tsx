/** The panel, put into a page. */
import { createRoot } from 'react-dom/client'
import type { InspectSource } from '../sources/source.ts'
import type { PanelEnv } from './env.ts'

export interface PanelOptions {
  readonly sources: readonly InspectSource[]
  readonly env: PanelEnv
}

export function mount(root: Element, { sources }: PanelOptions): void {
  const peers = new Map<string, string>()
  const states = new Map<InspectSource, string>()
  const react = createRoot(root)
  const render = () =>
    react.render(
      <>
        <p role="status">{[...states.values()].join('\n')}</p>
        <ul>
          {[...peers].map(([peer, text]) => (
            <li key={peer}>{text}</li>
          ))}
        </ul>
      </>,
    )
  for (const source of sources) {
    source.start({
      frame(text) {
        const frame = JSON.parse(text)
        if (frame.frame === 'hello') peers.set(frame.peer, `${frame.kind} ${frame.source}`)
        if (frame.frame === 'bye') peers.delete(frame.peer)
        render()
      },
      state(state, detail = '') {
        states.set(source, `${source.label}: ${state} ${detail}`)
        if (state === 'open') {
          source.send('{"inspect":1,"frame":"attach","session":"bare","credit":100}')
        }
        render()
      },
      gone(gone) {
        for (const peer of gone === 'all' ? [...peers.keys()] : gone) peers.delete(peer)
        render()
      },
    })
  }
}
