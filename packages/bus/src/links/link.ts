import type { BusError } from '../errors.ts'
import type { Platform } from '../platform.ts'

/**
 * What carries frames, as text, between peers. A link knows nothing of events.
 *
 * A link MUST deliver what it delivers whole and in the order in which one peer sent it. It MUST
 * NOT deliver a text to the peer that sent it. It MAY lose texts: what is persisted is in the log
 * all the same. It MUST NOT throw from `send` because a peer is gone. After `close`, which MAY be
 * called twice, it MUST NOT call the receiver any more, and `send` MUST do nothing.
 *
 * `receive` is called once, before the first `send`; that is where a link begins to do anything.
 * Texts that arrived earlier may be lost. docs/links.md says more, for those who write one.
 */
export interface Link {
  send(text: string): void
  /** `report` is for what went wrong and nobody waits for; not for a peer that is gone. */
  receive(receiver: (text: string) => void, report?: (error: BusError) => void): void
  close(): void | Promise<void>
}

/** Opens a link when a bus is first used; `channel` is the same for all peers of a device. */
export interface LinkSource {
  open(channel: string, platform: Platform): Link | undefined
}

/** One connection to a relay, reconnecting by itself until it is closed. */
export interface RelayConnection {
  /** Whether it took the text; a text not taken is gone. */
  send(text: string): boolean
  /** Bytes handed over and not yet on their way. */
  readonly buffered: number
  /** Drops the socket and connects again after the usual delay. */
  reconnect(): void
  /** The next connection waits so long, in milliseconds, on top of the usual delay. */
  holdOff(ms: number): void
  /** Closes the socket and does not come back until the link is resumed. */
  suspend(code: number): void
  close(code?: number): void
}

export interface RelayEvents {
  opened(): void
  received(text: string): void
  /**
   * The socket is gone, or could not be had. `code` is the close code, of which only our own
   * ranges mean something; `final` says that the link does not come back by itself.
   */
  closed(code: number, final: boolean): void
}

/** Where and as whom to connect. */
export interface RelayAddress {
  readonly room: string
  /** For people. */
  readonly url?: string
  readonly from: ReadStart
  /** Patterns of what is read; absent: everything the token allows. */
  readonly types: readonly string[] | undefined
  /** Whether inspectors of the room may look into this device. @default true */
  readonly inspect?: boolean | undefined
  token(): Promise<string | undefined>
  connect(events: RelayEvents, platform: Platform): RelayConnection
}

/** Where a new device starts reading the room. */
export type ReadStart =
  | 'start'
  | 'now'
  | { readonly position: string }
  | { readonly time: number }
  | { readonly last: number }
