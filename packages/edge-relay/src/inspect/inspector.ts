/**
 * One connection of an inspector: waits for its `join`, then passes its frames to the room's taps
 * and theirs to it. Like a device's connection it can hurt itself only.
 *
 * ```
 * waiting --join--> joining --joined--> open --close, error--> closed
 * ```
 */
import {
  type InspectErrorFrame,
  MAX_INSPECTOR_BYTES,
  readInspectorFrame,
} from '@crosstown/bus/inspect'
import {
  BUS_ERROR_CODES,
  BusError,
  type BusErrorCode,
  isBusError,
  isRetryable,
  typeMatcher,
  utf8Length,
} from '@crosstown/bus/protocol'
import type { Auth, Identity } from '../auth.ts'
import { type Authorize, identify } from '../authorize.ts'
import { isNestedOver } from '../guard/nesting.ts'
import type { Limits } from '../limits.ts'
import type { LogFields } from '../log.ts'
import { type Told, tellEnd } from '../operators.ts'
import type { Platform } from '../platform.ts'
import type { RoomHost } from '../room-host.ts'
import type { Socket, SocketEvents } from '../socket.ts'
import { controlText, type RoomInspector } from './room.ts'

export interface InspectorContext extends Told {
  readonly limits: Limits
  readonly platform: Platform
  readonly auth: Auth | undefined
  readonly authorize?: Authorize | undefined
  readonly host: (room: string) => RoomHost
  /** The next number of a connection. */
  readonly number: () => number
  /** Called once, when the connection is closed. */
  readonly left: (inspector: SocketEvents) => void
  readonly report: (error: unknown, room: string) => void
}

/** What was known of the socket before. */
export interface InspectorAdmission {
  readonly room: string
  readonly origin?: string
}

/** Frames of one inspector, and their characters, within this time. */
const MAX_FRAMES = 500
const MAX_LENGTH = 4 * 1024 * 1024
const WINDOW_MS = 1_000
const MAX_TOKEN_LENGTH = 16_384

export class Inspector implements RoomInspector, SocketEvents {
  /** Which of the relay's connections it is, in its log. */
  readonly number: number
  readonly #socket: Socket
  readonly #admission: InspectorAdmission
  readonly #context: InspectorContext
  #state: 'waiting' | 'joining' | 'open' | 'closed' = 'waiting'
  #host: RoomHost | undefined
  #release: (() => void) | undefined
  readonly #openedMs: number
  #lastHeardMs: number
  #identity: Identity | undefined
  #mayRead: (type: string) => boolean = () => false
  #expiresMs = Number.POSITIVE_INFINITY
  #windowMs = 0
  #frames = 0
  #length = 0

  constructor(socket: Socket, admission: InspectorAdmission, context: InspectorContext) {
    this.#socket = socket
    this.#admission = admission
    this.#context = context
    this.number = context.number()
    this.#openedMs = context.platform.monotonic()
    this.#lastHeardMs = this.#openedMs
  }

  mayRead(type: string): boolean {
    return this.#mayRead(type)
  }

  get mayOperate(): boolean {
    return this.#identity?.rights.groups === true
  }

  send(text: string): void {
    if (this.#state === 'closed') return
    if (this.#socket.bufferedAmount > this.#context.limits.bufferBytes) {
      this.fail(new BusError('slow_reader', 'this inspector does not read as fast as events come'))
      return
    }
    this.#socket.send(text)
  }

  /** Tells the other side why, and closes. */
  fail(error: BusError): void {
    if (this.#state === 'closed') return
    const { code, message } = error
    this.#socket.send(controlText({ frame: 'error', code, message } satisfies InspectErrorFrame))
    this.#end(code)
  }

  /** Asks the other side to come back later, and closes. */
  goAway(afterMs: number, jitterMs: number): void {
    if (this.#state === 'closed') return
    this.#socket.send(controlText({ frame: 'goaway', afterMs, jitterMs }))
    this.#end('going_away')
  }

  tick(nowMs: number): void {
    const { helloMs, silenceMs } = this.#context.limits
    if (this.#state !== 'open') {
      if (nowMs - this.#openedMs >= helloMs)
        this.fail(new BusError('timeout', `no join within ${helloMs} ms`))
    } else if (nowMs - this.#lastHeardMs >= silenceMs) {
      this.fail(new BusError('silent', `nothing was heard for ${silenceMs} ms`))
    } else if (nowMs >= this.#expiresMs) {
      this.fail(new BusError('token_expired', 'the token has ended'))
    }
  }

  /** Whether it was not told yet that it may be here. */
  get waiting(): boolean {
    return this.#state === 'waiting' || this.#state === 'joining'
  }

  /** A room that is inspected has always something to do. */
  get dueMs(): number {
    return Number.NEGATIVE_INFINITY
  }

  /** Ends the connection if its token is one that was called back. */
  revoke(isRevoked: (identity: Identity) => boolean): boolean {
    if (this.#state === 'closed' || !this.#identity || !isRevoked(this.#identity)) return false
    this.fail(new BusError('token_expired', 'the token was called back'))
    return true
  }

  onMessage(message: unknown): void {
    if (this.#state === 'closed') return
    this.#lastHeardMs = this.#context.platform.monotonic()
    try {
      this.#take(message)
    } catch (error) {
      this.#failWith(error)
    }
  }

  onClose(): void {
    if (this.#state !== 'closed') tellEnd(this.#context, { by: 'peer' }, this.#who)
    this.#leave(true)
  }

  onDrain(): void {
    // Nothing waits here: what is not taken is kept by the taps, as far as they keep anything.
  }

  #take(message: unknown): void {
    if (typeof message !== 'string') throw badFrame('frames are text')
    if (message.length > MAX_INSPECTOR_BYTES || utf8Length(message) > MAX_INSPECTOR_BYTES)
      throw new BusError('too_large', `a frame is at most ${MAX_INSPECTOR_BYTES} bytes`)
    this.#count(message.length)
    if (isNestedOver(message, this.#context.limits.nesting)) throw badFrame('nested too deep')
    const frame = parse(message)
    if (this.#state === 'waiting') {
      const { token } = frame
      if (frame['frame'] !== 'join') throw badFrame('the first frame must be join')
      if (token !== undefined && (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH))
        throw badFrame('join: token is wrong')
      this.#state = 'joining'
      this.#join(token).catch((error: unknown) => this.#failWith(error))
      return
    }
    if (frame['frame'] === 'ping') {
      this.send(controlText({ frame: 'heartbeat' }))
      return
    }
    if (this.#state !== 'open') throw badFrame('wait for joined')
    const inspected = readInspectorFrame(message)
    if (inspected === undefined) throw badFrame('not a frame of an inspector')
    if (inspected === 'mismatch') {
      this.fail(new BusError('unsupported_version', 'the taps here are of another version'))
      return
    }
    this.#host?.inspection.take(this, inspected)
  }

  #count(length: number): void {
    const now = this.#context.platform.monotonic()
    if (now - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = now
      this.#frames = this.#length = 0
    }
    this.#frames += 1
    this.#length += length
    if (this.#frames > MAX_FRAMES || this.#length > MAX_LENGTH)
      throw new BusError('rate_limited', 'too many frames in a short time')
  }

  async #join(token: string | undefined): Promise<void> {
    const { host: hostOf, limits, platform } = this.#context
    const { room } = this.#admission
    const rights = ['inspect', 'subscribe', 'history', 'groups'] as const
    const identity = await identify(this.#context, token, this.#admission, rights)
    if (this.#state === 'closed') return
    this.#identity = identity
    // What the relay is asked for was in the room before.
    this.#mayRead =
      identity.rights.history === false ? () => false : typeMatcher(identity.rights.subscribe)
    if (identity.expiresAt !== undefined)
      this.#expiresMs = platform.monotonic() + identity.expiresAt - platform.now()
    if (identity.rights.inspect !== true)
      throw new BusError('forbidden', 'the token does not allow inspecting')
    const host = hostOf(room)
    if (!host.inspection.join(this)) {
      const what = `a room has at most ${limits.inspectors} inspectors at a time`
      throw new BusError('rate_limited', what)
    }
    this.#host = host
    this.#release = host.retain()
    this.#state = 'open'
    this.send(controlText({ frame: 'joined', room, peers: host.inspection.devices }))
  }

  #failWith(error: unknown): void {
    if (isBusError(error) && error.stage !== 'log') {
      this.fail(error)
      return
    }
    this.#context.report(error, this.#admission.room)
    this.fail(new BusError('unavailable', 'the relay could not do this'))
  }

  #end(code: BusErrorCode): void {
    tellEnd(this.#context, { by: 'relay', code }, this.#who)
    this.#leave(isRetryable(code))
    this.#socket.close(BUS_ERROR_CODES[code], code)
  }

  get #who(): LogFields {
    return { connection: this.number, kind: 'inspector', room: this.#admission.room }
  }

  #leave(mayComeBack: boolean): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#host?.inspection.leave(this, mayComeBack)
    this.#release?.()
    this.#context.left(this)
  }
}

function badFrame(what: string): BusError {
  return new BusError('bad_frame', `not a frame of this protocol: ${what}`)
}

function parse(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw badFrame('no JSON')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw badFrame('no object')
}
