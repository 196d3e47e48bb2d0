/** The same as the diagram, as a table. */
import { useMemo, useState } from 'react'
import type { Sequence } from '../../model/model.ts'
import { duration, measured, since } from '../shared/format.ts'
import { type Column, VirtualTable } from '../shared/virtual-table.tsx'
import { laneName } from './words.ts'

type Entry =
  | { readonly is: 'message'; readonly ms: number; readonly of: Sequence['messages'][number] }
  | { readonly is: 'handler'; readonly ms: number; readonly of: Sequence['bars'][number] }

/** Messages and handlers in the order of time. */
export function entriesOf(sequence: Sequence): Entry[] {
  const entries: Entry[] = [
    ...sequence.messages.map((of): Entry => ({ is: 'message', ms: of.sent, of })),
    ...sequence.bars.map((of): Entry => ({ is: 'handler', ms: of.from, of })),
  ]
  return entries.sort((a, b) => a.ms - b.ms || (a.is === b.is ? 0 : a.is === 'message' ? -1 : 1))
}

export function MessageTable({
  sequence,
  selected,
  onSelect,
}: {
  sequence: Sequence
  selected: ReadonlySet<string>
  onSelect(event: string): void
}) {
  const [active, setActive] = useState(-1)
  const entries = useMemo(() => entriesOf(sequence), [sequence])
  const columns = useMemo(() => columnsOf(sequence, entries[0]?.ms ?? 0), [sequence, entries])
  const choose = (index: number) => {
    setActive(index)
    const entry = entries[index]
    if (entry) onSelect(entry.of.event)
  }
  return (
    <VirtualTable
      label="Messages and handlers"
      columns={columns}
      length={entries.length}
      at={(index) => entries[index]}
      active={active}
      onActive={choose}
      minWidth={620}
      rowClass={(entry) =>
        `${selected.has(entry.of.event) ? 'selected ' : ''}${entry.of.failed ? 'row-error' : ''}`
      }
    />
  )
}

function columnsOf(sequence: Sequence, start: number): Column<Entry>[] {
  return [
    { id: 'time', head: 'Time', width: '80px', numeric: true, cell: ({ ms }) => since(ms - start) },
    {
      id: 'type',
      head: 'Event',
      width: 'minmax(120px, 2fr)',
      cell: ({ of }) => of.type,
      title: ({ of }) => of.event,
    },
    {
      id: 'from',
      head: 'From',
      width: 'minmax(80px, 1fr)',
      cell: (entry) => laneName(sequence, entry.is === 'message' ? entry.of.from : entry.of.lane),
    },
    {
      id: 'to',
      head: 'To',
      width: 'minmax(80px, 1fr)',
      cell: (entry) => (entry.is === 'message' ? laneName(sequence, entry.of.to) : 'its handler'),
    },
    {
      id: 'via',
      head: 'Over',
      width: '60px',
      cell: (entry) => (entry.is === 'message' && entry.of.via !== 'self' ? entry.of.via : ''),
    },
    {
      id: 'took',
      head: 'Took',
      width: '120px',
      numeric: true,
      cell: ({ is, of }) =>
        is === 'handler'
          ? duration(of.to - of.from)
          : of.untimed
            ? 'not known'
            : measured(of.ms, of.plusMinus),
    },
    {
      id: 'result',
      head: 'Result',
      width: 'minmax(80px, 1.5fr)',
      cell: (entry) =>
        entry.is === 'message'
          ? entry.of.failed
            ? `✕ ${entry.of.failed}`
            : '✓ arrived'
          : entry.of.failed
            ? '✕ failed'
            : '✓ handled',
      title: (entry) => (entry.is === 'message' ? entry.of.failed : undefined),
    },
  ]
}
