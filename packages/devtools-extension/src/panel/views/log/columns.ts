/** The columns of the log: what stands in them, how wide they are, and which go first where it is narrow. */
import { termFor } from '../../model/index.ts'
import type { EventRow, Session } from '../../model/model.ts'
import type { ColumnId, Settings } from '../../state/settings.ts'
import { bytes, clockTime, count, delta, duration } from '../../ui/format.ts'
import { peerName, publisherName } from '../../ui/peer-name.ts'
import {
  type Cell,
  type CellContext,
  deliveredCell,
  directionCell,
  gotText,
  typeCell,
} from './cells.ts'

export interface Column {
  readonly id: ColumnId
  readonly label: string
  /** What the heading stands for, in words. */
  readonly title: string
  /** px; of the column that takes what is left, at least. */
  readonly width: number
  readonly numeric?: true
  /** Where it is narrow, the highest goes first; 0 never. */
  readonly leaves: number
  /** px of the list from which it is shown at all. */
  readonly from?: number
  text(row: EventRow, context: CellContext): string
  /** Where more than the text is in it. */
  readonly cell?: Cell
  /** The term that lets rows like this one through. */
  term?(row: EventRow, context: CellContext): string | undefined
}

export const COLUMNS: readonly Column[] = [
  {
    id: 'time',
    label: 'Time',
    title: 'When it was published, by the clock of this panel',
    width: 92,
    numeric: true,
    leaves: 2,
    text: timeText,
  },
  {
    id: 'direction',
    label: 'Dir',
    title: 'Published by the inspected device, or come from elsewhere',
    width: 32,
    leaves: 6,
    text: (row) => (row.direction === 'out' ? 'out' : 'in'),
    cell: directionCell,
  },
  {
    id: 'type',
    label: 'Type',
    title: 'Type of the event',
    width: 150,
    leaves: 0,
    text: (row) => row.event.type,
    cell: typeCell,
    term: (row) => termFor('type', row.event.type),
  },
  {
    id: 'data',
    label: 'Data',
    title: 'Beginning of the data, asked for when the list rests',
    width: 140,
    leaves: 9.5,
    from: 900,
    text: (_, { preview }) => preview ?? '',
  },
  {
    id: 'from',
    label: 'From',
    title: 'Who published it',
    width: 118,
    leaves: 3,
    text: (row, { session }) => publisherName(session, row),
    term: (row, { session }) => termFor('from', publisherName(session, row)),
  },
  {
    id: 'to',
    label: 'To',
    title: 'Who got it, or how far it goes',
    width: 118,
    leaves: 5,
    text: (row, { session }) => reached(session, row),
    term: (row) => `scope:${row.event.scope ?? 'room'}`,
  },
  {
    id: 'delivered',
    label: 'Got',
    title: 'Deliveries made, of those expected; ? where that was not captured',
    width: 62,
    numeric: true,
    leaves: 4,
    text: gotText,
    cell: deliveredCell,
  },
  {
    id: 'duration',
    label: 'Handler',
    title: 'The longest handler',
    width: 72,
    numeric: true,
    leaves: 7,
    text: (row) => (row.duration === undefined ? '' : duration(row.duration)),
    term: (row) => (row.duration === undefined ? undefined : `dur:>=${trimmed(row.duration)}ms`),
  },
  {
    id: 'size',
    label: 'Size',
    title: 'Header and data, UTF-8',
    width: 64,
    numeric: true,
    leaves: 8,
    text: (row) => bytes(row.event.bytes),
    term: (row) => `size:>=${row.event.bytes}`,
  },
  {
    id: 'latency',
    label: 'Latency',
    title: 'From publishing to the last first handling',
    width: 72,
    numeric: true,
    leaves: 9,
    text: (row) => (row.latency === undefined ? '' : duration(row.latency)),
    term: (row) => (row.latency === undefined ? undefined : `latency:>=${trimmed(row.latency)}ms`),
  },
  {
    id: 'stream',
    label: 'Stream',
    title: 'Stream of the event, and its revision there',
    width: 110,
    leaves: 10,
    text: ({ event }) =>
      event.stream === undefined
        ? ''
        : event.revision === undefined
          ? event.stream
          : `${event.stream} #${count(event.revision)}`,
    term: ({ event }) => (event.stream === undefined ? undefined : termFor('stream', event.stream)),
  },
  {
    id: 'state',
    label: 'State',
    title:
      'How far it is: pending, logged, relayed, refused, failed, cast without a log, or not known',
    width: 70,
    leaves: 11,
    text: (row) => (row.state === 'unknown' ? 'not known' : row.state),
    term: (row) => `state:${row.state}`,
  },
]

/** Of the type, where another column takes the rest. */
const TYPE_WIDTH = 240

/** The columns there is room for. */
export function columnsFor(settings: Settings, width: number): readonly Column[] {
  const wanted = COLUMNS.filter(
    (column) => !settings.hidden.includes(column.id) && width >= (column.from ?? 0),
  )
  const dropping = [...wanted].sort((a, b) => b.leaves - a.leaves)
  const shown = new Set(wanted)
  let total = wanted.reduce((sum, column) => sum + leastWidth(column, settings), 0)
  for (const column of dropping) {
    if (total <= width || column.leaves === 0) break
    shown.delete(column)
    total -= leastWidth(column, settings)
  }
  // What went first may still have room: a narrow one where a wide one had to go.
  for (const column of dropping.toReversed()) {
    const needed = leastWidth(column, settings)
    if (shown.has(column) || total + needed > width) continue
    shown.add(column)
    total += needed
  }
  return wanted.filter((column) => shown.has(column))
}

/** The column that takes what the others leave: the data, and without it the type. */
export function restOf(columns: readonly Column[]): ColumnId {
  return columns.some(({ id }) => id === 'data') ? 'data' : 'type'
}

/** Whether a column has a width of its own that can be set. */
export function isSized(column: Column): boolean {
  return column.id !== 'data'
}

export function widthOf(column: Column, settings: Settings): number {
  const standard = column.id === 'type' ? TYPE_WIDTH : column.width
  return settings.widths[column.id] ?? standard
}

export function template(columns: readonly Column[], settings: Settings): string {
  const rest = restOf(columns)
  return columns
    .map((column) =>
      column.id === rest ? `minmax(${column.width}px, 1fr)` : `${widthOf(column, settings)}px`,
    )
    .join(' ')
}

/** Where others take the rest, the type has its width; where it does itself, as much as it must. */
function leastWidth(column: Column, settings: Settings): number {
  return column.id === 'type' || column.id === 'data' ? column.width : widthOf(column, settings)
}

/** When a row was, of an event or not, as times are told. */
export function timeText(
  { ms }: { readonly ms: number },
  { time, above, start }: Pick<CellContext, 'time' | 'above' | 'start'>,
): string {
  if (time === 'clock') return clockTime(ms)
  if (time === 'elapsed') return `${((ms - start) / 1000).toFixed(3)} s`
  return above === undefined ? '0' : delta(ms - above)
}

function trimmed(ms: number): string {
  return String(Number(ms.toPrecision(3)))
}

/** Who got it: the first, and how many more; until somebody did, how far it goes. */
function reached(session: Session, row: EventRow): string {
  const scope = row.event.scope ?? 'room'
  if (row.delivered === 0) return scope
  const names = new Set<string>()
  for (const step of session.steps(row.id))
    if (step.is === 'handled' && step.peer !== row.publisher)
      names.add(peerName(session, step.peer))
  if (names.size === 0) return 'itself'
  const [first] = names
  return names.size === 1 ? `${first}` : `${first} +${names.size - 1}`
}
