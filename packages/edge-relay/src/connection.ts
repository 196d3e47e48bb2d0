/**
 * One connection of a device: waits for its hello, then passes its frames to the room and the
 * room's stream to it. Whatever comes in, only this connection can suffer from it: nothing thrown
 * here leaves this file.
 *
 * ```
 * waiting --hello--> joining --welcome--> open --close, error--> closed
 * ```
 */
import {
  type AckFrame,
  BUS_ERROR_CODES,
  BusError,
  type BusErrorCode,
  type CastFrame,
  type Decoded,
  decodeFrame,
  deviceName,
  encodeFrame,
  type Frame,
  type HelloFrame,
  isBusError,
  isPattern,
  MAX_BATCH_EVENTS,
  MAX_FRAME_BYTES,
  MAX_PRESENCE_LENGTH,
  type PresenceFrame,
  type PublishFrame,
  type RejectFrame,
  type Rights,
  type Term,
  utf8Length,
} from '@crosstown/bus/protocol'
import type { Auth, Identity, RelayRights } from './auth.ts'
import { type Authorize, identify } from './authorize.ts'
import type { AdmittedReply } from './commands.ts'
import type { Member, ReadRights } from './delivery.ts'
import { costOf } from './guard/bucket.ts'
import { InOrder } from './guard/in-order.ts'
import { isNestedOver } from './guard/nesting.ts'
import { Pace } from './guard/pace.ts'
import { Permits } from './guard/permits.ts'
import type { TappedDevice } from './inspect/room.ts'
import { faultOf, linesOf } from './judge.ts'
import type { Limits } from './limits.ts'
import type { LogFields } from './log.ts'
import { type Told, tellEnd, tellJoin } from './operators.ts'
import type { Platform } from './platform.ts'
import type { Viewer } from './presence.ts'
import { headPosition } from './record.ts'
import { type Resume, resumeAt } from './resume.ts'
import { isSameTerm } from './room.ts'
import type { RoomHost } from './room-host.ts'
import {
  type ConnectionSnapshot,
  LOW_WATER_BYTES,
  type Socket,
  type SocketEvents,
} from './socket.ts'
import type { Store } from './stores/store.ts'

/** What a connection needs of its relay. */
export interface ConnectionContext extends Told {
  readonly store: Store
  readonly limits: Limits
  readonly platform: Platform
  readonly auth: Auth | undefined
  readonly authorize?: Authorize | undefined
  /** The next number of a connection. */
  readonly number: () => number
  readonly host: (room: string) => RoomHost
  /** Called once, when the connection is closed. */
  readonly left: (connection: SocketEvents) => void
  readonly report: (error: unknown, room: string) => void
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

interface Fixed {
  readonly admission: Admission
  readonly joined?: Joined
}

/** What a welcome made of a connection. */
interface Joined {
  readonly device: string
  readonly identity: Identity
  readonly types: readonly string[] | undefined
  readonly copy: boolean
}

/** The room that a snapshot's connection was in. */
export function admissionOf({ fixed }: ConnectionSnapshot): Admission {
  return (JSON.parse(fixed) as Fixed).admission
}

/** Over how long the return is spread of those who cannot go on. */
const RESUME_JITTER_MS = 2_000
/** When a batch may come again that could not be judged. */
const RETRY_AFTER_MS = 1_000
/**
 * Credits that are left out would be waited for: who is paused asks for nothing else. And who is there
 * is not said again before it changes.
 */
const NEVER_LEFT_OUT: ReadonlySet<Frame['frame']> = new Set(['credit', 'presence'])
const NO_RIGHTS: ReadRights = { key: '', mayRead: () => false }

/** One connection over the Socket port. */
export class Connection implements Member, Viewer, TappedDevice, SocketEvents {
  /** Which of the relay's connections it is, in its log. */
  readonly number: number
  device = ''
  name = ''
  subject: string | undefined
  rights: Rights | undefined
  sees = false
  /** Whether the room delivers to it. */
  attached = false
  reads: ReadRights = NO_RIGHTS
  place = 0
  position = ''
  live = false
  lastSentMs: number
  readonly #socket: Socket
  readonly #admission: Admission
  readonly #context: ConnectionContext
  #state: 'waiting' | 'joining' | 'open' | 'closed' = 'waiting'
  #host: RoomHost | undefined
  #mayPublish: (type: string) => boolean = NO_RIGHTS.mayRead
  readonly #pace: Pace
  readonly #permits: Permits
  readonly #answers = new InOrder()
  #drained: (() => void) | undefined
  #pausedSinceMs = 0
  #openedMs: number
  #lastHeardMs: number
  #fixed: string
  #joined: Joined | undefined
  #identity: Identity | undefined
  #renewing = false
  /** When the token ends, by the clock that nobody sets. */
  #expiresMs = Number.POSITIVE_INFINITY

  constructor(socket: Socket, admission: Admission, context: ConnectionContext) {
    this.#socket = socket
    this.#admission = admission
    this.#context = context
    this.#fixed = JSON.stringify({ admission } satisfies Fixed)
    this.number = context.number()
    this.#openedMs = context.platform.monotonic()
    this.#lastHeardMs = this.#openedMs
    this.lastSentMs = this.#openedMs
    this.#pace = new Pace(context.limits.connectionRate, this.#openedMs)
    this.#permits = new Permits(context, admission.room)
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount
  }

  send(text: string): void {
    if (this.#state === 'closed') return
    // Judged before: a single frame may be larger than the limit, and must still reach who reads.
    if (this.#socket.bufferedAmount > this.#context.limits.bufferBytes) {
      this.#end('slow_reader')
      return
    }
    this.#socket.send(text)
    this.lastSentMs = this.#context.platform.monotonic()
  }

  /** Tells the other side why, and closes. */
  fail(error: BusError): void {
    if (this.#state === 'closed') return
    this.#socket.send(encodeFrame({ frame: 'error', code: error.code, message: error.message }))
    this.#end(error.code)
  }

  /** Asks the other side to come back later, and closes. */
  goAway(afterMs: number, jitterMs: number): void {
    if (this.#state === 'closed') return
    this.#socket.send(encodeFrame({ frame: 'goaway', afterMs, jitterMs }))
    this.#end('going_away')
  }

  drained(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve()
    this.#pausedSinceMs = this.#context.platform.monotonic()
    return new Promise((resolve) => {
      this.#drained = resolve
    })
  }

  tick(nowMs: number): void {
    const { helloMs, pauseBytes, silenceMs, slowReaderMs } = this.#context.limits
    if (this.#state !== 'open') {
      if (nowMs - this.#openedMs >= helloMs)
        this.fail(new BusError('timeout', `no hello within ${helloMs} ms`))
    } else if (nowMs >= this.#expiresMs) {
      this.fail(new BusError('token_expired', 'the token has ended'))
    } else if (nowMs - this.#heardMs >= silenceMs) {
      this.fail(new BusError('silent', `nothing was heard for ${silenceMs} ms`))
    } else if (this.#drained) {
      // A socket tells of its low mark only, which may be above `pauseBytes`.
      if (this.bufferedAmount <= pauseBytes) this.onDrain()
      else if (nowMs - this.#pausedSinceMs >= slowReaderMs) this.#end('slow_reader')
    }
  }

  /** Whether it was not told yet that it may be here. */
  get waiting(): boolean {
    return this.#state === 'waiting' || this.#state === 'joining'
  }

  /** Until when nothing is to be done for it, as far as is known now. */
  get dueMs(): number {
    const { helloMs, silenceMs } = this.#context.limits
    if (this.#state === 'closed') return Number.POSITIVE_INFINITY
    if (this.#state !== 'open') return this.#openedMs + helloMs
    if (this.#asked || (this.attached && !this.live)) return Number.NEGATIVE_INFINITY
    return Math.min(this.#expiresMs, this.#heardMs + silenceMs)
  }

  /** What to go on from, where this object goes out of memory and its socket stays. */
  get snapshot(): ConnectionSnapshot {
    const host = this.#host
    return {
      fixed: this.#fixed,
      openedMs: this.#openedMs,
      heardMs: this.#lastHeardMs,
      place: this.place,
      position: this.position,
      ...host?.presence.of(this),
      // Taps that go on for an inspector nobody remembers end with their connection only.
      busy: this.#state === 'joining' || this.#asked || host?.inspection.tap !== undefined,
    }
  }

  /** Goes on as the connection of a snapshot; its room is in memory. */
  resume(snapshot: ConnectionSnapshot, host: RoomHost): void {
    const { joined } = JSON.parse(snapshot.fixed) as Fixed
    const { openedMs, heardMs, place, position, present, told, busy } = snapshot
    this.#openedMs = openedMs
    this.#lastHeardMs = heardMs
    if (!busy && !joined) return
    const { epoch, place: end } = host.head
    const fits = position.startsWith(`${epoch}.`) && place <= end
    if (busy || !joined || !host.device(joined.device) || !fits) {
      this.goAway(0, RESUME_JITTER_MS)
      return
    }
    this.#enter(host, joined, place, position)
    this.#takeOn(joined.identity)
    if (joined.copy) return
    this.#attach(host, end)
    if (present !== undefined) host.presence.resume(this, present, told)
  }

  /** Whether a batch or a token was not answered yet. */
  get #asked(): boolean {
    return this.#answers.pending || this.#renewing
  }

  get #heardMs(): number {
    return Math.max(this.#lastHeardMs, this.#socket.pingedMs ?? 0)
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
    this.#leave()
  }

  onDrain(): void {
    this.#drained?.()
    this.#drained = undefined
  }

  #take(message: unknown): void {
    if (
      typeof message === 'string' &&
      message.length * 3 > MAX_FRAME_BYTES &&
      utf8Length(message) > MAX_FRAME_BYTES
    ) {
      throw new BusError('too_large', `a frame is at most ${MAX_FRAME_BYTES} bytes`)
    }
    const { nesting } = this.#context.limits
    if (typeof message === 'string' && isNestedOver(headOf(message), nesting))
      throw new BusError('bad_frame', `a frame is nested at most ${nesting} deep`)
    const decoded = decodeFrame(message)
    if (!decoded) return
    const { frame, data } = decoded
    const { length } = message as string
    const nowMs = this.#context.platform.monotonic()
    const waitMs = this.#pace.take(costOf(data.length, length), nowMs)
    if (this.#state === 'waiting' && frame.frame === 'hello') {
      this.#state = 'joining'
      this.#join(frame).catch((error: unknown) => this.#failWith(error))
      return
    }
    if (this.#state !== 'open') {
      // A watchdog's ping that overtakes the welcome is no reason to part.
      if (frame.frame === 'ping') return
      throw new BusError(
        'bad_frame',
        `${frame.frame} before welcome; the first frame must be hello`,
      )
    }
    const waits = waitMs > 0 && !NEVER_LEFT_OUT.has(frame.frame)
    if (waits) this.#holdOff(this.#host as RoomHost, frame, waitMs)
    else this.#serve(this.#host as RoomHost, decoded, length)
  }

  #serve(host: RoomHost, { frame, data }: Decoded<Frame>, bytes: number): void {
    if (frame.frame === 'ping') host.delivery.heartbeat(this)
    else if (frame.frame === 'credit') this.#credit(frame.bytes)
    else if (frame.frame === 'publish') this.#publish(host, frame, data, bytes)
    else if (frame.frame === 'cast') this.#cast(host, frame, data, bytes)
    else if (frame.frame === 'presence') this.#presence(host, frame, bytes)
    else if (frame.frame === 'inspect') host.inspection.heard(this, frame.text)
    else if (frame.frame === 'token')
      this.#renew(frame.token).catch((error: unknown) => this.#failWith(error))
    else throw new BusError('bad_frame', `${frame.frame} is not for the relay, or not now`)
  }

  #credit(bytes: number): void {
    this.#socket.credits?.took(bytes)
    if (this.bufferedAmount <= LOW_WATER_BYTES) this.onDrain()
  }

  /** Too much came: a batch is to come again, and what is best effort is left out. */
  #holdOff(host: RoomHost, frame: Frame, retryAfterMs: number): void {
    const code = 'rate_limited'
    if (frame.frame === 'token') throw new BusError(code, 'too many frames in a short time')
    if (frame.frame === 'publish')
      this.#reject(host, frame, this.#answers.ask(), { code, retryAfterMs })
  }

  #reject(
    host: RoomHost,
    frame: PublishFrame,
    inTurn: (send: () => void) => void,
    why: Pick<RejectFrame, 'code' | 'retryAfterMs'>,
  ): void {
    host.inspection.tap?.rejected(this.name, frame, why.code)
    this.#context.meter.count('reply_errors_total', 1, why.code)
    this.#answer(inTurn, { frame: 'reject', batch: frame.batch, ...why })
  }

  #answer(inTurn: (send: () => void) => void, answer: AckFrame | RejectFrame): void {
    inTurn(() => this.send(encodeFrame(answer)))
  }

  #publish(host: RoomHost, frame: PublishFrame, data: readonly string[], bytes: number): void {
    if (frame.indexes?.some((index, i, all) => i > 0 && index <= (all[i - 1] as number))) {
      throw new BusError('bad_frame', 'publish: indexes must ascend')
    }
    const lines = linesOf(frame.events)
    host.inspection.tap?.received(this.name, { frame, lines, data })
    const inTurn = this.#answers.ask()
    this.#authorized(
      frame,
      bytes,
      (mayPublish) =>
        host.publish({ device: this.device, mayPublish, frame, lines, data }, bytes, (reply) => {
          if ('frame' in reply) this.#answer(inTurn, reply)
        }),
      ({ code }, retryAfterMs) => this.#reject(host, frame, inTurn, { code, retryAfterMs }),
    )
  }

  /** Goes on with what token and hook allow of a frame's events; nothing thrown there leaves it. */
  #authorized(
    { events }: PublishFrame | CastFrame,
    bytes: number,
    go: (mayPublish: (type: string) => boolean) => void,
    refuse: (error: BusError, retryAfterMs: number) => void,
  ): void {
    this.#permits.ask({
      identity: this.#identity as Identity,
      headers: events,
      bytes,
      mayPublish: this.#mayPublish,
      go: (mayPublish) => {
        if (this.closed) return
        try {
          go(mayPublish)
        } catch (error) {
          this.#failWith(error)
        }
      },
      failed: (error) => {
        if (!this.closed && isBusError(error)) refuse(error, RETRY_AFTER_MS)
      },
    })
  }

  #cast(host: RoomHost, frame: CastFrame, data: readonly string[], bytes: number): void {
    // Best effort: what may not go out is left out, as nobody waits for it.
    const lines = linesOf(frame.events)
    const { nesting } = this.#context.limits
    const go = (mayPublish: (type: string) => boolean): void => {
      const fits = frame.events.map(
        (header, i) =>
          faultOf(header, lines[i] as string, data[i] as string, mayPublish, nesting) === undefined,
      )
      if (!fits.includes(true)) return
      host.cast(
        this,
        frame.events.filter((_, i) => fits[i]),
        data.filter((_, i) => fits[i]),
      )
    }
    this.#authorized(frame, bytes, go, () => {})
  }

  #presence({ presence }: RoomHost, { devices }: PresenceFrame, length: number): void {
    const [own] = devices
    if (!own || devices.length > 1)
      throw new BusError('bad_frame', 'presence: a device says who is there of itself')
    if (length > MAX_PRESENCE_LENGTH)
      throw new BusError('too_large', `presence has at most ${MAX_PRESENCE_LENGTH} characters`)
    // A copy is no part of the room.
    if (this.attached) presence.said(this, own.members)
  }

  #identify(token: string | undefined): Promise<Identity> {
    return identify(this.#context, token, this.#admission, ['subscribe', 'history', 'presence'])
  }

  /** Goes on with a fresh token; one that allows something else is for a connection of its own. */
  async #renew(token: string): Promise<void> {
    const before = this.#identity
    if (this.#renewing) throw new BusError('rate_limited', 'one token at a time')
    this.#renewing = true
    let identity: Identity
    try {
      identity = await this.#identify(token)
    } catch (error) {
      // The token it has is good until it ends; then the device comes back with another.
      if (isBusError(error, 'unavailable')) return
      throw error
    } finally {
      this.#renewing = false
    }
    if (this.closed || !before) return
    if (identity.subject !== before.subject)
      throw new BusError('subject_changed', 'the fresh token is of another subject')
    if (!isSameRights(identity.rights, before.rights))
      throw new BusError('rights_changed', 'the fresh token allows other things: join anew')
    this.send(encodeFrame({ frame: 'renewed', ...this.#takeOn(identity) }))
  }

  /** Keeps who this is; returns for how long. */
  #takeOn(identity: Identity): { readonly expiresInMs?: number } {
    const { platform } = this.#context
    this.#identity = identity
    if (this.#joined && this.#joined.identity !== identity)
      this.#keep({ ...this.#joined, identity })
    this.#expiresMs = Number.POSITIVE_INFINITY
    if (identity.expiresAt === undefined) return {}
    const expiresInMs = Math.max(0, identity.expiresAt - platform.now())
    this.#expiresMs = platform.monotonic() + expiresInMs
    return { expiresInMs }
  }

  /** Ends the connection if its token is one that was called back. */
  revoke(isRevoked: (identity: Identity) => boolean): boolean {
    if (this.closed || !this.#identity || !isRevoked(this.#identity)) return false
    this.fail(new BusError('token_expired', 'the token was called back'))
    return true
  }

  async #join(hello: HelloFrame): Promise<void> {
    const { host: hostOf, platform, store } = this.#context
    const { room } = this.#admission
    if (hello.types?.some((pattern) => !isPattern(pattern))) {
      throw new BusError('invalid_pattern', 'hello: types has something that is not a pattern')
    }
    const identity = await this.#identify(hello.token)
    // Known from now on, so that a token that is called back meanwhile is found.
    this.#identity = identity
    const secretHash = await platform.sha256(hello.device.secret)
    if (this.closed) return
    const host = hostOf(room)
    const { confirmed, cursor, device, log, subject: owner, terms } = hello
    const release = host.retain()
    try {
      const { subject } = identity
      const who = { device: device.id, secretHash, subject }
      const admitted = await host.hello({ ...who, log, owner, terms, cursor, confirmed })
      if (this.closed) return
      const resume = await resumeAt(store, room, host.head, hello, identity.rights.history)
      if (!this.closed) this.#welcome(host, hello, identity, admitted, resume)
    } finally {
      release()
    }
  }

  #welcome(
    host: RoomHost,
    hello: HelloFrame,
    identity: Identity,
    { term, copy }: AdmittedReply,
    resume: Resume,
  ): void {
    const { limits, store } = this.#context
    const { subject, rights } = identity
    const { head } = host
    const row = host.device(hello.device.id)
    if (row && !copy && !isSameTerm(row.term, hello.terms.at(-1) as Term)) {
      throw new BusError('stale_term', 'this device has connected anew')
    }
    if (!row || !resume.from.startsWith(`${head.epoch}.`) || resume.place > head.place) {
      throw new BusError('unavailable', 'the room was read anew while this device joined')
    }
    const { place, ...answer } = resume
    const { device, types } = hello
    this.#enter(host, { device: device.id, identity, types, copy }, place, resume.from)
    const { credits } = this.#socket
    this.send(
      encodeFrame({
        frame: 'welcome',
        version: 1,
        subject,
        rights: { publish: rights.publish, subscribe: rights.subscribe },
        ...(row.taken && { taken: row.taken }),
        ...(term && { term }),
        epoch: head.epoch,
        head: headPosition(head),
        ...answer,
        limits: {
          frameBytes: MAX_FRAME_BYTES,
          batchEvents: MAX_BATCH_EVENTS,
          heartbeatMs: limits.heartbeatMs,
          ...(credits && { creditBytes: creditBytes(limits) }),
        },
        durability: store.durability,
        ...this.#takeOn(identity),
      }),
    )
    credits?.begin()
    // A copy learns that it is one, and no more: what is the other's own must not reach it as its.
    if (this.closed || copy) return
    host.delivery.supersede(this.device)
    tellJoin(this.#context, hello, resume, { ...this.#who, subject })
    this.#attach(host, head.place)
    if (resume.reason) host.inspection.tap?.gap(this, resume.reason, resume.from, hello.cursor)
  }

  /** Is of the room from now on, standing at this place of its stream. */
  #enter(host: RoomHost, joined: Joined, place: number, position: string): void {
    const { device, identity, types } = joined
    const { subject, rights } = identity
    this.#host = host
    this.#keep(joined)
    this.#mayPublish = host.publishRights(rights.publish)
    this.device = device
    this.name = deviceName(device)
    if (this.#context.auth) this.subject = subject
    this.sees = rights.subscribe.length > 0 && rights.presence !== false
    this.rights = rights
    this.reads = host.delivery.rights(rights.subscribe, types)
    this.place = place
    this.position = position
    this.#state = 'open'
  }

  #keep(joined: Joined): void {
    this.#joined = joined
    this.#fixed = JSON.stringify({ admission: this.#admission, joined } satisfies Fixed)
  }

  /** The room delivers to it, first what it lacks up to `target`. */
  #attach(host: RoomHost, target: number): void {
    this.attached = true
    host.inspection.came(this)
    host.delivery.attach(this, target)
  }

  #failWith(error: unknown): void {
    // What a store says about itself is for the operator, not for the other side.
    if (isBusError(error) && error.stage !== 'log') {
      this.fail(error)
      return
    }
    this.#context.report(error, this.#admission.room)
    this.fail(new BusError('unavailable', 'the relay could not do this'))
  }

  #end(code: BusErrorCode): void {
    if (this.attached) this.#host?.inspection.tap?.ended(this, code)
    if (this.#state !== 'closed') tellEnd(this.#context, { by: 'relay', code }, this.#who)
    this.#leave()
    this.#socket.close(BUS_ERROR_CODES[code], code)
  }

  get #who(): LogFields {
    const { name, number } = this
    const who = { connection: number, kind: 'device', room: this.#admission.room } as const
    return name === '' ? who : { ...who, device: name }
  }

  #leave(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.live = false
    this.#host?.delivery.detach(this)
    this.#host?.presence.left(this)
    this.#host?.inspection.left(this)
    this.onDrain()
    this.#context.left(this)
  }
}

/** Often enough that who reads is never taken for one who does not. */
function creditBytes({ pauseBytes }: Limits): number {
  return Math.ceil(Math.min(pauseBytes, LOW_WATER_BYTES) / 4)
}

/** Whether two tokens allow the same, in whatever order they say it. */
function isSameRights(a: RelayRights, b: RelayRights): boolean {
  const text = ({
    publish,
    subscribe,
    history = true,
    presence = true,
    inspect = false,
  }: RelayRights) =>
    JSON.stringify([[...publish].sort(), [...subscribe].sort(), history, presence, inspect])
  return text(a) === text(b)
}

/** The first line of a message: what of it is a frame, and is parsed. */
function headOf(message: string): string {
  const end = message.indexOf('\n')
  return end < 0 ? message : message.slice(0, end)
}
