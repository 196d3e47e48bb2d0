import { room } from '../bus.ts'
import { roomLink } from '../room.ts'
import { Panel } from './panel.tsx'

/** What to do with this page. */
export function TryScreen() {
  return (
    <Panel id="try" title="Try it">
      <ol className="try">
        <li>
          <a href={roomLink(location.href, room)} target="_blank" rel="noreferrer">
            Open a second tab
          </a>{' '}
          and add something there: same device, same log.
        </li>
        <li>Open the link in another browser or profile: another device, joined by the relay.</li>
        <li>Work offline, shop on, order, and come back.</li>
      </ol>
    </Panel>
  )
}
