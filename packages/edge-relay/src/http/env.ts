/** What goes with a request through the routes. */
import { BusError, isRoom } from '@crosstown/bus/protocol'
import type { Context } from 'hono'
import type { Identity } from '../auth.ts'
import type { Admission } from '../connection/context.ts'

/** What a runtime passes along with a request, as Hono's bindings. */
export interface RelayBindings {
  /** Makes the request at hand a socket, and hands it to `Relay.accept`. */
  readonly upgrade?: (admission: Admission) => Response | Promise<Response>
  /** The address at the other end of the connection. */
  readonly address?: string | undefined
  /** It is known to be that of who asks, whatever proxies stand between. */
  readonly direct?: true
  /** Ends the connection of the request at hand at once, with what it still has to send. */
  readonly cut?: () => void
}

/** The environment of a relay's routes. */
export type RelayEnv = {
  Bindings: RelayBindings
  /** Of the routes of rooms: whose request it is, and how it stops being counted, unless it is held. */
  Variables: { identity: Identity; leave: () => void; held: boolean }
}

/** The room that a request is about. @throws {BusError} invalid_room */
export function roomOf(c: Context<RelayEnv>): string {
  const room = c.req.param('room') ?? ''
  if (isRoom(room)) return room
  throw new BusError('invalid_room', 'a room is 1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
}
