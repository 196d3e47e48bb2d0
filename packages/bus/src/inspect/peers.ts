import type { Peer } from './peer.ts'

/** The buses of this context, as inspectors see them. */
export const inspectable: WeakMap<object, Pick<Peer, 'set'>> = new WeakMap()
