/** Who told whom, when, and how long it took: a sequence diagram of some events. */
import { type ReactNode, useCallback, useMemo, useState } from 'react'
import { sequenceOf } from '../../model/index.ts'
import type { Sequence } from '../../model/model.ts'
import type { Selected } from '../../state/selection.ts'
import { useStore } from '../../state/store.ts'
import { Segmented } from '../shared/choice.tsx'
import { count, plural } from '../shared/format.ts'
import { Empty, Notice } from '../shared/notice.tsx'
import { type Scope, subjectOf } from '../shared/subject.ts'
import { useCalmVersion } from '../shared/use-calm.ts'
import type { ViewProps } from '../view.ts'
import { Diagram } from './diagram.tsx'
import { MessageTable } from './message-table.tsx'
import './sequence.css'

const ZOOMS = [0.35, 0.5, 0.7, 1, 1.4, 2, 2.8]
const AS_READ_BEST = 3
const CALM_MS = 250
/** Of thousands of events that come and go. */
const CALM_ALL_MS = 1_000

export function SequenceView({ session, filtered, selection, panel }: ViewProps): ReactNode {
  const selected = useStore(selection)
  const [chosen, setChosen] = useState<Scope>()
  const [shape, setShape] = useState<'diagram' | 'table'>('diagram')
  const [zoom, setZoom] = useState(AS_READ_BEST)
  // What is drawn stays as it is while one picks events in it.
  const [picked, setPicked] = useState<Selected>()
  const [anchor, setAnchor] = useState(selected)
  if (selected !== anchor && selected !== picked) setAnchor(selected)
  const scope = chosen ?? (anchor.ids.size > 1 ? 'selection' : 'conversation')
  const version = useCalmVersion(session, scope === 'shown' ? CALM_ALL_MS : CALM_MS)

  // biome-ignore lint/correctness/useExhaustiveDependencies: the session changes in place; its version says so
  const subject = useMemo(
    () => subjectOf(scope, session, filtered, anchor),
    [scope, session, filtered, anchor, version],
  )
  const key = subject.ids.join(' ')
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above, and ids are compared by their text
  const sequence: Sequence = useMemo(
    () => sequenceOf(session, subject.ids),
    [session, key, version],
  )
  const select = useCallback(
    (event: string) => {
      const row = session.event(event)
      if (!row) return panel.say('That event is not captured any more')
      selection.select(row)
      setPicked(selection.get())
    },
    [session, selection, panel],
  )
  const zoomBy = useCallback((by: 1 | -1 | 0) => {
    setZoom((at) => (by === 0 ? AS_READ_BEST : Math.min(ZOOMS.length - 1, Math.max(0, at + by))))
  }, [])

  const anything = sequence.messages.length > 0 || sequence.bars.length > 0
  return (
    <div className="sheet sequence">
      <div className="view-bar">
        <Segmented
          label="Events to draw"
          value={scope}
          onChange={setChosen}
          options={[
            { value: 'selection', label: `Selected (${count(anchor.ids.size)})` },
            {
              value: 'conversation',
              label: 'Conversation',
              title: 'All events of the conversation of the current event',
            },
            { value: 'shown', label: 'All shown', title: 'What the log shows' },
          ]}
        />
        <Segmented
          label="Shape"
          value={shape}
          onChange={setShape}
          options={[
            { value: 'diagram', label: 'Diagram' },
            { value: 'table', label: 'Table' },
          ]}
        />
        {shape === 'diagram' && (
          <fieldset className="zoom">
            <legend className="unseen">Zoom</legend>
            <button
              type="button"
              className="tool"
              onClick={() => zoomBy(-1)}
              disabled={zoom === 0}
              aria-label="Zoom out"
              title="Zoom out (-)"
            >
              −
            </button>
            <button
              type="button"
              className="tool zoom-now"
              onClick={() => zoomBy(0)}
              aria-label={`Zoom ${percent(zoom)}, reset`}
              title="Reset zoom (0)"
            >
              {percent(zoom)}
            </button>
            <button
              type="button"
              className="tool"
              onClick={() => zoomBy(1)}
              disabled={zoom === ZOOMS.length - 1}
              aria-label="Zoom in"
              title="Zoom in (+)"
            >
              +
            </button>
          </fieldset>
        )}
      </div>
      {subject.of > subject.ids.length && (
        <Notice severity="warning">
          The first {count(subject.ids.length)} of {plural(subject.of, 'row')} are drawn. Filter the
          log, or select fewer.
        </Notice>
      )}
      {sequence.notes?.map((note) => (
        <Notice key={note}>{note}</Notice>
      ))}
      {!anything ? (
        <NothingToDraw
          scope={scope}
          any={session.rows.next > session.rows.first}
          onAll={() => setChosen('shown')}
        />
      ) : shape === 'diagram' ? (
        <Diagram
          sequence={sequence}
          zoom={ZOOMS[zoom] ?? 1}
          onZoom={zoomBy}
          selected={selected.ids}
          onSelect={select}
          peers={session.peers}
        />
      ) : (
        <MessageTable sequence={sequence} selected={selected.ids} onSelect={select} />
      )}
    </div>
  )
}

function percent(zoom: number): string {
  return `${Math.round((ZOOMS[zoom] ?? 1) * 100)} %`
}

function NothingToDraw({ scope, any, onAll }: { scope: Scope; any: boolean; onAll(): void }) {
  if (!any)
    return (
      <Empty title="Nothing captured yet">
        <p>
          Publish something in the inspected page. Here you will see who told whom: each context has
          a lane, each arrow is one hop, with how long it took.
        </p>
      </Empty>
    )
  return (
    <Empty title={scope === 'shown' ? 'The log shows no events' : 'No event is selected'}>
      <p>
        {scope === 'shown'
          ? 'Change the filter of the log, and they are drawn here.'
          : 'Select an event in the log to draw its conversation, or several to draw just those (Ctrl or Shift and click, Shift and arrows).'}
      </p>
      {scope !== 'shown' && (
        <p>
          <button type="button" className="button" onClick={onAll}>
            Draw all that the log shows
          </button>
        </p>
      )}
    </Empty>
  )
}
