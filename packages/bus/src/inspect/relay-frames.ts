/**
 * What an inspector and a relay say to each other themselves, on the socket that else carries
 * {@link InspectFrame}s as they are: JSON texts too. docs/protocol.md has their order.
 */
import type { BusErrorCode } from '../errors.ts'
import type { PeerId } from './frames.ts'

/** UTF-8 bytes of one frame of an inspector at most. */
export const MAX_INSPECTOR_BYTES: number = 256 * 1024

/** First frame of an inspector. */
export interface InspectJoinFrame {
  readonly frame: 'join'
  readonly token?: string
}

/** The answer: from now on frames pass. */
export interface InspectJoinedFrame {
  readonly frame: 'joined'
  readonly room: string
  /** Devices that are connected. */
  readonly peers: number
}

/** Asks for a heartbeat. */
export interface InspectPingFrame {
  readonly frame: 'ping'
}

export interface InspectHeartbeatFrame {
  readonly frame: 'heartbeat'
}

/** These cannot be heard here now: the connection of their device ended. */
export interface InspectLeftFrame {
  readonly frame: 'left'
  readonly peers: readonly PeerId[]
}

/** The relay will close: come back after `afterMs` and a random part of `jitterMs`. */
export interface InspectGoawayFrame {
  readonly frame: 'goaway'
  readonly afterMs: number
  readonly jitterMs: number
}

/** Why the relay is about to close. */
export interface InspectErrorFrame {
  readonly frame: 'error'
  readonly code: BusErrorCode
  readonly message: string
}

export type RelayInspectFrame =
  | InspectJoinedFrame
  | InspectHeartbeatFrame
  | InspectLeftFrame
  | InspectGoawayFrame
  | InspectErrorFrame
