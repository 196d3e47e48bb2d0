/** Tables of consumers, groups, and handlers with options. */
import type { GroupInfo, PeerId } from '@crosstown/bus/inspect'
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
    <section className="part">
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

/** Numbers of consumers and groups alike. */
const counts = (told: { readonly pending: string; readonly lag: string; readonly again: string }) =>
  [
    {
      head: 'Lag',
      title: told.lag,
      numeric: true,
      cell: ({ info }: ConsumerRow | GroupRow) => <Amount value={info.lag} />,
    },
    {
      head: 'Pending',
      title: told.pending,
      numeric: true,
      cell: ({ info }: ConsumerRow | GroupRow) => <Amount value={info.pending} />,
    },
    {
      head: 'Dead',
      title: 'Given up',
      numeric: true,
      cell: ({ info }: ConsumerRow | GroupRow) => <Amount value={info.dead} level="error" />,
    },
    {
      head: 'Redelivered',
      title: told.again,
      numeric: true,
      cell: ({ info }: ConsumerRow | GroupRow) => <Amount value={info.redelivered} />,
    },
  ] as const

// What is looked for first comes first: where it is narrow, the rest has to be scrolled to.
const CONSUMERS: readonly Column<ConsumerRow>[] = [
  { head: 'Consumer', cell: ({ info }) => <Named name={info.name} patterns={info.patterns} /> },
  { head: 'State', cell: ({ info }) => <Said said={CONSUMER_STATES[info.state]} /> },
  ...counts({
    lag: 'Events of the log that it was not given yet',
    pending: 'Events under way, and those that wait to be given again',
    again: 'Given more than once',
  }),
  {
    head: 'Floor',
    title: 'Everything up to this offset of the log is settled',
    numeric: true,
    cell: ({ info }) => count(info.floor),
  },
  {
    head: 'In',
    title: 'The context that consumes; where none does, one that told of it',
    cell: ({ info, peer }) => (info.state === 'idle' ? 'nobody' : peer.name),
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
  // Only members know.
  const known = rows.some(({ info }) => info.redelivered !== undefined)
  const columns = groupColumns(peers).filter(({ head }) => known || head !== 'Redelivered')
  return <Part title="Groups" columns={columns} rows={rows} />
}

function groupColumns(peers: ReadonlyMap<PeerId, Peer>): readonly Column<GroupRow>[] {
  return [
    {
      head: 'Group',
      cell: ({ info }) => <Named name={info.name} patterns={info.patterns ?? []} />,
    },
    ...counts({
      lag: 'Events of the room that nobody was given yet',
      pending: 'Events leased, and those that wait to be leased again',
      again: 'Leased more than once',
    }),
    {
      head: 'Members',
      title: 'Devices that take part, and how many events each has leased',
      cell: ({ info, peer }) => (
        <span className="members">
          {byDevice(info.members).map(({ device, leases }) => (
            <span key={device}>
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
  ]
}

/** A device may have several members. */
function byDevice(members: GroupInfo['members']): GroupInfo['members'] {
  const leases = new Map<string, number>()
  for (const { device, leases: some } of members)
    leases.set(device, (leases.get(device) ?? 0) + some)
  return [...leases].map(([device, leases]) => ({ device, leases }))
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
  { head: 'Handled', numeric: true, cell: ({ info }) => count(info.handled) },
  { head: 'In', cell: ({ peer }) => peer.name },
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
