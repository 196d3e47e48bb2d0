/** What is going on, in one line: who is here, how much comes, what is kept, what was lost. */
import type { ReactNode } from 'react'
import type { Peer, Session } from '../model/model.ts'
import { useStore, useVersion } from '../state/store.ts'
import { count, duration, plural, rate } from '../ui/format.ts'
import { Icon } from '../ui/icon.tsx'
import type { Panel } from '../views/view.ts'

/** ms; below this two clocks agree as well as anybody can tell. */
const SKEW_SHOWN = 20

interface StatusBarProps {
  readonly session: Session
  readonly panel: Panel
}

export function StatusBar({ session, panel }: StatusBarProps): ReactNode {
  useVersion(session)
  const paused = useStore(panel.paused)
  const peers = [...session.peers.values()]
  const here = peers.filter((peer) => peer.state === 'live' || peer.state === 'silent')
  const published = here.reduce((sum, peer) => sum + peer.rate.published, 0)
  const lost = peers.reduce((sum, peer) => sum + peer.lost, 0)
  const kept = session.rows.next - session.rows.first
  const skewed = widest(here)

  return (
    <section className="status-bar" aria-label="State of the panel">
      <button type="button" className="status-part" onClick={() => panel.show('peers')}>
        <Icon name="person" />
        {plural(here.length, 'peer')}
      </button>
      <span className="status-part" title="Events published, a second, over the last five">
        {rate(published)}/s
      </span>
      <span
        className="status-part"
        title="Rows kept, of how many there is room for; the oldest go first"
      >
        {count(kept)} of {count(session.limit)}
        <span className="status-word"> rows</span>
      </span>
      {session.forgotten > 0 && (
        <span className="status-part">{count(session.forgotten)} forgotten</span>
      )}
      {lost > 0 && (
        <span
          className="status-part status-warning"
          title="Records that taps overwrote before they could be sent"
        >
          <Icon name="warning" />
          {count(lost)} lost
        </span>
      )}
      {session.malformed.count > 0 && (
        <span className="status-part status-warning" title={session.malformed.reasons.join('\n')}>
          <Icon name="warning" />
          {count(session.malformed.count)} unreadable
        </span>
      )}
      {skewed && (
        <span
          className="status-part"
          title={`The clock of ${skewed.name}, against this one; times are shown with it taken off`}
        >
          <Icon name="clock" />
          {skewed.name} {skewed.skew.ms > 0 ? '+' : '−'}
          {duration(Math.abs(skewed.skew.ms))} ± {duration(skewed.skew.uncertainty)}
        </span>
      )}
      <span className="grow" />
      {!session.recording && <span className="status-part status-warning">Not recording</span>}
      {paused && <span className="status-part status-warning">List paused</span>}
    </section>
  )
}

/** The peer whose clock is the furthest off, where that can be seen. */
function widest(peers: readonly Peer[]): Peer | undefined {
  return peers
    .filter(({ skew }) => Math.abs(skew.ms) >= Math.max(SKEW_SHOWN, skew.uncertainty))
    .sort((a, b) => Math.abs(b.skew.ms) - Math.abs(a.skew.ms))[0]
}
