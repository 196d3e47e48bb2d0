/**
 * The Socket port: what a runtime must make of its WebSockets. Every runtime maps to this one
 * interface in a file of its own under `runtimes/`; nothing else of the relay knows a socket.
 */

/** One open socket, as the relay uses it. */
export interface Socket {
  /**
   * Sends one text message. MUST NOT throw, whatever state the socket is in. A broadcast hands the
   * same string to many sockets one after the other: an adapter MAY keep what it made of the last.
   *
   * @param more that more may follow in this turn, which MAY leave with it, and not before the turn's end
   */
  send(text: string, more?: boolean): void
  /** Bytes taken by `send` that the operating system, or with `credits` the device, does not have yet. */
  readonly bufferedAmount: number
  /** There where the runtime tells nothing of its buffers: devices are asked what they took. */
  readonly credits?: SocketCredits | undefined
  /** When the runtime last answered a ping by itself, by `Platform.monotonic`, where it does that. */
  readonly pingedMs?: number | undefined
  /** Closes with a number of the protocol's table. MUST NOT throw; calling it again does nothing. */
  close(code: number, reason: string): void
}

/** What a device says it took, of what was sent to it. */
export interface SocketCredits {
  /** The device was told to count: what is sent from now on is buffered until it says otherwise. */
  begin(): void
  /** It took so many bytes since then, as far as they were sent. */
  took(bytes: number): void
}

/** What is left of a connection while the object that has its socket is out of memory. */
export interface ConnectionSnapshot {
  /** JSON of what seldom changes. */
  readonly fixed: string
  /** By `Platform.monotonic`, which has to go on meanwhile. */
  readonly openedMs: number
  readonly heardMs: number
  /** Where its stream stands. */
  readonly place: number
  readonly position: string
  /** JSON of who it said is there, a line of what they respond to, and what it was told of the others. */
  readonly present?: string
  readonly told?: number | undefined
  /** It was in the middle of something, which is lost with the memory of it. */
  readonly busy: boolean
}

/** What a runtime tells the relay about a socket. None of these throws. */
export interface SocketEvents {
  /** What to go on from at any time; nothing of one that cannot go on. */
  readonly snapshot?: ConnectionSnapshot | undefined
  /** A message came: a string, or anything else for one that is not text. */
  onMessage(message: unknown): void
  /** The socket is gone. Called once. */
  onClose(): void
  /** `bufferedAmount` fell to {@link LOW_WATER_BYTES} or below after it had been above. */
  onDrain(): void
}

/** Where `onDrain` is due. */
export const LOW_WATER_BYTES: number = 256 * 1024
