/** What a connection is made with. */
import type { Authorizing } from '../authorize.ts'
import type { Limits } from '../limits.ts'
import type { Told } from '../operators.ts'
import type { Platform } from '../platform.ts'
import type { RoomHost } from '../room-host.ts'
import type { SocketEvents } from '../socket.ts'
import type { Store } from '../stores/store.ts'

/** What a connection needs of its relay. */
export interface ConnectionContext extends Authorizing, Told {
  readonly store: Store
  readonly limits: Limits
  readonly platform: Platform
  /** The next number of a connection. */
  readonly number: () => number
  readonly host: (room: string) => RoomHost
  /** Called once, when the connection is closed. */
  readonly left: (connection: SocketEvents) => void
}

/** What was known of a socket before it said hello. */
export interface Admission {
  readonly room: string
  readonly origin?: string
  /** Whom it is counted for, where that is known. */
  readonly address?: string
  /** It came to inspect the room, by the subprotocol for that. */
  readonly inspect?: true
}
