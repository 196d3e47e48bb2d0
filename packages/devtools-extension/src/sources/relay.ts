/**
 * The room of a relay: its own tap, and through it those of servers, phones and other browsers. One
 * WebSocket, which comes back by itself; what a relay refuses for good is said in words.
 */
import {
  type AskFrame,
  INSPECT_SUBPROTOCOL,
  INSPECT_VERSION,
  type InspectErrorFrame,
  type InspectGoawayFrame,
  type InspectLeftFrame,
  MAX_INSPECTOR_BYTES,
} from '@crosstown/bus/inspect'
import type { InspectSource, SourceSink, SourceState } from './source.ts'
import { isTapFrame, peerOf } from './wire.ts'

export interface RelaySourceOptions {
  /** `ws:`, `wss:`, `http:` or `https:`; a path before `/rooms` is kept. */
  readonly url: string
  readonly room: string
  readonly token?: string | undefined
  /** For tests: runs once after so many ms; the returned function cancels. @default setTimeout */
  readonly later?: (run: () => void, ms: number) => () => void
}

const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 10_000
const PING_MS = 25_000
/** Nothing was heard for so long, though pings went out: the socket is dead. */
const SILENCE_MS = 60_000
/** How long who was heard before a break has to be heard again. */
const BACK_MS = 5_000
/** Close codes from which on coming back unchanged would end the same way. */
const [FIRST_FINAL, LAST_FINAL] = [3500, 3999]

export function relaySource(options: RelaySourceOptions): InspectSource {
  return new RelaySource(options)
}

class RelaySource implements InspectSource {
  readonly kind = 'relay'
  readonly label: string
  readonly #options: RelaySourceOptions
  readonly #url: string | undefined
  readonly #later: NonNullable<RelaySourceOptions['later']>
  #sink: SourceSink | undefined
  #socket: WebSocket | undefined
  #open = false
  #closed = false
  #wasOpen = false
  #attempts = 0
  /** What the relay said before it closed. */
  #said: InspectErrorFrame | undefined
  /** Asked for by the relay: when to come back. */
  #holdOff = 0
  readonly #peers = new Set<string>()
  /** Heard before a break, and not since. */
  #doubted = new Set<string>()
  #heard = false
  #silentMs = 0
  #timers = new Set<() => void>()

  constructor(options: RelaySourceOptions) {
    this.#options = options
    this.#url = socketUrl(options.url, options.room)
    this.#later = options.later ?? later
    const { host = options.url, pathname = '' } = this.#url ? new URL(this.#url) : {}
    const before = pathname.slice(0, pathname.lastIndexOf('/rooms/'))
    this.label = `relay ${host}${before}/${options.room}`
  }

  start(sink: SourceSink): void {
    this.#sink = sink
    if (this.#url === undefined) {
      sink.state('refused', 'The address is no URL, or the room no name: as in ws://127.0.0.1:8787')
      return
    }
    this.#connect(this.#url)
  }

  send(text: string): void {
    if (!this.#open) return
    if (isOver(text)) this.#tooLarge(text)
    else this.#socket?.send(text)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#endTimers()
    const socket = this.#socket
    this.#socket = undefined
    this.#open = false
    socket?.close(1000)
    this.#sink?.state('closed')
    this.#sink?.gone('all')
  }

  #connect(url: string): void {
    this.#state(this.#wasOpen ? 'reconnecting' : 'connecting')
    let socket: WebSocket
    try {
      socket = new WebSocket(url, INSPECT_SUBPROTOCOL)
    } catch {
      // A page of https may not open a socket without it, for one.
      this.#state('refused', `This page is not allowed to connect to ${url}`)
      return
    }
    this.#socket = socket
    this.#said = undefined
    this.#holdOff = 0
    socket.onopen = () => {
      const { token } = this.#options
      socket.send(JSON.stringify({ frame: 'join', ...(token && { token }) }))
    }
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket && typeof data === 'string') this.#take(data)
    }
    socket.onclose = ({ code }) => {
      if (this.#socket === socket) this.#lost(url, code)
    }
  }

  #take(text: string): void {
    this.#heard = true
    if (isTapFrame(text)) {
      const peer = peerOf(text)
      if (peer !== undefined) {
        this.#peers.add(peer)
        this.#doubted.delete(peer)
      }
      this.#sink?.frame(text)
      return
    }
    const frame = parse(text)
    if (frame?.frame === 'joined') this.#joined()
    else if (frame?.frame === 'left') this.#left(frame as InspectLeftFrame)
    else if (frame?.frame === 'error') this.#said = frame as InspectErrorFrame
    else if (frame?.frame === 'goaway') {
      const { afterMs, jitterMs } = frame as InspectGoawayFrame
      if (Number.isFinite(afterMs) && Number.isFinite(jitterMs))
        this.#holdOff = Math.min(LAST_RETRY_MS, afterMs + jitterMs * Math.random())
    }
  }

  #joined(): void {
    this.#open = true
    this.#wasOpen = true
    this.#attempts = 0
    this.#silentMs = 0
    this.#ping()
    this.#doubted = new Set(this.#peers)
    if (this.#doubted.size > 0) {
      this.#timer(BACK_MS, () => {
        this.#left({ frame: 'left', peers: [...this.#doubted] })
        this.#doubted.clear()
      })
    }
    this.#state('open')
  }

  #left({ peers }: InspectLeftFrame): void {
    if (!Array.isArray(peers)) return
    const known = peers.filter((peer) => this.#peers.delete(peer))
    if (known.length > 0) this.#sink?.gone(known)
  }

  #ping(): void {
    this.#timer(PING_MS, () => {
      this.#silentMs = this.#heard ? 0 : this.#silentMs + PING_MS
      this.#heard = false
      if (this.#silentMs > SILENCE_MS) {
        this.#socket?.close()
        if (this.#url !== undefined) this.#lost(this.#url, 1006)
        return
      }
      this.#socket?.send('{"frame":"ping"}')
      this.#ping()
    })
  }

  #lost(url: string, code: number): void {
    this.#socket = undefined
    this.#open = false
    this.#endTimers()
    const said = this.#said
    if (code >= FIRST_FINAL && code <= LAST_FINAL) {
      this.#state('refused', inWords(said, this.#options.token))
      this.#peers.clear()
      this.#sink?.gone('all')
      return
    }
    const where = `${new URL(url).host} does not answer. Is the relay running, of this version, and does it serve this page?`
    this.#state(this.#wasOpen ? 'reconnecting' : 'connecting', said ? inWords(said) : where)
    const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#attempts++)
    this.#timer(Math.max(this.#holdOff, wait * (0.5 + Math.random() / 2)), () => this.#connect(url))
  }

  /** It would cost the connection: who asks is answered here. */
  #tooLarge(text: string): void {
    const asked = parse(text)
    if (asked?.frame !== 'ask') return
    const { session, to, id } = asked as unknown as AskFrame
    const message = `a relay takes at most ${MAX_INSPECTOR_BYTES} bytes at once`
    const error = { code: 'too_large', message }
    const answer = { inspect: INSPECT_VERSION, frame: 'answer', peer: to, session, id, error }
    this.#sink?.frame(JSON.stringify(answer))
  }

  #state(state: SourceState, detail?: string): void {
    if (!this.#closed) this.#sink?.state(state, detail)
  }

  #timer(ms: number, run: () => void): void {
    const cancel = this.#later(() => {
      this.#timers.delete(cancel)
      run()
    }, ms)
    this.#timers.add(cancel)
  }

  #endTimers(): void {
    for (const cancel of this.#timers) cancel()
    this.#timers = new Set()
  }
}

function later(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}

function socketUrl(url: string, room: string): string | undefined {
  if (!/^[A-Za-z0-9._~-]{1,128}$/.test(room) || !URL.canParse(url)) return undefined
  const parsed = new URL(url)
  if (parsed.protocol === 'http:') parsed.protocol = 'ws:'
  if (parsed.protocol === 'https:') parsed.protocol = 'wss:'
  if (!/^wss?:$/.test(parsed.protocol)) return undefined
  parsed.pathname = `${parsed.pathname.replace(/\/+$/, '')}/rooms/${room}/inspect`
  parsed.search = parsed.hash = ''
  return parsed.href
}

function inWords(said: InspectErrorFrame | undefined, token?: string): string {
  switch (said?.code) {
    case undefined:
      return 'The relay closed the connection, and did not say why.'
    case 'unauthorized':
      return token === undefined
        ? 'The relay asks for a token.'
        : 'The relay does not accept this token.'
    case 'forbidden':
      return 'The token does not allow inspecting: its rights need inspect: true.'
    case 'unsupported_version':
      return 'The relay is of another version than this panel.'
    case 'rate_limited':
      return 'The room has as many inspectors as it may have, or this one asked too much; trying again.'
    case 'slow_reader':
      return 'This panel did not keep up with the room, and begins again.'
    case 'token_expired':
      return 'The token has ended.'
    case 'going_away':
      return 'The relay is restarting.'
    default:
      return `The relay says: ${said?.message}`
  }
}

/** No UTF-16 unit takes more than three bytes: most are known to be small without counting. */
function isOver(text: string): boolean {
  return (
    text.length * 3 > MAX_INSPECTOR_BYTES &&
    new TextEncoder().encode(text).length > MAX_INSPECTOR_BYTES
  )
}

function parse(text: string): { readonly frame?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
