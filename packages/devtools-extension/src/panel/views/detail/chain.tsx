/** Where an event came from, and what it led to: a list up, a list down. */
import type { ReactNode } from 'react'
import type { EventRow } from '../../model/model.ts'
import { signedDuration } from '../../ui/format.ts'
import { Icon } from '../../ui/icon.tsx'
import { publisherName } from '../../ui/peer-name.ts'
import { isBad } from '../log/list.ts'
import { causes, effects } from '../log/related.ts'
import type { EventDetailProps } from './event-detail.ts'

export function Chain(props: EventDetailProps): ReactNode {
  const { session, panel, row } = props
  const up = causes(session, row).reverse()
  const down = effects(session, row)
  const unknown = unknownCause(up[0] ?? row)
  const depths = depthsOf(row, down)
  const conversation = session.conversation(row.event.correlationId ?? row.id).length
  return (
    <>
      <h3 className="detail-title">Causes</h3>
      {unknown !== undefined && (
        <p className="detail-words hint">
          It began with <code>{unknown}</code>, which was not captured.
        </p>
      )}
      {up.length === 0 && unknown === undefined && (
        <p className="detail-words hint">None: nothing caused it but its publisher.</p>
      )}
      <ol className="chain">
        {up.map((cause, index) => (
          <ChainLine key={cause.id} {...props} of={cause} level={index} />
        ))}
        <li className="chain-line chain-here" style={{ paddingInlineStart: 8 + up.length * 12 }}>
          <Icon name="right" label="this event" />
          <span className="ellipsis mono">{row.event.type}</span>
        </li>
      </ol>
      <h3 className="detail-title">Effects</h3>
      {down.length === 0 && (
        <p className="detail-words hint">None: no event that was captured names it as its cause.</p>
      )}
      <ol className="chain">
        {down.map((effect) => (
          <ChainLine
            key={effect.id}
            {...props}
            of={effect}
            level={(depths.get(effect.id) ?? 1) - 1}
          />
        ))}
      </ol>
      {conversation > 1 && (
        <p className="detail-words">
          <button
            type="button"
            className="link"
            onClick={() => panel.addTerm(`corr:${row.event.correlationId ?? row.id}`)}
          >
            Show only its conversation of {conversation} events
          </button>
        </p>
      )}
    </>
  )
}

function ChainLine({
  session,
  panel,
  row,
  of,
  level,
}: EventDetailProps & { readonly of: EventRow; readonly level: number }): ReactNode {
  return (
    <li className="chain-line" style={{ paddingInlineStart: 8 + Math.min(level, 12) * 12 }}>
      <span className="step-time mono">{signedDuration(of.ms - row.ms)}</span>
      <button type="button" className="link mono ellipsis" onClick={() => panel.reveal(of.id)}>
        {of.event.type}
      </button>
      {isBad(of) && <Icon name="error" label="failed" />}
      <span className="hint ellipsis">{publisherName(session, of)}</span>
    </li>
  )
}

/** The cause that the oldest event of the chain names, where that is not known. */
function unknownCause(oldest: EventRow): string | undefined {
  return oldest.event.causationId
}

function depthsOf(root: EventRow, found: readonly EventRow[]): ReadonlyMap<string, number> {
  const depths = new Map([[root.id, 0]])
  for (const { id, event } of found) depths.set(id, (depths.get(event.causationId ?? '') ?? 0) + 1)
  return depths
}
