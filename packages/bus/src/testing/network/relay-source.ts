/** The `relay` option of a bus in a context: the real session over simulated sockets. */
import { BUS_ERROR_CODES } from '../../errors.ts'
import type { ReadStart, RelayConnection, RelayEvents } from '../../links/link.ts'
import type { Platform } from '../../platform.ts'
import { Session } from '../../sync/session.ts'
import type { RelaySource } from '../../sync/sync.ts'
import type { DeviceEndEvents } from './wire.ts'

/** One socket, as the context that opened it uses it. */
export interface DeviceEnd {
  send(text: string): void
  close(): void
}

/** Where and as whom a bus connects. */
export interface RelaySourceOptions {
  readonly room: string
  /** @default 'start' */
  readonly from?: ReadStart
  readonly types?: readonly string[]
  readonly token?: string | (() => string)
}

/** The delays of a relay link: the first reconnect, the longest, and the spread over it. */
const MIN_RECONNECT_MS = 250
const MAX_RECONNECT_MS = 10_000
const RECONNECT_SPREAD_MS = 1_000
/** A connection that held so long has the delays begin anew. */
const UPTIME_MS = 5_000
const CONNECT_TIMEOUT_MS = 10_000
/** The code a browser gives a connection that ended without one. */
const ABNORMAL = 1006

/** A relay source that can be told to connect again, as `relayLink` can. */
export interface ResumableSource extends RelaySource {
  resume(): void
}

export function relaySource(
  { room, from = 'start', types, token }: RelaySourceOptions,
  dial: (room: string, events: DeviceEndEvents) => DeviceEnd,
): ResumableSource {
  const open = new Set<Connection>()
  const source: ResumableSource = {
    room,
    from,
    types,
    token: async () => (typeof token === 'function' ? token() : token),
    connect(events, platform) {
      const ended = (): void => void open.delete(connection)
      const connection = new Connection((ends) => dial(room, ends), events, platform, ended)
      open.add(connection)
      return connection
    },
    resume() {
      for (const connection of open) connection.resume()
    },
    session: (start) => new Session({ ...start, source }),
  }
  return source
}

/** Reconnects as the relay link does. */
class Connection implements RelayConnection {
  readonly buffered = 0
  readonly #dial: (events: DeviceEndEvents) => DeviceEnd
  readonly #events: RelayEvents
  readonly #platform: Platform
  readonly #ended: () => void
  #end: DeviceEnd | undefined
  #open = false
  #cancel: (() => void) | undefined
  #holdOff = 0
  #retries = 0
  #openedAt = 0

  constructor(
    dial: (events: DeviceEndEvents) => DeviceEnd,
    events: RelayEvents,
    platform: Platform,
    ended: () => void,
  ) {
    this.#dial = dial
    this.#events = events
    this.#platform = platform
    this.#ended = ended
    this.#cancel = platform.timer(0, () => this.#connect())
  }

  send(text: string): boolean {
    if (!this.#open) return false
    this.#end?.send(text)
    return true
  }

  reconnect(): void {
    this.#retries = 0
    const connected = this.#end !== undefined
    this.#leave()
    this.#later(0)
    if (connected) this.#events.closed(1000, false)
  }

  holdOff(ms: number): void {
    this.#holdOff = ms
  }

  suspend(): void {
    this.#leave()
  }

  /** Does nothing where it is connected, or is about to. */
  resume(): void {
    if (!this.#end && !this.#cancel) this.#later(0)
  }

  close(): void {
    this.#leave()
    this.#ended()
  }

  #connect(): void {
    this.#cancel = undefined
    const end = this.#dial({
      opened: () => {
        if (this.#end !== end) return
        this.#cancel?.()
        this.#cancel = undefined
        this.#open = true
        this.#openedAt = this.#platform.monotonic()
        this.#events.opened()
      },
      received: (text) => {
        if (this.#end === end) this.#events.received(text)
      },
      closed: (code) => {
        if (this.#end === end) this.#closed(code)
      },
    })
    this.#end = end
    this.#cancel = this.#platform.timer(CONNECT_TIMEOUT_MS, () => this.#closed(ABNORMAL))
  }

  #closed(code: number): void {
    const final = isFinal(code)
    if (this.#open && this.#platform.monotonic() - this.#openedAt > UPTIME_MS) this.#retries = 0
    this.#leave()
    if (!final) {
      this.#later(Math.min(MAX_RECONNECT_MS, MIN_RECONNECT_MS * 2 ** this.#retries))
      this.#retries += 1
    }
    this.#events.closed(code, final)
  }

  /** The wait is set when it is over, as the link asks for its address only then. */
  #later(ms: number): void {
    const spread = RECONNECT_SPREAD_MS * this.#platform.random()
    this.#cancel = this.#platform.timer(ms + spread, () => {
      const wait = this.#holdOff
      this.#holdOff = 0
      if (wait > 0) this.#cancel = this.#platform.timer(wait, () => this.#connect())
      else this.#connect()
    })
  }

  /** Drops socket and plans. */
  #leave(): void {
    this.#cancel?.()
    this.#cancel = undefined
    const end = this.#end
    this.#end = undefined
    this.#open = false
    end?.close()
  }
}

/** Told with one of these, coming back unchanged would end the same way. */
function isFinal(code: number): boolean {
  return code >= 3500 && code < 4000 && code !== BUS_ERROR_CODES.closed
}
