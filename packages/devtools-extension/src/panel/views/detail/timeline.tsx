/** What happened to an event, step by step: when, where, how long it took. */
import type { ReactNode } from 'react'
import { signedDuration } from '../../ui/format.ts'
import { Icon } from '../../ui/icon.tsx'
import { peerName } from '../../ui/peer-name.ts'
import type { EventDetailProps } from './event-detail.ts'
import { isBadStep, STEP_ICONS, stepText } from './step-text.ts'

/** Steps shown; an event that reached a thousand subscribers has more. */
const MOST = 400

export function Timeline({ session, row }: EventDetailProps): ReactNode {
  const steps = session.steps(row.id)
  const shown = steps.slice(0, MOST)
  const first = shown[0]?.ms ?? row.ms
  const last = shown.reduce((most, step) => Math.max(most, step.ms), first)
  const span = Math.max(last - first, 0.001)
  if (steps.length === 0)
    return (
      <p className="detail-words hint">
        Only the event itself is known: what happened to it was not captured.
      </p>
    )
  return (
    <>
      <ol className="steps">
        {shown.map((step, index) => {
          const begun = step.ms - (step.durationMs ?? 0)
          const left = Math.max(0, ((begun - first) / span) * 100)
          const width = ((step.durationMs ?? 0) / span) * 100
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: steps have no other name
            <li key={index} className={isBadStep(step) ? 'step step-bad' : 'step'}>
              <span className="step-time mono">{signedDuration(step.ms - row.ms)}</span>
              <Icon name={STEP_ICONS[step.is]} />
              <span className="grow">
                <strong>{peerName(session, step.peer)}</strong> {stepText(session, step)}
              </span>
              <span className="step-track" aria-hidden="true">
                <span
                  className="step-bar"
                  style={{
                    left: `min(${left}%, 100% - 2px)`,
                    width: `max(2px, ${Math.min(width, 100 - left)}%)`,
                  }}
                />
              </span>
            </li>
          )
        })}
      </ol>
      {steps.length > MOST && (
        <p className="detail-words hint">
          The first {MOST} of {steps.length} steps.
        </p>
      )}
    </>
  )
}
