/** Chooses a peer to ask. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { Peer } from '../../model/model.ts'

const SAID: { readonly [state in Peer['state']]: string } = {
  live: '',
  silent: ' (silent)',
  gone: ' (gone)',
  mismatch: ' (other version)',
}

/** Peers that can be asked, the leader of a device first. */
export function askable(peers: Iterable<Peer>, servers = true): Peer[] {
  const rank = (peer: Peer) => (peer.state === 'live' ? 0 : 2) + (peer.status.lead.self ? 0 : 1)
  return [...peers]
    .filter((peer) => peer.state !== 'gone' && peer.state !== 'mismatch')
    .filter((peer) => servers || peer.hello.kind !== 'relay')
    .sort((a, b) => rank(a) - rank(b))
}

export function PeerSelect({
  label,
  peers,
  value,
  onChange,
}: {
  label: string
  peers: readonly Peer[]
  value: PeerId | undefined
  onChange(peer: PeerId): void
}) {
  return (
    <label className="field field-inline">
      <span>{label}</span>
      <select value={value ?? ''} onChange={(event) => onChange(event.target.value)}>
        {value !== undefined && !peers.some((peer) => peer.id === value) && (
          <option value={value}>{value} (gone)</option>
        )}
        {peers.map((peer) => (
          <option key={peer.id} value={peer.id}>
            {peer.name}
            {peer.status.lead.self ? ' · leads' : ''}
            {SAID[peer.state]}
          </option>
        ))}
      </select>
    </label>
  )
}
