/** What a device keeps: its log with its limits, what waits for the room, and what the room gave. */
import type { StoreInfo } from '@crosstown/bus/inspect'
import type { ReactNode } from 'react'
import { bytes, count, plural, share } from '../shared/format.ts'
import { type Fact, Facts, Meter, Notice } from '../shared/notice.tsx'
import { TableScroll } from '../shared/table-scroll.tsx'

const KINDS: { readonly [kind in StoreInfo['kind']]: string } = {
  disk: 'on disk',
  memory: 'in memory: gone with the context',
  none: 'none',
}

const REASONS: { readonly [reason: string]: string } = {
  trimmed: 'the relay does not keep it any more',
  restored: 'the relay was put back from an older copy',
  new_epoch: 'the room was made anew',
  rights_changed: 'what the old rights hid stays hidden',
}

export function Overview({ store }: { store: StoreInfo }): ReactNode {
  if (store.kind === 'none')
    return (
      <Notice>
        This context keeps no log (<code>log: false</code>, or none is to be had here). Another
        context of the device may have one.
      </Notice>
    )
  return (
    <>
      <section className="part">
        <h2>Log</h2>
        <Meters store={store} />
        <Facts facts={logFacts(store)} />
      </section>
      <section className="part">
        <h2>Outbox and room</h2>
        <Facts facts={roomFacts(store)} />
        {store.room && store.room.gaps.length > 0 && <Gaps gaps={store.room.gaps} />}
      </section>
      <section className="part">
        <h2>Snapshots of projections</h2>
        {store.snapshots.length === 0 ? (
          <p className="quiet">
            None. A projection with a <code>key</code> keeps its state here, and starts from it.
          </p>
        ) : (
          <Snapshots snapshots={store.snapshots} />
        )}
      </section>
    </>
  )
}

function Meters({ store: { events, limits, bytes: used, quota } }: { store: StoreInfo }) {
  return (
    <div>
      <Meter
        label="Events"
        value={events}
        max={limits.events}
        text={`${count(events)} of ${count(limits.events)}, ${share(events, limits.events)}`}
      />
      <Meter
        label="Size"
        value={used}
        max={limits.bytes}
        text={`${bytes(used)} of ${bytes(limits.bytes)}, ${share(used, limits.bytes)}`}
      />
      {quota && (
        <Meter
          label="Site quota"
          value={quota.usage}
          max={quota.quota}
          text={`${bytes(quota.usage)} of ${bytes(quota.quota)}, ${quota.persisted ? 'kept' : 'the browser may evict it'}`}
        />
      )}
    </div>
  )
}

function logFacts({ kind, log, head, first, limits }: StoreInfo): Fact[] {
  return [
    { name: 'Kept', value: KINDS[kind] },
    { name: 'Log id', value: log ? <code>{log}</code> : 'not opened yet' },
    { name: 'Offsets', value: `${count(first)} to ${count(head)}`, title: 'Ordered, not dense' },
    { name: 'Age limit', value: plural(limits.days, 'day') },
  ]
}

function roomFacts({ outbox: { pending, refused, bytes: waiting }, room }: StoreInfo): Fact[] {
  const facts: Fact[] = [
    {
      name: 'Pending',
      value:
        pending === 0
          ? 'nothing waits for the room'
          : `${plural(pending, 'event')}, ${bytes(waiting)}`,
    },
    {
      name: 'Refused',
      value:
        refused === 0 ? 'none' : <span className="state-error">✕ {plural(refused, 'event')}</span>,
    },
  ]
  if (!room) return [...facts, { name: 'Room', value: 'none: this log has no relay' }]
  return [
    ...facts,
    { name: 'Cursor', value: room.cursor ? <code>{room.cursor}</code> : 'nothing of the room yet' },
    { name: 'Epoch', value: room.epoch ? <code>{room.epoch}</code> : 'not known' },
    {
      name: 'Confirmed',
      value: room.confirmed === undefined ? 'none' : `up to batch ${count(room.confirmed)}`,
    },
    { name: 'Belongs to', value: room.subject ?? 'nobody: joined without a token' },
    { name: 'Gaps', value: room.gaps.length === 0 ? 'none' : plural(room.gaps.length, 'gap') },
  ]
}

function Gaps({ gaps }: { gaps: NonNullable<StoreInfo['room']>['gaps'] }) {
  return (
    <TableScroll label="Gaps">
      <table className="plain-table">
        <caption>Gaps: what of the room this device never got</caption>
        <thead>
          <tr>
            <th scope="col">Why</th>
            <th scope="col">Lost from</th>
            <th scope="col">Goes on at</th>
          </tr>
        </thead>
        <tbody>
          {gaps.map(({ reason, from, lost }) => (
            <tr key={`${from} ${lost}`}>
              <td>
                <span className="state-warning" aria-hidden="true">
                  ⚠{' '}
                </span>
                {REASONS[reason] ?? reason}
              </td>
              <td>{lost ? <code>{lost}</code> : 'the start'}</td>
              <td>
                <code>{from}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  )
}

function Snapshots({ snapshots }: { snapshots: StoreInfo['snapshots'] }) {
  return (
    <TableScroll label="Snapshots">
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Key</th>
            <th scope="col" className="numeric">
              As of offset
            </th>
            <th scope="col" className="numeric">
              Size
            </th>
          </tr>
        </thead>
        <tbody>
          {snapshots.map(({ key, offset, bytes: size }) => (
            <tr key={key}>
              <td>
                <code>{key}</code>
              </td>
              <td className="numeric">{offset === undefined ? 'the start' : count(offset)}</td>
              <td className="numeric">{bytes(size)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  )
}
