/** What a view says in place of, or above, what it shows. */
import type { ReactNode } from 'react'
import { Icon, type IconName } from '../../ui/icon.tsx'

export type Severity = 'info' | 'ok' | 'warning' | 'error'

/** Drawn beside the colour, which alone says nothing. */
export const ICONS: { readonly [severity in Severity]: IconName } = {
  info: 'info',
  ok: 'check',
  warning: 'warning',
  error: 'error',
}

/** One line, or a few, about something. `live`: read out when it comes. */
export function Notice({
  severity = 'info',
  live,
  children,
}: {
  severity?: Severity
  live?: boolean
  children: ReactNode
}) {
  const role = live ? (severity === 'error' ? 'alert' : 'status') : undefined
  return (
    <div className={`notice notice-${severity}`} role={role}>
      <span className="notice-sign">
        <Icon name={ICONS[severity]} />
      </span>
      <div>{children}</div>
    </div>
  )
}

/** A view that has nothing to show yet says what it will show, and how to get there. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  )
}

export interface Fact {
  readonly name: string
  readonly value: ReactNode
  readonly title?: string
}

/** Names and values. */
export function Facts({ facts }: { facts: readonly Fact[] }) {
  return (
    <dl className="facts">
      {facts.map(({ name, value, title }) => (
        <div key={name} title={title}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** How much of a limit is used, as a bar and in words. */
export function Meter({
  label,
  value,
  max,
  text,
}: {
  label: string
  value: number
  max: number
  text: string
}) {
  const used = max > 0 ? Math.min(1, value / max) : 0
  const level = used > 0.95 ? 'error' : used > 0.8 ? 'warning' : 'ok'
  return (
    <div className="meter">
      <span className="meter-label">{label}</span>
      <span
        className={`meter-bar meter-${level}`}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(1, max)}
        aria-valuenow={Math.min(value, Math.max(1, max))}
        aria-valuetext={text}
      >
        <span style={{ inlineSize: `${used * 100}%` }} />
      </span>
      <span className="meter-text">
        {level !== 'ok' && <span aria-hidden="true">⚠ </span>}
        {text}
      </span>
    </div>
  )
}
