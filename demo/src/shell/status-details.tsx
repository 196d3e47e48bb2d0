import type { PresenceMember, StatusSnapshot } from '@crosstown/bus'
import type { ReactNode } from 'react'
import { waitingText } from '../connection.ts'
import { useStore } from '../store.ts'
import { ping, type WorkerPeer, workerPeer } from '../worker-peer.ts'
import { Members } from './members.tsx'

interface Props {
  id: string
  status: StatusSnapshot
  here: readonly PresenceMember[]
}

/** What the words of the status bar mean. */
export function StatusDetails({ id, status, here }: Props) {
  const { leader, log, outbox } = status
  return (
    <section id={id} className="details" aria-label="Status in full" data-testid="status-details">
      <Detail title={leader ? 'This tab leads' : 'Another tab leads'}>
        {leader
          ? 'It holds the one connection of this device; the other tabs hear the room through it.'
          : 'The leader holds the connection of this device. When it closes, another takes over.'}
      </Detail>
      <Detail title="Outbox">
        {waitingText(outbox.pending)} What waits is in the log, and survives a reload.
      </Detail>
      <Detail title="Log">{LOGS[log.kind]}</Detail>
      <WorkerDetail />
      <Members members={here} />
    </section>
  )
}

const LOGS = {
  disk: 'In IndexedDB, shared by all tabs of this device: it survives a restart of the browser.',
  memory: 'In memory: this browser gives no durable place, so it ends with this tab.',
  none: 'Kept by another tab.',
} as const

/** What the service worker, a peer of the same bus, says of itself. */
function WorkerDetail() {
  const peer = useStore(workerPeer)
  return (
    <Detail title="Service worker">
      <span
        data-testid="status-worker"
        data-state={peer.state}
        data-total={peer.counted?.total}
        data-caught-up={peer.caughtUp}
      >
        {words(peer)}
      </span>{' '}
      {peer.state === 'ready' && (
        <button type="button" className="button tiny" onClick={ping} data-testid="worker-ping">
          {peer.ping === undefined ? 'Ping it' : answer(peer.ping)}
        </button>
      )}
    </Detail>
  )
}

function words({ state, counted, caughtUp }: WorkerPeer): string {
  if (state === 'unavailable') return 'Not available here.'
  if (!counted) return 'Starting.'
  const all = `Counted ${counted.total} ${counted.total === 1 ? 'order' : 'orders'} that ended`
  return caughtUp > 0
    ? `${all}, ${caughtUp} of them read from the log when it woke.`
    : `${all}, all while awake.`
}

function answer(ping: NonNullable<WorkerPeer['ping']>): string {
  if (ping === 'waiting') return 'Ping …'
  if (ping === 'lost') return 'No answer'
  return ping < 1 ? 'Pong <1 ms' : `Pong ${Math.round(ping)} ms`
}

function Detail({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="detail">
      <h2>{title}</h2>
      <p>{children}</p>
    </div>
  )
}
