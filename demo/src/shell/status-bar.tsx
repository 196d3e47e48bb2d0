import { useBusStatus, usePresence } from '@crosstown/bus/react'
import type { ReactNode } from 'react'
import { useId, useState } from 'react'
import { room } from '../bus.ts'
import { bytesText, connectionOf, LOG_NAMES, logTrouble, type Tone } from '../connection.ts'
import { ChevronIcon, CrownIcon, DiskIcon, TrayIcon } from '../icons.tsx'
import { offline } from '../offline.ts'
import { useStore } from '../store.ts'
import { Faces } from './faces.tsx'
import { OfflineSwitch } from './offline-switch.tsx'
import { StatusDetails } from './status-details.tsx'

/** How this tab stands: always in sight, and in full when asked for. */
export function StatusBar() {
  const status = useBusStatus()
  const connection = connectionOf(status, useStore(offline), room)
  const [open, setOpen] = useState(false)
  const details = useId()
  const here = usePresence()
  const unkept = logTrouble(status.log)
  const { relay, rtt, leader, log, outbox } = status
  return (
    <section className="status" aria-label="Status">
      {(open || connection.trouble) && (
        <p className="status-sentence" data-tone={connection.tone} data-testid="status-sentence">
          {connection.sentence}
        </p>
      )}
      {unkept && (
        <p className="status-sentence" data-tone="warn" data-testid="log-sentence">
          {unkept}
        </p>
      )}
      {open && <StatusDetails id={details} status={status} here={here} />}
      <div className="status-row">
        <dl className="fields">
          <Field name="Connection" id="status-relay" state={relay} tone={connection.tone}>
            {connection.name}
            {rtt !== undefined && relay === 'online' && (
              <small data-testid="status-rtt">{rtt < 1 ? '<1' : Math.round(rtt)} ms</small>
            )}
          </Field>
          <Field
            name="This tab"
            id="status-leader"
            state={leader ? 'leader' : 'follower'}
            icon={leader && <CrownIcon />}
          >
            {leader ? 'Leads' : 'Follows'}
          </Field>
          <Field
            name="Outbox"
            id="status-outbox"
            state={String(outbox.pending)}
            icon={<TrayIcon />}
            {...(outbox.pending > 0 && { tone: 'warn' as const })}
          >
            {outbox.pending}
            <small>{outbox.refused > 0 ? `${outbox.refused} refused` : 'to send'}</small>
          </Field>
          <Field name="Log" id="status-log" state={log.kind} icon={<DiskIcon />}>
            {log.state === 'opening' ? 'Opening' : LOG_NAMES[log.kind]}
            {log.kind !== 'none' && <small>{bytesText(log.bytes)}</small>}
          </Field>
          <Field name="Who is here" id="status-presence" state={String(here.length)}>
            <Faces members={here} />
            {here.length} <small>here</small>
          </Field>
        </dl>
        <div className="status-tools">
          <OfflineSwitch />
          <button
            type="button"
            className="tool details-toggle"
            aria-expanded={open}
            aria-controls={open ? details : undefined}
            aria-label="Details"
            onClick={() => setOpen(!open)}
            data-testid="status-details-toggle"
          >
            <ChevronIcon />
          </button>
        </div>
      </div>
      <p className="visually-hidden" role="status">
        {connection.sentence}
      </p>
    </section>
  )
}

interface FieldProps {
  name: string
  id: string
  /** The value in one word, for styles and tests. */
  state: string
  tone?: Tone
  icon?: ReactNode
  children: ReactNode
}

function Field({ name, id, state, tone, icon, children }: FieldProps) {
  return (
    <div className="field">
      <dt>{name}</dt>
      <dd data-testid={id} data-state={state} data-tone={tone}>
        {icon}
        {children}
      </dd>
    </div>
  )
}
