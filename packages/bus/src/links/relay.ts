/**
 * The relay link: one WebSocket to a relay's room, through partysocket as a plain reconnecting
 * socket. Bytes only: what is sent, and what a drop means, is decided in `sync/`.
 */
import ReconnectingSocket from 'partysocket/ws'
import { BUS_ERROR_CODES, BusError } from '../errors.ts'
import type { Platform } from '../platform.ts'
import { isRoom, SUBPROTOCOL } from '../protocol/frames.ts'
import { parsePatterns } from '../protocol/pattern.ts'
import type { ReadStart, RelayAddress, RelayConnection, RelayEvents } from './link.ts'

export interface RelayLinkOptions {
  /** Of the relay, `wss://relay.example` or `ws://127.0.0.1:8787`; a path before `/rooms` is kept. */
  readonly url: string
  /** 1 to 128 of `A-Z a-z 0-9 . _ ~ -`, and not `.` or `..`. */
  readonly room: string
  /** The token, or a function asked for a fresh one at every connection. */
  readonly token?: string | (() => string | undefined | Promise<string | undefined>)
  /**
   * Where a new device starts reading: after a position, at a time, with the last so many places.
   * @default 'start'
   */
  readonly from?: 'start' | 'now' | Date | { readonly position: string } | { readonly last: number }
  /** Patterns of what this device reads; what it sends is not limited by them. @default everything */
  readonly types?: string | readonly string[]
  /**
   * Whether who inspects the room, with a token that allows it, sees what the contexts of this device
   * do, and may publish through them. A context tells more or less of itself by `inspection`.
   * What the context says that leads the device counts; other devices and the relay tell what they have.
   * @default true
   */
  readonly inspect?: boolean
}

/** The socket's side of a relay link; it can be taken offline and back, as an offline switch does. */
export interface RelaySocket extends RelayAddress {
  /** Closes the socket and opens none until `resume`. What is published waits in the outbox. */
  pause(): void
  /** Connects again; also after the relay refused this device, with a fresh token for instance. */
  resume(): void
  readonly paused: boolean
}

/** First delay before a reconnect, and the longest. */
const MIN_RECONNECT_MS = 250
const MAX_RECONNECT_MS = 10_000
/** Every reconnect waits up to so much longer, at random. */
const RECONNECT_SPREAD_MS = 1_000
const CONNECT_TIMEOUT_MS = 10_000

/** @throws {BusError} invalid_options, invalid_room, invalid_pattern */
export function relaySocket(options: RelayLinkOptions): RelaySocket {
  const url = socketUrl(options.url, options.room)
  const { token } = options
  const types = options.types === undefined ? undefined : parsePatterns(options.types)
  const open = new Set<Switch>()
  let paused = false
  return {
    room: options.room,
    url: shownUrl(url),
    from: readStart(options.from),
    types,
    inspect: options.inspect,
    token: async () => (typeof token === 'function' ? token() : token),
    connect(events, platform) {
      const connection = new Switch(url, events, platform, () => open.delete(connection))
      open.add(connection)
      if (paused) connection.pause()
      else connection.resume()
      return connection
    },
    pause() {
      paused = true
      for (const connection of open) connection.pause()
    },
    resume() {
      paused = false
      for (const connection of open) connection.resume()
    },
    get paused() {
      return paused
    },
  }
}

function socketUrl(url: string, room: string): string {
  if (!isRoom(room)) {
    throw new BusError(
      'invalid_room',
      'relayLink: room must be 1 to 128 of A-Z a-z 0-9 . _ ~ -, and not . or ..',
      {
        stage: 'links',
      },
    )
  }
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch (cause) {
    throw new BusError(
      'invalid_options',
      'relayLink: url is not a URL, as in wss://relay.example',
      {
        stage: 'links',
        cause,
      },
    )
  }
  if (parsed.protocol === 'http:') parsed.protocol = 'ws:'
  if (parsed.protocol === 'https:') parsed.protocol = 'wss:'
  if (parsed.protocol !== 'ws:' && parsed.protocol !== 'wss:') {
    throw new BusError('invalid_options', 'relayLink: url must begin with wss:// or ws://', {
      stage: 'links',
    })
  }
  parsed.pathname = `${parsed.pathname.replace(/\/+$/, '')}/rooms/${room}/socket`
  return parsed.href
}

/** Without what is nobody else's business. */
function shownUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname.replace(/\/rooms\/[^/]+\/socket$/, '')}`
}

function readStart(from: RelayLinkOptions['from']): ReadStart {
  if (from === undefined) return 'start'
  if (from === 'start' || from === 'now') return from
  if (from instanceof Date && !Number.isNaN(from.getTime())) return { time: from.getTime() }
  if (
    typeof from === 'object' &&
    'last' in from &&
    Number.isSafeInteger(from.last) &&
    from.last >= 0
  )
    return from
  if (typeof from === 'object' && 'position' in from && typeof from.position === 'string')
    return from
  throw new BusError(
    'invalid_options',
    "relayLink: from must be 'start', 'now', a Date, { position } or { last }",
    {
      stage: 'links',
    },
  )
}

/** A reconnecting socket that can be switched off and on. */
class Switch implements RelayConnection {
  readonly #url: string
  readonly #events: RelayEvents
  readonly #platform: Platform
  readonly #ended: () => void
  #socket: ReconnectingSocket | undefined
  #open = false
  #holdOff = 0

  constructor(url: string, events: RelayEvents, platform: Platform, ended: () => void) {
    this.#url = url
    this.#events = events
    this.#platform = platform
    this.#ended = ended
  }

  get buffered(): number {
    return this.#socket?.bufferedAmount ?? 0
  }

  resume(): void {
    if (this.#socket) return
    const platform = this.#platform
    let first = true
    const url = async () => {
      // The package has no jitter: without it all devices of a room come back in the same moment.
      const jitter = first ? 0 : RECONNECT_SPREAD_MS * platform.random()
      const wait = jitter + this.#holdOff
      first = false
      this.#holdOff = 0
      if (wait > 0) await new Promise<void>((resolve) => platform.timer(wait, resolve))
      return this.#url
    }
    const socket = new ReconnectingSocket(url, [SUBPROTOCOL], {
      WebSocket: platform.WebSocket,
      minReconnectionDelay: MIN_RECONNECT_MS,
      maxReconnectionDelay: MAX_RECONNECT_MS,
      reconnectionDelayGrowFactor: 2,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      // What it would keep it would send before the hello; the outbox is the queue.
      maxEnqueuedMessages: 0,
      shouldReconnectOnClose: (event) => !isFinal(event.code),
    })
    this.#socket = socket
    // Handlers, not listeners: on listeners the package's own close events lose their code.
    socket.onopen = () => {
      if (this.#socket !== socket) return
      this.#open = true
      this.#events.opened()
    }
    socket.onmessage = (event: MessageEvent) => {
      if (this.#socket === socket && typeof event.data === 'string')
        this.#events.received(event.data)
    }
    socket.onclose = (event) => {
      if (this.#socket === socket) this.#closed(event.code)
    }
    socket.onerror = () => {}
  }

  #closed(code: number): void {
    this.#open = false
    // Closed for good, it comes back when it is resumed, and only then.
    if (isFinal(code)) this.#socket = undefined
    this.#events.closed(code, isFinal(code))
  }

  send(text: string): boolean {
    if (!this.#socket || !this.#open) return false
    this.#socket.send(text)
    return true
  }

  reconnect(): void {
    this.#socket?.reconnect()
  }

  holdOff(ms: number): void {
    this.#holdOff = ms
  }

  suspend(code: number): void {
    const socket = this.#socket
    this.#socket = undefined
    this.#open = false
    socket?.close(code)
  }

  pause(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.close(1000)
    this.#closed(1000)
  }

  close(code = 1000): void {
    const socket = this.#socket
    this.#socket = undefined
    this.#open = false
    socket?.close(code)
    this.#ended()
  }
}

/** Centrifugo's ranges: told with one of these, coming back unchanged would end the same way. */
function isFinal(code: number): boolean {
  return code >= 3500 && code < 4000 && code !== BUS_ERROR_CODES.closed
}
