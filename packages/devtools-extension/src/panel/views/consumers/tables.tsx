/** Tables of consumers, groups, and handlers with options. */
import type { PeerId } from '@crosstown/bus/inspect'
import { type ReactNode, useId } from 'react'
import type { Peer } from '../../model/model.ts'
import { Icon } from '../../ui/icon.tsx'
import { count } from '../shared/format.ts'
import { TableScroll } from '../shared/table-scroll.tsx'
import type { ConsumerRow, GroupRow, HandlerRow } from './gathered.ts'
import { BREAKERS, CONSUMER_STATES } from './words.ts'

interface Column<Row> {
  readonly head: string
  readonly title?: string
  readonly numeric?: true
  /** The first is the row's heading. */
  readonly cell: (row: Row) => ReactNode
}

export function Part<Row extends { readonly key: string }>({
  title,
  columns,
  rows,
}: {
  title: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
}) {
  const id = useId()
  return (
    <section className="part" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <TableScroll label={title}>
        <table className="plain-table consumer-table" aria-labelledby={id}>
          <thead>
            <tr>
              {columns.map(({ head, title, numeric }) => (
                <th key={head} scope="col" title={title} className={numeric && 'numeric'}>
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.key}>
                {columns.map(({ head, numeric, cell }, index) =>
                  index === 0 ? (
                    <th key={head} scope="row">
                      {cell(row)}
                    </th>
                  ) : (
                    <td key={head} className={numeric && 'numeric'}>
                      {cell(row)}
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </section>
  )
}

const CONSUMERS: readonly Column<ConsumerRow>[] = [
  { head: 'Consumer', cell: ({ info }) => <Named name={info.name} patterns={info.patterns} /> },
  {
    head: 'State',
    cell: ({ info }) => <Said said={CONSUMER_STATES[info.state]} />,
  },
  {
    head: 'In',
    title: 'The context that consumes; where none does, one that told of it',
    cell: ({ info, peer }) => (info.state === 'idle' ? 'nobody' : peer.name),
  },
  {
    head: 'Floor',
    title: 'Everything up to this offset of the log is settled',
    numeric: true,
    cell: ({ info }) => count(info.floor),
  },
  {
    head: 'Pending',
    title: 'Events under way, and those that wait to be given again',
    numeric: true,
    cell: ({ info }) => <Amount value={info.pending} />,
  },
  {
    head: 'Lag',
    title: 'Events of the log that it was not given yet',
    numeric: true,
    cell: ({ info }) => <Amount value={info.lag} />,
  },
  {
    head: 'Redelivered',
    title: 'Given more than once',
    numeric: true,
    cell: ({ info }) => <Amount value={info.redelivered} />,
  },
  {
    head: 'Dead',
    title: 'Given up',
    numeric: true,
    cell: ({ info }) => <Amount value={info.dead} level="error" />,
  },
]

export function ConsumerTable({ rows }: { rows: readonly ConsumerRow[] }): ReactNode {
  return <Part title="Durable consumers" columns={CONSUMERS} rows={rows} />
}

export function GroupTable({
  rows,
  peers,
}: {
  rows: readonly GroupRow[]
  peers: ReadonlyMap<PeerId, Peer>
}): ReactNode {
  return <Part title="Groups" columns={groupColumns(peers)} rows={rows} />
}

function groupColumns(peers: ReadonlyMap<PeerId, Peer>): readonly Column<GroupRow>[] {
  return [
    {
      head: 'Group',
      cell: ({ info }) => <Named name={info.name} patterns={info.patterns ?? []} />,
    },
    {
      head: 'Members',
      title: 'Devices that take part, and how many events each has leased',
      cell: ({ info, peer }) => (
        <span className="members">
          {info.members.map(({ device, leases }) => (
            <span key={device} className="member">
              {deviceName(device, peers)} <span className="quiet">{count(leases)} leased</span>
            </span>
          ))}
          {info.members.length === 0 && <span className="state-warning">nobody takes part</span>}
          {peer.hello.kind !== 'relay' && (
            <span className="quiet">as {peer.name} knows it: inspect the relay for all</span>
          )}
        </span>
      ),
    },
    {
      head: 'Pending',
      title: 'Events leased, and those that wait to be leased again',
      numeric: true,
      cell: ({ info }) => <Amount value={info.pending} />,
    },
    {
      head: 'Lag',
      title: 'Events of the room that nobody was given yet',
      numeric: true,
      cell: ({ info }) => <Amount value={info.lag} />,
    },
    {
      head: 'Redelivered',
      title: 'Leased more than once',
      numeric: true,
      cell: ({ info }) => <Amount value={info.redelivered} />,
    },
    {
      head: 'Dead',
      title: 'Given up',
      numeric: true,
      cell: ({ info }) => <Amount value={info.dead} level="error" />,
    },
  ]
}

/** What the panel calls the contexts of a device. */
function deviceName(device: string, peers: ReadonlyMap<PeerId, Peer>): string {
  const of = [...peers.values()].filter(
    ({ hello, state }) => hello.device === device && state !== 'gone',
  )
  const [leader = of[0]] = of.filter(({ status }) => status.lead.self)
  return leader?.name ?? device
}

const HANDLERS: readonly Column<HandlerRow>[] = [
  { head: 'Handler', cell: ({ info }) => <code>{info.patterns.join(', ')}</code> },
  { head: 'In', cell: ({ peer }) => peer.name },
  {
    head: 'Breaker',
    title: 'Of its policy',
    cell: ({ info, breaker }) =>
      breaker === 'none' && info.policy ? (
        <span className="quiet">nothing known</span>
      ) : (
        <Said said={BREAKERS[breaker]} />
      ),
  },
  {
    head: 'Waiting',
    title: 'Events that wait for their turn',
    numeric: true,
    cell: ({ info }) => <Amount value={info.waiting} />,
  },
  {
    head: 'Running',
    title: 'Calls that run, of those that may run at once',
    numeric: true,
    cell: ({ info: { running, concurrency } }) =>
      concurrency === undefined ? count(running) : `${count(running)} of ${count(concurrency)}`,
  },
  { head: 'Handled', numeric: true, cell: ({ info }) => count(info.handled) },
  {
    head: 'Failed',
    title: 'Calls that failed, those that were tried again too',
    numeric: true,
    cell: ({ info }) => <Amount value={info.failed} level="warning" />,
  },
  {
    head: 'Retried',
    numeric: true,
    cell: ({ info }) => <Amount value={info.retried} />,
  },
  {
    head: 'Given up',
    title: 'Events whose last attempt failed',
    numeric: true,
    cell: ({ info }) => <Amount value={info.dead} level="error" />,
  },
  {
    head: 'Dropped',
    title: 'Events the buffer had no room for',
    numeric: true,
    cell: ({ info }) => <Amount value={info.dropped} level="error" />,
  },
]

export function HandlerTable({ rows }: { rows: readonly HandlerRow[] }): ReactNode {
  return <Part title="Handlers with options" columns={HANDLERS} rows={rows} />
}

function Named({ name, patterns }: { name: string; patterns: readonly string[] }) {
  return (
    <span className="consumer-name">
      <span>{name}</span>
      {patterns.length > 0 && <code className="quiet">{patterns.join(', ')}</code>}
    </span>
  )
}

function Said({ said: { icon, text, title, level } }: { said: (typeof BREAKERS)['open'] }) {
  return (
    <span className={level === 'quiet' ? 'quiet said' : `state-${level} said`} title={title}>
      {icon && <Icon name={icon} />}
      {text}
    </span>
  )
}

/** 0 is no news. */
function Amount({ value, level }: { value: number | undefined; level?: 'warning' | 'error' }) {
  if (value === undefined) return <span className="quiet">not known</span>
  if (value === 0) return <span className="quiet">0</span>
  if (!level) return count(value)
  return (
    <span className={`state-${level} said said-amount`}>
      <Icon name={level} />
      {count(value)}
    </span>
  )
}
