import { useStore } from '../store.ts'
import { ping, type WorkerPeer, workerPeer } from '../worker-peer.ts'
import { Field } from './field.tsx'

/** What the service worker, a peer of the same bus, says of itself. */
export function WorkerStatus() {
  const peer = useStore(workerPeer)
  return (
    <Field name="Service worker" id="status-worker" state={peer.state}>
      <span data-testid="worker-heard" data-count={peer.heard}>
        {words(peer)}
      </span>
      {peer.state === 'ready' && (
        <button type="button" className="button tiny" onClick={ping} data-testid="worker-ping">
          {peer.ping === undefined ? 'Ping' : answer(peer.ping)}
        </button>
      )}
    </Field>
  )
}

function words({ state, heard }: WorkerPeer): string {
  if (state === 'unavailable') return 'not available here'
  if (heard === undefined) return 'starting'
  return `heard ${heard} ${heard === 1 ? 'event' : 'events'}`
}

function answer(ping: NonNullable<WorkerPeer['ping']>): string {
  if (ping === 'waiting') return 'Ping …'
  if (ping === 'lost') return 'No answer'
  return ping < 1 ? 'Pong <1 ms' : `Pong ${Math.round(ping)} ms`
}
