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
  const { tone, words } = sentence(status, paused)
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
      <p className="sentence" data-tone={tone} role="status" data-testid="status-sentence">
        {words}
      </p>
    </section>
  )
}

const LOGS = { disk: 'on disk', memory: 'in memory', none: 'none' } as const

function bytes(count: number): string {
  if (count < 1_000) return `${count} B`
  return count < 1_000_000 ? `${(count / 1_000).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`
}

function sentence(
  { relay, outbox, lastError }: StatusSnapshot,
  paused: boolean,
): { tone: Tone; words: string } {
  const waiting =
    outbox.pending === 0
      ? 'Nothing waits to be sent.'
      : `${outbox.pending} ${outbox.pending === 1 ? 'event waits' : 'events wait'} to be sent.`
  if (paused) {
    return {
      tone: 'warn',
      words: `This device works offline. Its tabs still share the cart. ${waiting}`,
    }
  }
  switch (relay) {
    case 'online':
      return {
        tone: 'good',
        words: `Every tab, device and service in the room ${room} has the same events.`,
      }
    case 'connecting':
      return { tone: 'busy', words: 'Connecting to the relay.' }
    case 'offline':
      return {
        tone: 'warn',
        words: `The relay cannot be reached; this device keeps trying. ${waiting}`,
      }
    case 'refused':
      return {
        tone: 'bad',
        words: `The relay refuses this device: ${lastError?.message ?? 'it gave no reason'}. ${waiting}`,
      }
    case 'off':
      return { tone: 'warn', words: 'There is no relay: the cart is shared on this device only.' }
  }
}
