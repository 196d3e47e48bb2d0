/** The peers, by device. */
import type { PeerId } from '@crosstown/bus/inspect'
import { Icon } from '../../ui/icon.tsx'
import { count, rate } from '../shared/format.ts'
import { TableScroll } from '../shared/table-scroll.tsx'
import type { Device } from './devices.ts'
import { Sparkline } from './sparkline.tsx'
import { clockInWords, KINDS, relayInWords, STATES, waitingInWords } from './words.ts'

export function PeerTable({
  devices,
  rates,
  chosen,
  onChoose,
}: {
  devices: readonly Device[]
  rates: ReadonlyMap<PeerId, readonly number[]>
  chosen: PeerId | undefined
  onChoose(peer: PeerId): void
}) {
  return (
    <TableScroll label="Peers by device">
      <table className="plain-table peer-table">
        <caption className="unseen">Peers by device</caption>
        <thead>
          <tr>
            <th scope="col">Context</th>
            <th scope="col">State</th>
            <th
              scope="col"
              title="Of its device, the one context that holds the connection to the relay"
            >
              Leads
            </th>
            <th scope="col" title="Its connection to the relay, and the round trip">
              Relay
            </th>
            <th scope="col" title="Events in the pipeline, and those the room has not confirmed">
              Waiting
            </th>
            <th scope="col" title="Events published and received, over the last minute">
              Rate
            </th>
            <th
              scope="col"
              className="numeric"
              title="Records its ring lost before this panel had them"
            >
              Lost
            </th>
            <th scope="col" className="numeric" title="Its clock against this one">
              Clock
            </th>
          </tr>
        </thead>
        {devices.map((device) => (
          <tbody key={device.id}>
            <tr className="device-row">
              <th scope="rowgroup" colSpan={8} title={device.id}>
                {device.name}
              </th>
            </tr>
            {device.peers.map((peer) => {
              const state = STATES[peer.state]
              const unknown = peer.state === 'gone' || peer.state === 'mismatch'
              const waiting = waitingInWords(peer)
              return (
                <tr
                  key={peer.id}
                  className={`peer-row is-${peer.state} ${peer.id === chosen ? 'chosen' : ''}`}
                >
                  <th scope="row">
                    <button
                      type="button"
                      className="peer-name"
                      aria-pressed={peer.id === chosen}
                      onClick={() => onChoose(peer.id)}
                    >
                      {peer.name}
                    </button>
                    {!peer.name.includes(KINDS[peer.hello.kind]) && (
                      <span className="quiet"> {KINDS[peer.hello.kind]}</span>
                    )}
                  </th>
                  <td title={state.title} className={`state-${peer.state}`}>
                    <span aria-hidden="true">{state.sign} </span>
                    {state.text}
                  </td>
                  <td>
                    {peer.status.lead.self && !unknown && (
                      <span className="leads">
                        <Icon name="crown" />
                        leads
                      </span>
                    )}
                  </td>
                  <td
                    className={
                      !unknown && peer.status.relay === 'refused' ? 'state-error' : undefined
                    }
                  >
                    {unknown ? '' : relayInWords(peer)}
                  </td>
                  <td className={waiting === '' ? 'quiet' : undefined}>
                    {unknown ? '' : waiting || 'nothing'}
                  </td>
                  <td>
                    {!unknown && (
                      <span className="rate-cell">
                        <Sparkline values={rates.get(peer.id) ?? []} />
                        {rate(peer.rate.published + peer.rate.received)}
                      </span>
                    )}
                  </td>
                  <td className={`numeric ${peer.lost > 0 ? 'state-warning' : 'quiet'}`}>
                    {peer.lost > 0 && <span aria-hidden="true">⚠ </span>}
                    {count(peer.lost)}
                  </td>
                  <td className="numeric">{unknown ? '' : clockInWords(peer)}</td>
                </tr>
              )
            })}
          </tbody>
        ))}
      </table>
    </TableScroll>
  )
}
