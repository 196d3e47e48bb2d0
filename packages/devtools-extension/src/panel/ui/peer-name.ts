import type { EventRow, Session } from '../model/model.ts'

/** The name of a peer; of one that was never heard from, what its events say of it, or its id. */
export function peerName(session: Session, peer: string, otherwise: string = peer): string {
  return session.peers.get(peer)?.name ?? otherwise
}

export function publisherName(session: Session, row: EventRow): string {
  return peerName(session, row.publisher, row.event.source || row.publisher)
}
