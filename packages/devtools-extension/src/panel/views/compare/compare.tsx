/** An event beside the one that was marked: what is different, of its envelope and of its data. */
import type { Tree } from '@crosstown/bus/inspect'
import { type ReactNode, useEffect, useState } from 'react'
import { askHolders } from '../../copy/load.ts'
import type { EventRow, Hub } from '../../model/model.ts'
import { useStore } from '../../state/store.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { peerName } from '../../ui/peer-name.ts'
import { Differences } from '../shared/differences.tsx'
import { clockTime, list, since } from '../shared/format.ts'
import { Notice } from '../shared/notice.tsx'
import { TableScroll } from '../shared/table-scroll.tsx'
import type { ViewProps } from '../view.ts'
import { envelopeDifference } from './envelope.ts'

/** Levels of data that are compared. */
const DEPTH = 10

/** Shows itself while `panel.comparing` is set. */
export function Compare(props: ViewProps): ReactNode {
  const { hub, session, selection, panel } = props
  const open = useStore(panel.comparing)
  const { marked, current } = useStore(selection)
  if (!open) return null
  const [a, b] = [marked, current].map((id) => (id === undefined ? undefined : session.event(id)))
  return (
    <Dialog title="Compare" place="middle" onClose={() => panel.comparing.set(false)}>
      {!a ? (
        <p className="hint">
          No event is marked. Go to one in the log and press <kbd>m</kbd>; then go to another one
          and press <kbd>d</kbd>.
        </p>
      ) : !b || a.id === b.id ? (
        <p className="hint">
          <strong>{a.event.type}</strong> is marked. Go to another event, and press <kbd>d</kbd>.
        </p>
      ) : (
        <Comparison hub={hub} marked={a} other={b} />
      )}
    </Dialog>
  )
}

function Comparison({ hub, marked, other }: { hub: Hub; marked: EventRow; other: EventRow }) {
  const { fields, same } = envelopeDifference(marked, other)
  const [before, after] = [useData(hub, marked), useData(hub, other)]
  const failed = before.words ?? after.words
  return (
    <div className="compare">
      <TableScroll label="What differs">
        <table className="plain-table">
          <thead>
            <tr>
              <td />
              <th scope="col">
                Marked: {marked.event.type}, {clockTime(marked.ms)},{' '}
                {peerName(hub.session, marked.publisher)}
              </th>
              <th scope="col">
                This: {other.event.type}, {since(other.ms - marked.ms)},{' '}
                {peerName(hub.session, other.publisher)}
              </th>
            </tr>
          </thead>
          <tbody>
            {fields.map(({ name, marked: a, other: b }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{a}</td>
                <td>{b}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
      <p className="hint">
        {fields.length === 0 ? 'All but ids and times is the same' : 'The same'}: {list(same)}.
      </p>
      <h3>Data, from the marked one to this</h3>
      {failed !== undefined ? (
        <Notice severity="error">{failed}</Notice>
      ) : before.tree && after.tree ? (
        <Differences before={before.tree} after={after.tree} same="The data is the same." />
      ) : (
        <p className="hint">asking…</p>
      )}
    </div>
  )
}

interface Data {
  readonly tree?: Tree
  readonly words?: string
}

function useData(hub: Hub, row: EventRow): Data {
  const { id } = row
  const [data, setData] = useState<Data>({})
  // biome-ignore lint/correctness/useExhaustiveDependencies: an event's data is what its id names; its row changes
  useEffect(() => {
    const giveUp = new AbortController()
    const { signal } = giveUp
    setData({})
    askHolders(hub.session, row, (peer) =>
      hub.ask<'payload'>(peer, { what: 'payload', event: id, depth: DEPTH }, { signal }),
    ).then(
      (tree) => !signal.aborted && setData({ tree }),
      (error: unknown) =>
        !signal.aborted &&
        setData({
          words: `The data of ${row.event.type} could not be had: ${error instanceof Error ? error.message : String(error)}`,
        }),
    )
    return () => giveUp.abort()
  }, [hub, id])
  return data
}
