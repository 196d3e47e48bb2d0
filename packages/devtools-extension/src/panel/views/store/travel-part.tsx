/** Projections as they were: a slider over the log, the state after each event, and what differs now. */
import type { Tree } from '@crosstown/bus/inspect'
import { typeMatcher } from '@crosstown/bus/protocol'
import { type ReactNode, useCallback, useEffect, useId, useMemo, useState } from 'react'
import type { Hub, Peer } from '../../model/model.ts'
import { useStore } from '../../state/store.ts'
import type { Path } from '../../ui/tree/lines.ts'
import { ValueTree } from '../../ui/tree/value-tree.tsx'
import { Differences } from '../shared/differences.tsx'
import { clockTime, count, plural } from '../shared/format.ts'
import { Empty, Notice } from '../shared/notice.tsx'
import { troubleInWords } from '../shared/trouble.ts'
import { useAsk } from '../shared/use-ask.ts'
import type { LogEntry, LogPages } from './log-pages.ts'
import { travelBack, travelsOf, travelTo } from './travel-state.ts'

/** Events that the slider goes over at most. */
const MOST = 5_000

export function TravelPart({
  hub,
  peer,
  pages,
  offset,
  onOffset,
}: {
  hub: Hub
  peer: Peer
  pages: LogPages
  offset: number | undefined
  onOffset(offset: number): void
}): ReactNode {
  const id = useId()
  const views = [...peer.views.values()]
  const [chosen, setChosen] = useState<number>()
  const [compare, setCompare] = useState(true)
  const [trouble, setTrouble] = useState<string>()
  const travels = useStore(travelsOf(hub))
  const view = views.find((one) => one.view === chosen) ?? views[0]
  const { entries, next, state, more } = pages
  const ready = next === undefined || entries.length >= MOST
  useEffect(() => {
    if (!ready && state === 'idle') more()
  }, [ready, state, more])

  const patterns = view?.patterns.join(' ') ?? ''
  const steps = useMemo(() => {
    const matches = typeMatcher(patterns === '' ? ['**'] : patterns.split(' '))
    return entries.filter(({ type }) => matches(type))
  }, [entries, patterns])
  const at = stepAt(steps, offset)
  const step = steps[at]

  const shown = view?.view
  const moment = step?.offset
  const ask =
    shown !== undefined && moment !== undefined
      ? ({ what: 'view', view: shown, at: moment } as const)
      : undefined
  const [was] = useAsk<'view'>(hub, peer.id, ask)
  const [now] = useAsk<'view'>(hub, peer.id, view && { what: 'view', view: view.view })
  const load = useCallback(
    async (path: Path): Promise<Tree> => {
      if (shown === undefined || moment === undefined) throw new Error('There is nothing to open.')
      const asked = { what: 'view', view: shown, at: moment, path } as const
      const { tree } = await hub.ask(peer.id, asked).catch((error: unknown) => {
        throw new Error(troubleInWords(error, hub, peer.id))
      })
      return tree
    },
    [hub, peer.id, shown, moment],
  )

  if (!view)
    return (
      <Empty title={`${peer.name} has no projections`}>
        <p>
          A projection is made with <code>bus.project(pattern, reducer, initial)</code>. Here you
          can see its state after each event of the log, and show it to the application.
        </p>
      </Empty>
    )
  const travelling = travels.get(peer.id)
  const attempt = (what: Promise<void>) => {
    setTrouble(undefined)
    what.catch((error: unknown) => setTrouble(troubleInWords(error, hub, peer.id)))
  }
  const go = (index: number) => {
    const to = steps[Math.min(Math.max(index, 0), steps.length - 1)]
    if (to) onOffset(to.offset)
  }
  return (
    <div className="travel">
      <section className="part" aria-labelledby={`${id}-title`}>
        <h2 id={`${id}-title`}>Projections as they were</h2>
        <label className="field field-inline">
          <span>Projection</span>
          <select value={view.view} onChange={(event) => setChosen(Number(event.target.value))}>
            {views.map((one) => (
              <option key={one.view} value={one.view}>
                {one.key ?? `number ${one.view}`}: {one.patterns.join(', ')}
              </option>
            ))}
          </select>
        </label>
        {steps.length === 0 ? (
          <p className="quiet" role="status">
            {ready ? 'No event of the log is of its patterns.' : 'Reading the log…'}
          </p>
        ) : (
          <div className="slider">
            <button
              type="button"
              className="tool"
              aria-label="One event back"
              disabled={at <= 0}
              onClick={() => go(at - 1)}
            >
              ◀
            </button>
            <input
              type="range"
              min={0}
              max={steps.length - 1}
              value={at}
              aria-label="Moment"
              aria-valuetext={step && momentOf(step)}
              onChange={(event) => go(Number(event.target.value))}
            />
            <button
              type="button"
              className="tool"
              aria-label="One event on"
              disabled={at >= steps.length - 1}
              onClick={() => go(at + 1)}
            >
              ▶
            </button>
            <output className="slider-now">
              {step && `after ${momentOf(step)}`}{' '}
              <span className="quiet">
                ({count(at + 1)} of {plural(steps.length, 'event')}
                {ready ? '' : ', reading on'})
              </span>
            </output>
          </div>
        )}
        <div className="button-row">
          <button
            type="button"
            className="button button-main"
            disabled={!step}
            onClick={() => step && attempt(travelTo(hub, peer.id, step.offset, momentOf(step)))}
          >
            Show the application this state
          </button>
          {travelling && (
            <button
              type="button"
              className="button"
              onClick={() => attempt(travelBack(hub, peer.id))}
            >
              Back to now
            </button>
          )}
          <label className="check">
            <input
              type="checkbox"
              checked={compare}
              onChange={(event) => setCompare(event.target.checked)}
            />
            Differences from now
          </label>
        </div>
        {trouble && (
          <Notice severity="error" live>
            {trouble}
          </Notice>
        )}
      </section>
      <div className={`travel-states ${compare ? 'two' : ''}`}>
        <section className="part" aria-labelledby={`${id}-was`} aria-busy={was.state === 'asking'}>
          <h3 id={`${id}-was`}>State then</h3>
          {was.state === 'failed' ? (
            <Notice severity="error">{was.words}</Notice>
          ) : was.value ? (
            <ValueTree root={was.value.tree} name="state" label="State then" load={load} />
          ) : (
            <p className="quiet">{step ? 'asking…' : 'Choose a moment.'}</p>
          )}
        </section>
        {compare && (
          <section className="part" aria-labelledby={`${id}-diff`}>
            <h3 id={`${id}-diff`}>What is different now</h3>
            {now.state === 'failed' ? (
              <Notice severity="error">{now.words}</Notice>
            ) : was.value && now.value ? (
              <Differences
                before={was.value.tree}
                after={now.value.tree}
                same="The state is the same now."
              />
            ) : (
              <p className="quiet">{step ? 'asking…' : ''}</p>
            )}
          </section>
        )}
      </div>
    </div>
  )
}

/** The last step not after an offset; the newest where there is none. */
export function stepAt(
  steps: readonly Pick<LogEntry, 'offset'>[],
  offset: number | undefined,
): number {
  if (offset === undefined) return steps.length - 1
  return Math.max(
    0,
    steps.findLastIndex((step) => step.offset <= offset),
  )
}

function momentOf({ type, time, offset }: LogEntry): string {
  return `${type}, ${clockTime(time)}, offset ${count(offset)}`
}
