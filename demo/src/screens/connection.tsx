import type { StatusSnapshot } from '@crosstown/bus'
import { room } from '../bus.ts'
import { offline } from '../offline.ts'
import { useBusStatus } from '../status.ts'
import { useStore } from '../store.ts'
import { Field, type Tone } from './field.tsx'
import { WorkerStatus } from './worker-status.tsx'

/** How this tab is connected: in fields, and in a sentence. */
export function ConnectionScreen() {
  const status = useBusStatus()
  const paused = useStore(offline)
  const { relay, rtt, leader, log, outbox } = status
  const { tone, words, waits } = sentence(status, paused)
  return (
    <section className="connection" aria-label="Connection">
      <dl className="status">
        <Field name="Relay" id="status-relay" state={relay} tone={tone}>
          {relay}
          {rtt !== undefined && relay === 'online' && (
            <small data-testid="status-rtt">{rtt < 1 ? '<1' : Math.round(rtt)} ms</small>
          )}
        </Field>
        <Field name="This tab" id="status-leader" state={leader ? 'leader' : 'follower'}>
          {leader ? 'leads this device' : 'follows another'}
        </Field>
        <Field name="Log" id="status-log" state={log.kind}>
          {LOGS[log.kind]}
          {log.kind !== 'none' && <small>{bytes(log.bytes)} by this tab</small>}
        </Field>
        <Field name="Outbox" id="status-outbox" state={String(outbox.pending)}>
          {outbox.pending} pending
          {outbox.refused > 0 && <small>{outbox.refused} refused</small>}
        </Field>
        <WorkerStatus />
      </dl>
      <p className="sentence" data-tone={tone} data-testid="status-sentence">
        <span role="status">{words}</span> {waits && waiting(outbox.pending)}
      </p>
    </section>
  )
}

const LOGS = { disk: 'on disk', memory: 'in memory', none: 'none' } as const

function bytes(count: number): string {
  if (count < 1_000) return `${count} B`
  return count < 1_000_000 ? `${(count / 1_000).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`
}

/** How it stands, in words, and whether events of this device wait for it to be better. */
function sentence(
  { relay, lastError }: StatusSnapshot,
  paused: boolean,
): { tone: Tone; words: string; waits?: true } {
  if (paused) {
    const words = 'This device works offline. Its tabs still share the cart.'
    return { tone: 'warn', words, waits: true }
  }
  switch (relay) {
    case 'online': {
      const words = `Every tab, device and service in the room ${room} has the same events.`
      return { tone: 'good', words }
    }
    case 'connecting':
      return { tone: 'busy', words: 'Connecting to the relay.' }
    case 'offline': {
      const words = 'The relay cannot be reached; this device keeps trying.'
      return { tone: 'warn', words, waits: true }
    }
    case 'refused': {
      const words = `The relay refuses this device${lastError ? ` (${lastError.code})` : ''}.`
      return { tone: 'bad', words, waits: true }
    }
    case 'off':
      return { tone: 'warn', words: 'There is no relay: the cart is shared on this device only.' }
  }
}

function waiting(pending: number): string {
  if (pending === 0) return 'Nothing waits to be sent.'
  return pending === 1 ? '1 event waits to be sent.' : `${pending} events wait to be sent.`
}
