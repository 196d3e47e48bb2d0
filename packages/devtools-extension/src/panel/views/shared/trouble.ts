/** Why a peer did not answer, in words. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { Hub } from '../../model/model.ts'

/** The name a peer has in the panel. */
export function nameOf(peers: Hub['session']['peers'], peer: PeerId): string {
  return peers.get(peer)?.name ?? peer
}

/** One or two sentences: what happened, and what can be done. */
export function troubleInWords(error: unknown, hub: Hub, peer: PeerId): string {
  const known = hub.session.peers.get(peer)
  const name = nameOf(hub.session.peers, peer)
  if (known?.state === 'gone')
    return `${name} is gone: its page was closed or has gone elsewhere. Choose another context of the device.`
  if (known?.state === 'mismatch')
    return `${name} speaks another version of the inspection protocol, and cannot be asked.`
  const said = error instanceof Error ? error.message : String(error)
  if (codeOf(error) === 'timeout' || (error instanceof Error && error.name === 'TimeoutError'))
    return known?.state === 'silent'
      ? `${name} does not answer: its page is frozen, or was put away. It can be asked again once it is visible.`
      : `${name} did not answer in time. It may be busy; ask again.`
  return `${name}: ${said}`
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
