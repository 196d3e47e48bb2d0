/** All there is to say of one peer: what it is, its subscriptions, its projections. */
import type { PeerId } from '@crosstown/bus/inspect'
import { useEffect, useRef } from 'react'
import type { Hub, Peer } from '../../model/model.ts'
import { FaultPart } from '../faults/fault-form.tsx'
import { count } from '../shared/format.ts'
import { type Fact, Facts, Notice } from '../shared/notice.tsx'
import { TableScroll } from '../shared/table-scroll.tsx'
import {
  clockInWords,
  KINDS,
  logInWords,
  mismatchInWords,
  relayInWords,
  waitingInWords,
} from './words.ts'

export function PeerDetail({
  hub,
  peer,
  onFilter,
  onExplain,
}: {
  hub: Hub
  peer: Peer
  onFilter(): void
  onExplain(peer: PeerId, sub: number): void
}) {
  const { hello, status } = peer
  const place = useRef<HTMLElement>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: another peer is looked at from its beginning
  useEffect(() => {
    place.current?.scrollIntoView({ block: 'nearest' })
  }, [peer.id])
  return (
    <section className="part" aria-label={peer.name} ref={place}>
      <h2>{peer.name}</h2>
      {peer.state === 'mismatch' && (
        <Notice severity="warning">{peer.detail ?? mismatchInWords(peer)}</Notice>
      )}
      {status.error && peer.state !== 'gone' && (
        <Notice severity="error">
          {status.error.message} <code>{status.error.code}</code>
        </Notice>
      )}
      <div className="button-row">
        <button type="button" className="button" onClick={onFilter}>
          Show its events in the log
        </button>
      </div>
      <Facts facts={factsOf(peer)} />
      {hello.kind !== 'relay' && <Subscriptions peer={peer} onExplain={onExplain} />}
      {peer.views.size > 0 && <Views peer={peer} />}
      {hello.kind !== 'relay' && peer.state !== 'gone' && peer.state !== 'mismatch' && (
        <FaultPart key={peer.id} hub={hub} peer={peer} />
      )}
    </section>
  )
}

function factsOf(peer: Peer): Fact[] {
  const { hello, status } = peer
  const facts: Fact[] = [
    { name: 'Kind', value: `${KINDS[hello.kind]}, Crosstown ${hello.library}` },
    { name: 'Bus', value: `${hello.bus}, source ${hello.source}` },
    { name: 'Id', value: <code>{peer.id}</code>, title: 'The prefix of the ids of its events' },
  ]
  if (hello.url) facts.push({ name: 'Address', value: hello.url })
  if (hello.title) facts.push({ name: 'Title', value: hello.title })
  if (hello.kind !== 'relay') {
    facts.push({ name: 'Log', value: logInWords(peer), ...(hello.log && { title: hello.log }) })
    const room = hello.relay ? `${hello.relay.url}, room ${hello.relay.room}` : 'none'
    facts.push({ name: 'Relay', value: hello.relay ? `${room}: ${relayInWords(peer)}` : room })
    const waiting = waitingInWords(peer)
    facts.push({ name: 'Waiting', value: waiting || 'nothing' })
  }
  if (hello.device) facts.push({ name: 'Device', value: <code>{hello.device}</code> })
  if (status.rights) {
    facts.push({ name: 'May publish', value: status.rights.publish.join(', ') || 'nothing' })
    facts.push({ name: 'May read', value: status.rights.subscribe.join(', ') || 'nothing' })
  }
  facts.push({ name: 'Clock', value: clockInWords(peer) })
  return facts
}

function Subscriptions({
  peer,
  onExplain,
}: {
  peer: Peer
  onExplain(peer: PeerId, sub: number): void
}) {
  const subscriptions = [...peer.subscriptions.values()]
  if (subscriptions.length === 0)
    return <p className="quiet">It has no subscriptions: no event reaches a handler here.</p>
  return (
    <TableScroll label="Subscriptions">
      <table className="plain-table">
        <caption>Subscriptions</caption>
        <thead>
          <tr>
            <th scope="col" className="numeric">
              No.
            </th>
            <th scope="col">Patterns</th>
            <th scope="col">Kind</th>
            <th scope="col" className="numeric">
              Calls
            </th>
            <th scope="col" className="numeric">
              Failures
            </th>
            <th scope="col">Made at</th>
            <th scope="col">
              <span className="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {subscriptions.map((subscription) => {
            const { sub, patterns, kind, where, calls, failures, site, ended } = subscription
            return (
              <tr key={sub} className={ended === undefined ? undefined : 'quiet'}>
                <td className="numeric">{sub}</td>
                <td>
                  <code>{patterns.join(', ')}</code>
                </td>
                <td>
                  {kind}
                  {where && (
                    <span title="It has a where, which lets only some events through">
                      {' '}
                      · where
                    </span>
                  )}
                  {ended !== undefined && ' · ended'}
                </td>
                <td className={`numeric ${calls === 0 ? 'state-warning' : ''}`}>
                  {calls === 0 ? 'never' : count(calls)}
                </td>
                <td className={`numeric ${failures > 0 ? 'state-error' : 'quiet'}`}>
                  {failures > 0 && <span aria-hidden="true">✕ </span>}
                  {count(failures)}
                </td>
                <td className="site" title={site}>
                  {site ? <code>{shortSite(site)}</code> : <span className="quiet">not known</span>}
                </td>
                <td>
                  <button
                    type="button"
                    className="link"
                    aria-label={`Why is subscription ${sub} not called?`}
                    onClick={() => onExplain(peer.id, sub)}
                  >
                    Why?
                  </button>
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </TableScroll>
  )
}

/** `cart.ts:12:3` of a whole address. */
export function shortSite(site: string): string {
  return site.slice(site.lastIndexOf('/') + 1).replace(/\?[^:]*/, '')
}

function Views({ peer }: { peer: Peer }) {
  return (
    <TableScroll label="Projections">
      <table className="plain-table">
        <caption>Projections</caption>
        <thead>
          <tr>
            <th scope="col" className="numeric">
              No.
            </th>
            <th scope="col">Patterns</th>
            <th scope="col">Key</th>
            <th scope="col" className="numeric">
              Version
            </th>
          </tr>
        </thead>
        <tbody>
          {[...peer.views.values()].map(({ view, patterns, key, version }) => (
            <tr key={view}>
              <td className="numeric">{view}</td>
              <td>
                <code>{patterns.join(', ')}</code>
              </td>
              <td>{key ?? <span className="quiet">none: no snapshot is kept</span>}</td>
              <td className="numeric">{version}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  )
}
