/** The menu of a row: filter by what stands in the cell, follow its chain, copy, mark, publish again. */
import { quoted } from '../../model/index.ts'
import type { Row } from '../../model/model.ts'
import type { MenuItem } from '../../ui/menu.tsx'
import type { ViewProps } from '../view.ts'
import { COLUMNS } from './columns.ts'
import { copyItems } from './copy-items.ts'

export function rowMenu(
  props: ViewProps,
  row: Row,
  columnId: string | undefined,
  start: number,
): MenuItem[] {
  const { session, selection, panel } = props
  if (row.kind !== 'event')
    return [
      { label: 'Copy text', icon: 'copy', run: () => panel.copy(row.text, 'the note') },
      {
        label: 'Show only such rows',
        icon: 'filter',
        run: () => panel.addTerm(`is:${row.kind}`),
      },
      ...(row.event === undefined
        ? []
        : [{ label: 'Show the event it is about', run: () => panel.reveal(row.event as string) }]),
    ]

  const column =
    COLUMNS.find(({ id }) => id === columnId) ?? COLUMNS.find(({ id }) => id === 'type')
  const term = column?.term?.(row, {
    session,
    time: 'clock',
    above: undefined,
    start,
    preview: undefined,
    marked: false,
  })
  const family = row.event.type.includes('.')
    ? `${row.event.type.slice(0, row.event.type.indexOf('.'))}.**`
    : undefined
  const { event } = row
  return [
    ...(term === undefined
      ? []
      : [
          { label: `Filter by ${term}`, icon: 'filter' as const, run: () => panel.addTerm(term) },
          { label: `Exclude ${term}`, run: () => panel.addTerm(`-${term}`) },
        ]),
    ...(family === undefined
      ? []
      : [
          { label: `Filter by type:${family}`, run: () => panel.addTerm(`type:${quoted(family)}`) },
        ]),
    {
      label: 'Only its conversation',
      run: () => panel.addTerm(`corr:${quoted(event.correlationId ?? event.id)}`),
    },
    { label: 'Only what it caused', run: () => panel.addTerm(`causedby:@${event.id}`) },
    'line',
    {
      label: 'Go to its cause',
      hint: '[',
      disabled: event.causationId === undefined,
      run: () => panel.reveal(event.causationId as string),
    },
    { label: 'Show the sequence', hint: '2', run: () => panel.show('sequence') },
    { label: 'Show the tree', hint: '3', run: () => panel.show('tree') },
    'line',
    ...copyItems(props, row),
    'line',
    {
      label: selection.get().marked === row.id ? 'Take the mark away' : 'Mark to compare',
      icon: 'flag',
      hint: 'm',
      run: () => selection.mark(selection.get().marked === row.id ? undefined : row.id),
    },
    {
      label: 'Compare with the marked event …',
      hint: 'd',
      disabled: [undefined, row.id].includes(selection.get().marked),
      run: () => panel.comparing.set(true),
    },
    {
      label: 'Edit and publish again …',
      icon: 'send',
      hint: 'p',
      run: () => panel.publish(row.id),
    },
  ]
}
