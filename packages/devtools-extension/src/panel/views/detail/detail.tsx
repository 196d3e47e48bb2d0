/** All there is to know of the selected event, or of the note that stands there instead. */
import { type ReactNode, useState } from 'react'
import type { EventRow, NoteRow } from '../../model/model.ts'
import { usePacedVersion, useStore } from '../../state/store.ts'
import { clockTime, plural } from '../../ui/format.ts'
import { Icon } from '../../ui/icon.tsx'
import { Menu, type MenuAt } from '../../ui/menu.tsx'
import { publisherName } from '../../ui/peer-name.ts'
import { Tabs } from '../../ui/tabs.tsx'
import { copyItems } from '../log/copy-items.ts'
import { causes, effects } from '../log/related.ts'
import type { ViewProps } from '../view.ts'
import { Chain } from './chain.tsx'
import { Delivery } from './delivery.tsx'
import './detail.css'
import { Envelope } from './envelope.tsx'
import type { EventDetailProps } from './event-detail.ts'
import { Payload } from './payload.tsx'
import { Timeline } from './timeline.tsx'

export interface DetailProps extends ViewProps {
  onClose(): void
}

const TABS = ['payload', 'envelope', 'delivery', 'chain', 'timeline'] as const
type TabId = (typeof TABS)[number]

export function Detail(props: DetailProps): ReactNode {
  const { session, selection } = props
  usePacedVersion(session, session)
  const selected = useStore(selection)
  const row =
    selected.current === undefined
      ? selected.row === undefined
        ? undefined
        : session.rows.at(selected.row)
      : session.event(selected.current)
  if (row?.kind === 'event') return <EventDetail {...props} row={row} count={selected.ids.size} />
  if (row) return <NoteDetail {...props} row={row} />
  return (
    <div className="detail">
      <Head title="Forgotten" onClose={props.onClose} />
      <p className="detail-words">
        This row had to go: the log keeps the newest rows within its limit.
      </p>
    </div>
  )
}

function EventDetail(
  props: DetailProps & { readonly row: EventRow; readonly count: number },
): ReactNode {
  const { session, panel, row, count, onClose } = props
  const settings = useStore(panel.settings)
  const [copyAt, setCopyAt] = useState<MenuAt>()
  const tab = TABS.find((id) => id === settings.detail.tab) ?? 'payload'
  const steps = session.steps(row.id)
  const related = causes(session, row).length + effects(session, row).length
  const Shown = SHOWN[tab]

  return (
    <div className="detail">
      <Head title={row.event.type} onClose={onClose}>
        {count > 1 && <span className="hint">{plural(count, 'selected', 'selected')}</span>}
        <button
          type="button"
          className="tool"
          aria-haspopup="menu"
          aria-label="Copy as"
          title="Copy as … (c)"
          onClick={(event) => {
            const box = event.currentTarget.getBoundingClientRect()
            setCopyAt({ x: box.left, y: box.bottom })
          }}
        >
          <Icon name="copy" />
        </button>
        <button
          type="button"
          className="tool"
          aria-label="Edit and publish again"
          title="Edit and publish again (p)"
          onClick={() => panel.publish(row.id)}
        >
          <Icon name="send" />
        </button>
      </Head>
      <p className="detail-line">
        <State row={row} />
        <span className="ellipsis">
          {clockTime(row.ms)} from {publisherName(session, row)}
        </span>
      </p>
      <div className="detail-tabs">
        <Tabs
          label="Detail"
          prefix="detail"
          current={tab}
          tabs={[
            { id: 'payload', label: 'Payload' },
            { id: 'envelope', label: 'Envelope' },
            { id: 'delivery', label: 'Delivery', count: row.expected },
            { id: 'chain', label: 'Chain', title: 'Causes and effects', count: related },
            { id: 'timeline', label: 'Timeline', count: steps.length },
          ]}
          onShow={(next) =>
            panel.settings.update((now) => ({ ...now, detail: { ...now.detail, tab: next } }))
          }
        />
      </div>
      <div
        id="detail-panel"
        className="detail-body"
        role="tabpanel"
        aria-labelledby={`detail-tab-${tab}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by key
        tabIndex={0}
      >
        <Shown key={row.id} {...props} />
      </div>
      {copyAt && (
        <Menu
          label="Copy as"
          at={copyAt}
          items={copyItems(props, row)}
          onClose={() => setCopyAt(undefined)}
        />
      )}
    </div>
  )
}

const SHOWN: Readonly<Record<TabId, (props: EventDetailProps) => ReactNode>> = {
  payload: Payload,
  envelope: Envelope,
  delivery: Delivery,
  chain: Chain,
  timeline: Timeline,
}

const STATES = {
  unknown: {
    icon: 'unknown',
    text: 'not known',
    means: 'its publisher was not captured then, and nobody else tells how far it came',
  },
  pending: { icon: 'clock', text: 'pending', means: 'not in the log yet' },
  logged: { icon: 'check', text: 'logged', means: 'committed to the log of its device' },
  relayed: { icon: 'check', text: 'relayed', means: 'confirmed by the room' },
  refused: { icon: 'cross', text: 'refused', means: 'the relay did not take it' },
  failed: { icon: 'error', text: 'failed', means: 'a handler or a stage failed' },
  cast: { icon: 'send', text: 'cast', means: 'without a log: best effort, nothing is repeated' },
} as const

function State({ row }: { readonly row: EventRow }): ReactNode {
  const { icon, text, means } = STATES[row.state]
  return (
    <span className={`state state-${row.state}`} title={means}>
      <Icon name={icon} />
      {text}
      {row.failures > 0 && row.state !== 'failed' && `, ${plural(row.failures, 'failure')}`}
    </span>
  )
}

function NoteDetail({
  row,
  panel,
  session,
  onClose,
}: DetailProps & { readonly row: NoteRow }): ReactNode {
  const { event } = row
  return (
    <div className="detail">
      <Head title={NOTE_TITLES[row.kind]} onClose={onClose} />
      <p className="detail-line">
        {clockTime(row.ms)}
        {row.peer !== undefined && ` at ${session.peers.get(row.peer)?.name ?? row.peer}`}
      </p>
      <p className="detail-words">{row.text}</p>
      {event !== undefined && (
        <p className="detail-words">
          <button type="button" className="link" onClick={() => panel.reveal(event)}>
            Show the event it is about
          </button>
        </p>
      )}
    </div>
  )
}

const NOTE_TITLES: Readonly<Record<NoteRow['kind'], string>> = {
  gap: 'Gap',
  lost: 'Lost records',
  error: 'Error',
  leader: 'Leader',
  connection: 'Connection',
  peer: 'Peer',
  life: 'Life of a page',
  mark: 'Mark',
}

function Head({
  title,
  children,
  onClose,
}: {
  readonly title: string
  readonly children?: ReactNode
  onClose(): void
}): ReactNode {
  return (
    <header className="detail-head">
      <h2 className="grow ellipsis" title={title}>
        {title}
      </h2>
      {children}
      <button
        type="button"
        className="tool"
        aria-label="Close the detail"
        title="Close (Esc)"
        onClick={onClose}
      >
        <Icon name="close" />
      </button>
    </header>
  )
}
