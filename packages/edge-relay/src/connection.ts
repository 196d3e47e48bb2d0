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
  BUS_ERROR_CODES,
  BusError,
  type BusErrorCode,
  deviceName,
  encodeFrame,
  type Frame,
  type HelloFrame,
  isBusError,
  type Rights,
} from '@crosstown/bus/protocol'
import type { Identity } from './auth.ts'
import type { Admission, ConnectionContext } from './connection/context.ts'
import { frameIn, ownEntry } from './connection/frames.ts'
import {
  type Arrival,
  checkHello,
  join,
  type Newcomer,
  rowOf,
  welcomeOf,
} from './connection/joining.ts'
import { type Publisher, Publishing } from './connection/publishing.ts'
import { canGoOn, fixedText, type Joined, joinedOf } from './connection/snapshot.ts'
import { Token } from './connection/token.ts'
import type { ReadRights } from './delivery.ts'
import type { GroupPeer } from './group/group.ts'
import type { Membership } from './group/joining.ts'
import { costOf } from './guard/bucket.ts'
import { Pace } from './guard/pace.ts'
import type { TappedDevice } from './inspect/room.ts'
import type { LogFields } from './log.ts'
import { tellEnd, tellJoin } from './operators.ts'
import type { Viewer } from './presence.ts'
import type { RoomHost } from './room-host.ts'
import {
  type ConnectionSnapshot,
  LOW_WATER_BYTES,
  type Socket,
  type SocketEvents,
} from './socket.ts'

/** Over how long the return is spread of those who cannot go on. */
const RESUME_JITTER_MS = 2_000
/**
 * Credits that are left out would be waited for: who is paused asks for nothing else. And who is there
 * is not said again before it changes.
 */
const NEVER_LEFT_OUT: ReadonlySet<Frame['frame']> = new Set([
  'credit',
  'presence',
  'reply',
  'cancel',
])
const NOTHING: readonly string[] = []
const NO_RIGHTS: ReadRights = { key: '', mayRead: () => false }

/** One connection over the Socket port. */
export class Connection
  implements Publisher, Newcomer, Viewer, TappedDevice, GroupPeer, SocketEvents
{
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
  #publishing: Publishing | undefined
  #responds: readonly string[] = NOTHING
  readonly #pace: Pace
  readonly #token: Token
  #drained: (() => void) | undefined
  #pausedSinceMs = 0
  #openedMs: number
  #lastHeardMs: number
  /** Made where it is asked for: most runtimes never do. */
  #fixed: string | undefined
  #joined: Joined | undefined

  constructor(socket: Socket, admission: Admission, context: ConnectionContext) {
    this.#socket = socket
    this.#admission = admission
    this.#context = context
    this.number = context.number()
    this.#openedMs = context.platform.monotonic()
    this.#lastHeardMs = this.#openedMs
    this.lastSentMs = this.#openedMs
    this.#pace = new Pace(context.limits.connectionRate, this.#openedMs)
    this.#token = new Token(context, admission)
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  get identity(): Identity | undefined {
    return this.#token.identity
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount
  }

  send(text: string, more = false): void {
    if (this.#state === 'closed') return
    // Judged before: a single frame may be larger than the limit, and must still reach who reads.
    if (this.#socket.bufferedAmount > this.#context.limits.bufferBytes) {
      this.#end('slow_reader')
      return
    }
    this.#socket.send(text, more)
    this.lastSentMs = this.#context.platform.monotonic()
  }

  mayAnswer(type: string): boolean {
    const { subscribe } = this.rights as Rights
    return (this.#host as RoomHost).publishRights(subscribe)(type)
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
    } else if (nowMs >= this.#token.endsMs) {
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
    return Math.min(this.#token.endsMs, this.#heardMs + silenceMs)
  }

  /** What to go on from, where this object goes out of memory and its socket stays. */
  get snapshot(): ConnectionSnapshot {
    const host = this.#host
    this.#fixed ??= fixedText(this.#admission, this.#joined)
    return {
      fixed: this.#fixed,
      openedMs: this.#openedMs,
      heardMs: this.#lastHeardMs,
      place: this.place,
      position: this.position,
      ...this.#said,
      // Taps that go on for an inspector nobody remembers end with their connection only.
      busy:
        this.#state === 'joining' ||
        this.#asked ||
        host?.inspection.tap !== undefined ||
        host?.groups.isBusy(this) === true,
    }
  }

  /** Who it said is there, and, in a line of its own, what they respond to. */
  get #said(): Pick<ConnectionSnapshot, 'present' | 'told'> {
    const { present, told } = this.#host?.presence.of(this) ?? {}
    if (present === undefined) return {}
    const responds = this.#responds.length > 0 ? `\n${JSON.stringify(this.#responds)}` : ''
    return { present: present + responds, told }
  }

  /** Goes on as the connection of a snapshot; its room is in memory. */
  resume(snapshot: ConnectionSnapshot, host: RoomHost): void {
    const joined = joinedOf(snapshot)
    const { openedMs, heardMs, place, position, present, told, busy } = snapshot
    this.#openedMs = openedMs
    this.#lastHeardMs = heardMs
    if (!busy && !joined) return
    if (!joined || !canGoOn(snapshot, joined, host)) {
      this.goAway(0, RESUME_JITTER_MS)
      return
    }
    this.#enter(host, joined, place, position)
    this.#token.begin(joined.identity)
    if (joined.copy) return
    this.#attach(host, host.head.place)
    host.groups.resume(this, joined.groups ?? [])
    if (present === undefined) return
    const [members = '', responds = '[]'] = present.split('\n')
    host.presence.resume(this, members, told)
    this.#responds = JSON.parse(responds) as string[]
    host.requests.said(this, this.#responds)
  }

  keepGroups(groups: readonly Membership[]): void {
    if (this.#joined) this.#keep({ ...this.#joined, groups })
  }

  /** Whether a batch or a token was not answered yet. */
  get #asked(): boolean {
    return this.#publishing?.pending === true || this.#token.renewing
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
      this.failWith(error)
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
    const decoded = frameIn(message, this.#context.limits.nesting)
    if (!decoded) return
    const { frame, data } = decoded
    const { length } = message as string
    const nowMs = this.#context.platform.monotonic()
    const waitMs = this.#pace.take(costOf(data.length, length), nowMs)
    if (this.#state === 'waiting' && frame.frame === 'hello') {
      this.#state = 'joining'
      this.#join(frame).catch((error: unknown) => this.failWith(error))
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
    if (waitMs > 0 && !NEVER_LEFT_OUT.has(frame.frame)) this.#holdOff(frame, waitMs)
    else this.#serve(frame, data, length)
  }

  #serve(frame: Frame, data: readonly string[], bytes: number): void {
    const host = this.#host as RoomHost
    if (frame.frame === 'ping') host.delivery.heartbeat(this)
    else if (frame.frame === 'credit') this.#credit(frame.bytes)
    else if (frame.frame === 'publish') this.#publishes.publish(frame, { data, bytes })
    else if (frame.frame === 'cast') this.#publishes.cast(frame, { data, bytes })
    else if (frame.frame === 'presence') {
      const { members, responds = NOTHING } = ownEntry(frame, bytes)
      // A copy is no part of the room.
      if (!this.attached) return
      this.#responds = responds
      host.said(this, members, responds)
    } else if (frame.frame === 'group' || frame.frame === 'settle') {
      if (!this.attached) return
      if (frame.frame === 'group') host.groups.group(this, frame)
      else host.groups.settle(this, frame)
    } else if (frame.frame === 'request') {
      if (this.attached) this.#publishes.request(frame, { data, bytes })
    } else if (frame.frame === 'reply') {
      if (this.attached) host.requests.reply(this, frame, data)
    } else if (frame.frame === 'cancel') host.requests.cancel(this, frame.id)
    else if (frame.frame === 'inspect') host.inspection.heard(this, frame.text)
    else if (frame.frame === 'token')
      this.#renew(frame.token).catch((error: unknown) => this.failWith(error))
    else throw new BusError('bad_frame', `${frame.frame} is not for the relay, or not now`)
  }

  /** Made with what is first published: many only listen. */
  get #publishes(): Publishing {
    const host = this.#host as RoomHost
    const { publish } = this.rights as Rights
    this.#publishing ??= new Publishing(this.#context, this, host, publish)
    return this.#publishing
  }

  #credit(bytes: number): void {
    this.#socket.credits?.took(bytes)
    if (this.bufferedAmount <= LOW_WATER_BYTES) this.onDrain()
  }

  /** Too much came: a batch is to come again, and what is best effort is left out. */
  #holdOff(frame: Frame, retryAfterMs: number): void {
    if (frame.frame === 'token')
      throw new BusError('rate_limited', 'too many frames in a short time')
    this.#context.log('limit', { ...this.#who, code: 'rate_limited' })
    if (frame.frame === 'publish') this.#publishes.holdOff(frame, retryAfterMs)
    else if (frame.frame === 'settle' || (frame.frame === 'group' && frame.join))
      this.#host?.groups.holdOff(this, frame, 'rate_limited', retryAfterMs)
    else if (frame.frame === 'group') this.#host?.groups.group(this, frame)
    else if (frame.frame === 'request') this.#publishes.refuse(frame)
  }

  async #renew(token: string): Promise<void> {
    const identity = await this.#token.renew(token)
    if (this.closed || !identity || !this.#joined) return
    this.#keep({ ...this.#joined, identity })
    this.send(encodeFrame({ frame: 'renewed', ...this.#token.begin(identity) }))
  }

  /** Ends the connection if its token is one that was called back. */
  revoke(isRevoked: (identity: Identity) => boolean): boolean {
    const { identity } = this
    if (this.closed || !identity || !isRevoked(identity)) return false
    this.fail(new BusError('token_expired', 'the token was called back'))
    return true
  }

  async #join(hello: HelloFrame): Promise<void> {
    checkHello(hello)
    const identity = await this.#token.check(hello.token)
    await join(this.#context, this.#admission.room, hello, identity, this)
  }

  /** Tells a device that it may be here, and what it missed. @throws {BusError} stale_term, unavailable */
  welcome(arrival: Arrival): void {
    const { admitted, hello, host, identity, resume } = arrival
    const { device, types } = hello
    const { copy } = admitted
    const row = rowOf(arrival)
    const { head } = host
    this.#enter(host, { device: device.id, identity, types, copy }, resume.place, resume.from)
    const { credits } = this.#socket
    const welcome = welcomeOf(this.#context, arrival, row, credits !== undefined)
    this.send(encodeFrame({ ...welcome, ...this.#token.begin(identity) }))
    credits?.begin()
    // A copy learns that it is one, and no more: what is the other's own must not reach it as its.
    if (this.closed || copy) return
    host.delivery.supersede(this.device)
    tellJoin(this.#context, hello, resume, { ...this.#who, subject: identity.subject })
    this.#attach(host, head.place)
    if (resume.reason) host.inspection.tap?.gap(this, resume.reason, resume.from, hello.cursor)
  }

  /** Is of the room from now on, standing at this place of its stream. */
  #enter(host: RoomHost, joined: Joined, place: number, position: string): void {
    const { device, identity, types } = joined
    const { subject, rights } = identity
    this.#host = host
    this.#keep(joined)
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
    this.#fixed = undefined
  }

  /** The room delivers to it, first what it lacks up to `target`. */
  #attach(host: RoomHost, target: number): void {
    this.attached = true
    host.inspection.came(this)
    host.delivery.attach(this, target)
  }

  /** Whatever was thrown for it ends it, and nothing else. */
  failWith(error: unknown): void {
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
    this.#host?.left(this)
    this.#host?.groups.left(this)
    this.#host?.inspection.left(this)
    this.onDrain()
    this.#context.left(this)
  }
}
