import type { ReactNode } from 'react'
import { Dialog } from '../ui/dialog.tsx'
import type { View } from '../views/view.ts'
import { KEYS, keyLabel } from './keys.ts'

/** Examples of filters, and what they let through. */
export const QUERY: readonly (readonly [term: string, means: string])[] = [
  ['order', 'type, id or source contains it'],
  ['type:order.*', 'events of a type or pattern'],
  ['from:"tab 1"', 'published by a peer'],
  ['to:worker via:relay', 'who got it, over which link'],
  ['dur:>50ms latency:>1s', 'slow handlers, slow ways'],
  ['size:>10kB', 'large events'],
  ['data.id:42', 'by a value of the payload'],
  ['error: drop: gap:', 'what went wrong'],
  ['state:pending,refused', 'any of a list'],
  ['causedby:@id chain:@id', 'what came of an event; its conversation'],
  ['-type:tick /^cart/', 'without; regular expressions'],
]

interface HelpProps {
  readonly views: readonly View[]
  onClose(): void
}

export function Help({ views, onClose }: HelpProps): ReactNode {
  return (
    <Dialog title="Keys and queries" place="middle" onClose={onClose}>
      <p className="hint">Single keys work while the list has the focus.</p>
      <div className="help">
        {(['Rows', 'Events', 'Panel'] as const).map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl className="help-keys">
              {KEYS.filter((line) => line.group === group).map((line) => (
                <div key={line.command}>
                  <dt>
                    {line.keys.map((key) => (
                      <kbd key={key}>{keyLabel(key)}</kbd>
                    ))}
                  </dt>
                  <dd>{line.label}</dd>
                </div>
              ))}
              {group === 'Panel' &&
                views.map((view) => (
                  <div key={view.id}>
                    <dt>
                      <kbd>{view.key}</kbd>
                    </dt>
                    <dd>{view.label}</dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
        <section className="help-query">
          <h3>The filter</h3>
          <dl>
            {QUERY.map(([term, means]) => (
              <div key={term}>
                <dt>
                  <code>{term}</code>
                </dt>
                <dd>{means}</dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
    </Dialog>
  )
}
