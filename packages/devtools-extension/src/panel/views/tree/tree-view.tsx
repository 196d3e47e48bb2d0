/** What led to what: a conversation as a tree, with the way to its last event. */

import type { InspectedEvent } from '@crosstown/bus/inspect'
import { useVirtualizer } from '@tanstack/react-virtual'
import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
} from 'react'
import { causalTree } from '../../model/index.ts'
import type { CausalNode, Session } from '../../model/model.ts'
import type { Selected } from '../../state/selection.ts'
import { useStore } from '../../state/store.ts'
import { duration, plural, since } from '../shared/format.ts'
import { Empty } from '../shared/notice.tsx'
import { useCalmVersion } from '../shared/use-calm.ts'
import { ROW_HEIGHT } from '../shared/virtual-table.tsx'
import type { ViewProps } from '../view.ts'
import {
  type Branch,
  branchesOf,
  everyNode,
  nameOfNode,
  type Span,
  spanOf,
  stateOf,
  summaryOf,
} from './branches.ts'
import { moveOf } from './tree-keys.ts'
import './tree.css'
import { useHeaders } from './use-headers.ts'

const CALM_MS = 500
/** Conversations shown of a selection. */
const MOST_ROOTS = 50

export function TreeView({ hub, session, selection, panel }: ViewProps): ReactNode {
  const selected = useStore(selection)
  const version = useCalmVersion(session, CALM_MS)
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set())
  const of = conversationsOf(session, selected).join(' ')
  // biome-ignore lint/correctness/useExhaustiveDependencies: the session changes in place; its version says so
  const roots = useMemo(
    () => rootsOf(of.split(' ').filter(Boolean), (id) => causalTree(session, id)),
    [of, session, version],
  )
  const nodes = useMemo(() => everyNode(roots), [roots])
  const branches = useMemo(() => branchesOf(roots, folded), [roots, folded])
  const span = useMemo(() => spanOf(nodes), [nodes])
  const known = useHeaders(
    hub,
    useMemo(() => nodes.filter(({ event }) => !event).map(({ id }) => id), [nodes]),
  )
  if (nodes.length === 0)
    return (
      <div className="sheet">
        <Empty title="No event is selected">
          <p>
            Select an event in the log. Here you will see what led to it and what it led to: each
            event below its cause, with the time between them. An event has a cause where it was
            published with <code>ctx.publish</code> or a <code>causationId</code>.
          </p>
        </Empty>
      </div>
    )
  const fold = (ids: Iterable<string>, away: boolean) =>
    setFolded((before) => {
      const after = new Set(before)
      for (const id of ids) away ? after.add(id) : after.delete(id)
      return after
    })
  return (
    <div className="sheet tree">
      <div className="view-bar">
        <p className="grow">{summaryOf(roots, nodes)}</p>
        <button
          type="button"
          className="tool"
          onClick={() =>
            fold(
              nodes.filter(({ children }) => children.length > 0).map(({ id }) => id),
              true,
            )
          }
        >
          Fold all
        </button>
        <button type="button" className="tool" onClick={() => setFolded(new Set())}>
          Unfold all
        </button>
      </div>
      <TreeList
        branches={branches}
        span={span}
        known={known}
        selected={selected}
        onFold={fold}
        onChoose={(node) => {
          const row = session.event(node.id)
          if (row) selection.select(row)
          else panel.say('That event was not captured')
        }}
        onReveal={(node) => node.event && panel.reveal(node.id)}
      />
    </div>
  )
}

/** One event of each conversation that is selected. */
function conversationsOf(session: Session, { ids, current }: Selected): string[] {
  const one = new Map<string, string>()
  for (const id of current === undefined ? ids : [current, ...ids]) {
    const row = session.event(id)
    const conversation = row?.event.correlationId ?? id
    if (!one.has(conversation)) one.set(conversation, conversation)
    if (one.size >= MOST_ROOTS) break
  }
  return [...one.values()]
}

function rootsOf(ids: readonly string[], treeOf: (id: string) => CausalNode): CausalNode[] {
  const roots = new Map<string, CausalNode>()
  for (const id of ids) {
    const root = treeOf(id)
    roots.set(root.id, root)
  }
  return [...roots.values()]
}

function TreeList({
  branches,
  span,
  known,
  selected,
  onFold,
  onChoose,
  onReveal,
}: {
  branches: readonly Branch[]
  span: Span
  known: ReadonlyMap<string, InspectedEvent>
  selected: Selected
  onFold(ids: Iterable<string>, away: boolean): void
  onChoose(node: CausalNode): void
  onReveal(node: CausalNode): void
}) {
  const id = useId()
  const scroller = useRef<HTMLDivElement>(null)
  const [activeId, setActiveId] = useState<string>()
  const current = activeId ?? selected.current
  const active = branches.findIndex(({ node }) => node.id === current)
  const rows = useVirtualizer({
    count: branches.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 8,
  })
  useEffect(() => {
    if (active >= 0) rows.scrollToIndex(active)
  }, [active, rows])
  const keys = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    const branch = branches[active]
    const move = moveOf(event.key, active, branches)
    if (event.key === 'Enter' && branch)
      event.shiftKey ? onReveal(branch.node) : onChoose(branch.node)
    else if (event.key === ' ' && branch) onChoose(branch.node)
    else if (!move) return
    else if ('to' in move) setActiveId(branches[move.to]?.node.id)
    else if ('fold' in move) onFold([move.fold], true)
    else onFold(move.unfold, false)
    event.preventDefault()
  }
  const seen = rows.getVirtualItems()
  const inPage = seen.some(({ index }) => index === active)
  return (
    <div className="focus-ring">
      <div
        className="tree-scroll"
        ref={scroller}
        role="tree"
        aria-label="Events by their causes"
        aria-activedescendant={inPage ? `${id}-${active}` : undefined}
        data-keys="grid"
        tabIndex={0}
        onKeyDown={keys}
      >
        <div role="presentation" style={{ blockSize: rows.getTotalSize(), position: 'relative' }}>
          {seen.map(({ index, start }) => {
            const branch = branches[index]
            if (!branch) return null
            const { node } = branch
            return (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the tree's, which has the focus
              <div
                key={node.id}
                id={`${id}-${index}`}
                role="treeitem"
                aria-level={branch.level}
                aria-posinset={branch.position}
                aria-setsize={branch.siblings}
                aria-expanded={node.children.length > 0 ? branch.expanded : undefined}
                aria-selected={selected.ids.has(node.id)}
                className={`tree-row${index === active ? ' active' : ''}${node.critical ? ' critical' : ''}`}
                style={{ insetBlockStart: start }}
                onClick={() => {
                  setActiveId(node.id)
                  onChoose(node)
                }}
                onDoubleClick={() => onReveal(node)}
              >
                <TreeRow branch={branch} span={span} event={known.get(node.id)} onFold={onFold} />
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}

function TreeRow({
  branch,
  span,
  event,
  onFold,
}: {
  branch: Branch
  span: Span
  event: InspectedEvent | undefined
  onFold(ids: Iterable<string>, away: boolean): void
}) {
  const { node, level, expanded } = branch
  const state = stateOf(node)
  return (
    <>
      <span className="tree-name" style={{ paddingInlineStart: Math.min(level - 1, 24) * 16 }}>
        {node.children.length > 0 ? (
          <span
            aria-hidden="true"
            className="tree-twist"
            onClick={(click) => {
              click.stopPropagation()
              onFold([node.id], expanded)
            }}
          >
            {expanded ? '▾' : '▸'}
          </span>
        ) : (
          <span aria-hidden="true" className="tree-twist" />
        )}
        <span
          aria-hidden="true"
          className="tree-mark"
          title={node.critical ? 'On the way to the last event' : undefined}
        >
          {node.critical ? '◆' : '·'}
        </span>
        <span className="ellipsis" title={node.id}>
          {event && !node.event ? event.type : nameOfNode(node)}
        </span>
        {state.bad && (
          <span className="tree-bad state-error" title={state.text}>
            {' '}
            ✕
          </span>
        )}
        {node.critical && <span className="unseen">, on the way to the last event</span>}
        {node.more !== undefined && <span className="quiet"> + {plural(node.more, 'effect')}</span>}
      </span>
      <span className="tree-after mono">{node.after === undefined ? '' : since(node.after)}</span>
      <span className="tree-from ellipsis" title={node.publisher}>
        {node.publisher ?? event?.source ?? ''}
      </span>
      <span
        className={`tree-state ellipsis ${state.bad ? 'state-error' : 'quiet'}`}
        title={state.text}
      >
        {state.bad && <span aria-hidden="true">✕ </span>}
        {event && !node.event ? 'from a log' : state.text}
      </span>
      <Waterfall node={node} span={span} />
    </>
  )
}

/** When it was, and how long its handlers took, within the whole. */
function Waterfall({ node: { event, after }, span }: { node: CausalNode; span: Span }) {
  if (!event) return <span className="tree-fall" aria-hidden="true" />
  const whole = Math.max(span.to - span.from, 0.001)
  const part = (ms: number) => `${(Math.max(0, ms) / whole) * 100}%`
  const length = Math.max(event.latency ?? 0, event.duration ?? 0)
  return (
    <span
      className="tree-fall"
      aria-hidden="true"
      title={`${since(event.ms - span.from)}${length > 0 ? `, handled within ${duration(length)}` : ''}`}
    >
      {after !== undefined && after > 0 && (
        <span
          className="fall-wait"
          style={{ insetInlineStart: part(event.ms - after - span.from), inlineSize: part(after) }}
        />
      )}
      <span
        className="fall-bar"
        style={{ insetInlineStart: part(event.ms - span.from), inlineSize: part(length) }}
      />
    </span>
  )
}
