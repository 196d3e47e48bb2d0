/** Cells that say more than a text: with an icon and a word, never by colour alone. */
import type { ReactNode } from 'react'
import type { EventRow } from '../../model/model.ts'
import { plural } from '../../ui/format.ts'
import { Icon } from '../../ui/icon.tsx'

export function TypeCell({ row }: { readonly row: EventRow }): ReactNode {
  const dot = row.event.type.lastIndexOf('.') + 1
  return (
    <span className="type-cell">
      <span className="ellipsis">
        <span className="type-family">{row.event.type.slice(0, dot)}</span>
        {row.event.type.slice(dot)}
      </span>
      {row.failures > 0 && (
        <span className="badge badge-error">
          <Icon name="error" />
          {row.failures === 1 ? 'failed' : `${row.failures} failed`}
        </span>
      )}
      {row.state === 'refused' && (
        <span className="badge badge-error">
          <Icon name="cross" />
          refused
        </span>
      )}
      {row.drops > 0 && (
        <span className="badge badge-warning">
          <Icon name="warning" />
          {row.drops === 1 ? 'dropped' : `${row.drops} dropped`}
        </span>
      )}
      {row.state === 'pending' && (
        <span className="badge">
          <Icon name="clock" />
          pending
        </span>
      )}
    </span>
  )
}

/** `2/3`; with `?` where of some it is not known. */
export function gotText({ delivered, expected, unknown }: EventRow): string {
  if (unknown === 0) return `${delivered}/${expected}`
  return expected === 0 ? '?' : `${delivered}/${expected}?`
}

export function DeliveredCell({ row }: { readonly row: EventRow }): ReactNode {
  const { delivered, expected, unknown } = row
  const contexts = plural(unknown, 'context')
  if (expected === 0)
    return (
      <span
        className="delivered-none"
        title={
          unknown === 0
            ? 'Nobody subscribes to it'
            : `Whether it came to ${contexts} is not known: nobody captured them then`
        }
      >
        {gotText(row)}
      </span>
    )
  const whole = delivered >= expected && row.failures === 0
  const failed = row.failures === 0 ? '' : `, ${row.failures} failed`
  const rest = unknown === 0 ? '' : `; of ${contexts} more it is not known`
  return (
    <span
      className={whole ? 'delivered' : 'delivered delivered-part'}
      title={`${delivered} of ${expected} deliveries made${failed}${rest}`}
    >
      {whole ? <Icon name="check" /> : <Icon name={row.failures > 0 ? 'cross' : 'partial'} />}
      {gotText(row)}
    </span>
  )
}
