/**
 * A session with the relay, run by the context that leads: hello and welcome, the outbox out
 * (`outgoing.ts`), the room's stream in (`incoming.ts`). One session lasts as long as the
 * leadership; connections come and go within it.
 *
 *   connecting ──opened──► hello sent ──welcome──► online ──closed──► offline ──opened──► ...
 *                               ▲          │ │ error for good
 *                               └── fork ◄─┘ └─────────► refused (until something is changed)
 */
import {
  BUS_ERROR_CODES,
  BusError,
  type BusErrorCode,
  codeOfClose,
  isBusError,
  isRetryable,
  toBusError,
} from '../errors.ts'
import type { Gate } from '../inspect/tap.ts'
import type { RelayAddress, RelayConnection } from '../links/link.ts'
import type { LogState } from '../log/log.ts'
import { Credits } from '../protocol/credits.ts'
import {
  type BatchRef,
  type CancelFrame,
  type HelloFrame,
  MAX_INSPECT_LENGTH,
  type Present,
  type RelayFrame,
  type ReplyFrame,
  type RequestFrame,
  type Term,
  type WelcomeFrame,
} from '../protocol/frames.ts'
import { pastThrough } from '../protocol/position.ts'
import { deviceName, MAX_PRESENCE_LENGTH, MAX_PRESENT, MAX_RESPONDS } from '../protocol/presence.ts'
import { decodeFrame, encodeFrame } from '../protocol/text.ts'
import { Incoming } from './incoming.ts'
import { Outgoing } from './outgoing.ts'
import { reconcile, type Verdict } from './reconcile.ts'
import type { MemberFrame, RelaySession, SessionStart, Written } from './sync.ts'

/** Silence after which a socket counts as dead. Hidden pages get a timer once a minute only. */
const SILENCE_MS = 150_000

/** A relay may not ask for more than this. */
const MIN_HEARTBEAT_MS = 1_000
/** Wait before connecting again after a failure of ours, doubled each time up to the longest. */
const MIN_AGAIN_MS = 500
const MAX_AGAIN_MS = 30_000
/** How long a relay may take to answer a hello. */
const WELCOME_MS = 30_000
/** So long before its end a token is renewed, or at half of its time; and not more often than this. */
const RENEWAL_MS = 60_000
const MIN_RENEWAL_MS = 1_000
/** Why a relay ends a connection whose device is to come back with another token. */
const TOKEN_CODES: ReadonlySet<string> = new Set<BusErrorCode>(['token_expired', 'rights_changed'])
/** Letters and digits of a device's id and of its secret. */
const ID_LENGTH = 22
const SECRET_LENGTH = 43

export interface SessionOptions extends SessionStart {
  readonly source: RelayAddress
}

export class Session implements RelaySession {
  readonly #options: SessionOptions
  readonly #outgoing: Outgoing
  readonly #incoming: Incoming
  #connection: RelayConnection | undefined
  /** Counts connections, so that answers to an older one's questions are dropped. */
  #round = 0
  #online = false
  #knowsGroups = false
  /** The terms of the last hello. */
  #terms: readonly Term[] = []
  /** What others know this device by, since the last hello. */
  #name = ''
  #present: readonly Present[] = []
  #responds: readonly string[] = []
  /** What the relay was told of them. */
  #toldPresent = ''
  #pinged: number | undefined
  #credits = new Credits()
  #heard = 0
  #stopHeartbeat: (() => void) | undefined
  #stopRenewal: (() => void) | undefined
  /** The token that the relay has. */
  #token: string | undefined
  /** What the relay said before it closed the connection for good. */
  #refusal: BusError | undefined
  /** Failures since the last stream batch that was written. */
  #attempts = 0
  #stopped = false

  constructor(options: SessionOptions) {
    this.#options = options
    const { events, log, platform, taps, term, writer } = options
    this.#outgoing = new Outgoing({
      log,
      term,
      platform,
      taps,
      send: (text) => this.#send(text),
      failed: (error) => this.#failed(error),
      report: events.report,
    })
    this.#incoming = new Incoming({
      log,
      writer,
      term,
      committed: (...news) => {
        this.#attempts = 0
        this.#outgoing.passed(news[0])
        events.committed(...news)
      },
      failed: (error) => this.#failed(error),
    })
  }

  start(): void {
    const { source, events, platform } = this.#options
    events.state('connecting')
    this.#connection = source.connect(
      {
        opened: () => void this.#hello(),
        received: (text) => {
          const { gate } = this.#options.taps
          if (gate) this.#through(gate, text, (passed) => this.#receive(passed))
          else this.#receive(text)
        },
        closed: (code, final) => this.#closed(code, final),
      },
      platform,
    )
    this.#options.taps.relay = this.#connection
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#options.taps.relay = undefined
    this.#end()
    this.#connection?.close()
    await this.#incoming.idle()
  }

  outboxGrew(newest: number, prefix: string, written?: Written): void {
    this.#incoming.publishedHere(prefix)
    this.#outgoing.grew(newest, written)
  }

  cast(headersText: string, data: readonly string[]): void {
    const { tap } = this.#options.taps
    if (this.#online) {
      const text = `{"frame":"cast","events":${headersText}}\n${data.join('\n')}`
      // Told before it is done: whoever gets it may be quicker than who tells.
      tap?.told(headersText, text.length, 'relay')
      this.#send(text)
    } else tap?.told(headersText, 0, undefined)
  }

  ask(frame: RequestFrame | ReplyFrame | CancelFrame, data: readonly string[] = []): boolean {
    if (this.#online) this.#send(encodeFrame(frame, data))
    return this.#online
  }

  ping(): boolean {
    if (!this.#online) return false
    this.#pinged = this.#options.platform.monotonic()
    this.#send('{"frame":"ping"}')
    return true
  }

  presence(members: readonly Present[], responds: readonly string[]): void {
    this.#present = members
    this.#responds = responds
    this.#tellPresent()
  }

  inspect(text: string): void {
    if (!this.#online || text.length > MAX_INSPECT_LENGTH) return
    if ((this.#connection?.buffered ?? 0) <= MAX_INSPECT_LENGTH)
      this.#send(encodeFrame({ frame: 'inspect', text }))
  }

  member(frame: MemberFrame): void {
    if (!this.#online) return
    if (this.#knowsGroups) this.#send(encodeFrame(frame))
    else if (frame.frame === 'group' && frame.join) {
      const { group, member } = frame
      const message = 'this relay knows no groups'
      this.#options.events.member(
        { frame: 'grouped', group, member, code: 'unreachable', message },
        [],
      )
    }
  }

  #tellPresent(): void {
    if (!this.#online) return
    const text = presenceText(this.#present, this.#responds)
    if (text !== this.#toldPresent) this.#send(text)
    this.#toldPresent = text
  }

  async #hello(): Promise<void> {
    this.#end()
    const round = this.#round
    const { log, source, events, platform } = this.#options
    try {
      const [state, token] = await Promise.all([log.state(), source.token()])
      if (round !== this.#round) return
      if (state.room.term !== this.#options.term[0]) {
        events.deposed()
        return
      }
      this.#heard = platform.monotonic()
      this.#token = token
      this.#send(encodeFrame(this.#helloFrame(state, token)))
      this.#stopHeartbeat = platform.timer(WELCOME_MS, () => {
        if (round === this.#round && !this.#online) this.#connection?.reconnect()
      })
    } catch (error) {
      if (round !== this.#round) return
      events.report(
        toBusError(error, 'unauthorized', 'the token function failed', { stage: 'links' }),
      )
      this.#again()
    }
  }

  #helloFrame(state: LogState, token: string | undefined): HelloFrame {
    const { source, term } = this.#options
    const { room, head } = state
    this.#terms = room.terms.length > 0 ? room.terms : [term]
    this.#name = deviceName(state.device.id)
    return {
      frame: 'hello',
      version: 1,
      ...(token === undefined ? undefined : { token }),
      log: state.logId,
      ...(room.subject === undefined ? undefined : { subject: room.subject }),
      device: state.device,
      terms: this.#terms,
      ...(room.confirmed === undefined ? undefined : { confirmed: room.confirmed }),
      ...(room.pending > 0
        ? { outbox: { first: (room.confirmed?.batch ?? 0) + 1, last: head.batch } }
        : undefined),
      ...(room.cursor === undefined
        ? { from: source.from }
        : { cursor: room.cursor, older: room.older }),
      ...(source.types === undefined ? undefined : { types: source.types }),
    }
  }

  #receive(text: string): void {
    this.#heard = this.#options.platform.monotonic()
    try {
      const decoded = decodeFrame(text)
      if (!decoded) return
      const frame = decoded.frame as RelayFrame
      this.#take(frame, decoded.data)
      const bytes = this.#credits.took(frame, text)
      if (bytes !== undefined) this.#credit(bytes)
    } catch (error) {
      this.#options.events.report(
        toBusError(error, 'bad_frame', 'a frame of the relay could not be read'),
      )
      this.#again()
    }
  }

  /** Said when all that came before is in the log: a relay sends as fast as that goes. */
  #credit(bytes: number): void {
    const round = this.#round
    this.#incoming.after(async () => {
      if (round === this.#round) this.#send(encodeFrame({ frame: 'credit', bytes }))
    })
  }

  #take(frame: RelayFrame, data: readonly string[]): void {
    const { events } = this.#options
    const round = this.#round
    switch (frame.frame) {
      case 'welcome':
        this.#incoming.after(() => this.#welcome(frame, round))
        return
      case 'renewed':
        this.#renewIn(frame.expiresInMs)
        return
      case 'ack':
        this.#outgoing.acknowledged(frame.batch)
        return
      case 'reject':
        if (frame.code === 'stale_term') void this.#outOfTerm(round)
        else this.#outgoing.rejected(frame)
        return
      case 'stream':
        this.#incoming.take(frame, data)
        return
      case 'cast':
        events.cast(frame, data)
        return
      case 'grouped':
      case 'lease':
      case 'settled':
        events.member(frame, data)
        return
      case 'presence':
        events.presence(frame, this.#name)
        return
      case 'request':
      case 'reply':
      case 'cancel':
        events.asked(frame, data)
        return
      case 'inspect':
        // What comes with the welcome can be answered once that is taken in.
        if (this.#online) events.inspect(frame.text)
        else
          this.#incoming.after(async () => {
            if (round === this.#round) events.inspect(frame.text)
          })
        return
      case 'heartbeat':
        if (this.#pinged !== undefined) events.rtt(this.#heard - this.#pinged)
        this.#pinged = undefined
        if (this.#incoming.isHole(frame.head)) this.#again()
        return
      case 'goaway':
        // The relay closes the socket itself; when to come back is spread over its devices.
        this.#connection?.holdOff(frame.afterMs + frame.jitterMs * this.#options.platform.random())
        return
      case 'error': {
        if (frame.code === 'stale_term') {
          void this.#outOfTerm(round)
          return
        }
        const error = new BusError(frame.code, `the relay says: ${frame.message}`, {
          stage: 'links',
        })
        // A fresh token is asked for at the next hello: nothing went wrong.
        if (!TOKEN_CODES.has(frame.code)) events.report(error)
        if (!isRetryable(frame.code)) this.#refusal = error
      }
    }
  }

  async #welcome(frame: WelcomeFrame, round: number): Promise<void> {
    if (round !== this.#round) return
    const { log, source } = this.#options
    try {
      const state = await log.state()
      const knowsTaken = await this.#knows(frame.taken, state)
      if (round !== this.#round) return
      const held = { room: state.room, terms: this.#terms, knowsTaken, types: source.types }
      const verdict = reconcile(held, frame)
      if (verdict.do === 'refuse') this.#refuse(verdict.error)
      else if (verdict.do === 'fork') await this.#fork(round)
      else await this.#goOn(frame, state, verdict, round)
    } catch (error) {
      if (round === this.#round) this.#failed(error)
    }
  }

  /** Whether this log has the batch that the relay took last, with the same last event. */
  async #knows(taken: BatchRef | undefined, { room }: LogState): Promise<boolean> {
    if (taken === undefined) return true
    const { confirmed } = room
    if (confirmed?.batch === taken.batch && confirmed.id === taken.id) return true
    const [row] = await this.#options.log.read(taken.batch, 1)
    return (
      row?.kind === 'own' &&
      row.batch === taken.batch &&
      row.headers.some(({ id }) => id === taken.id)
    )
  }

  /** Goes on as another device; all that this log holds stays where it is. */
  async #fork(round: number): Promise<void> {
    const { log, platform, term } = this.#options
    if (round !== this.#round) return
    try {
      await log.fork(term, {
        id: platform.randomText(ID_LENGTH),
        secret: platform.randomText(SECRET_LENGTH),
      })
      if (round === this.#round) this.#again()
    } catch (error) {
      if (round === this.#round) this.#failed(error)
    }
  }

  async #goOn(
    frame: WelcomeFrame,
    { head, room }: LogState,
    verdict: Extract<Verdict, { do: 'goOn' }>,
    round: number,
  ): Promise<void> {
    const { log, events, platform, term } = this.#options
    const { confirmed, cut, gap, liveAfter, reads, send } = verdict
    const { epoch, from, taken } = frame
    await log.welcomed({
      term,
      cursor: from,
      liveAfter,
      subject: frame.subject,
      reads,
      ...(confirmed && { confirmed }),
      ...(cut && { cut }),
      ...(gap && { gap: { ...gap, at: head.batch, time: platform.now() } }),
    })
    if (gap) events.gap(gap)
    if (round !== this.#round) return
    this.#online = true
    this.#options.taps.rights = frame.rights
    events.state('online')
    this.#knowsGroups = frame.groups === true
    events.online(epoch)
    this.#tellPresent()
    this.#stopHeartbeat?.()
    this.#beat(round, frame.limits.heartbeatMs)
    this.#renewIn(frame.expiresInMs)
    if (send === 'now') this.#outgoing.begin(taken?.batch, head.batch)
    const cuts = cut ? [...room.cuts, { ...cut, record: head.batch }] : room.cuts
    this.#incoming.begin({
      epoch,
      from,
      head: frame.head,
      liveAfter: pastThrough({ liveAfter, cuts }, epoch, head.batch + 1),
      restored: cuts.length > 0,
      atHead: () => {
        if (send === 'anew') {
          // Who waits for what was taken hears where it stands when the new id has sent it.
          this.#incoming.after(() => this.#fork(round))
          return
        }
        if (taken) events.confirmedThrough(taken.batch)
        if (send === 'atHead') this.#outgoing.begin(undefined, head.batch)
      },
    })
  }

  /** The relay has a newer term of this device: another context leads, or a copy of the device. */
  async #outOfTerm(round: number): Promise<void> {
    const { log, events, term } = this.#options
    try {
      const { room } = await log.state(false)
      if (round !== this.#round) return
      if (room.term !== term[0]) events.deposed()
      else this.#again()
    } catch (error) {
      if (round === this.#round) this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    const { events } = this.#options
    if (isBusError(error, 'stale_term')) {
      events.deposed()
      return
    }
    if (this.#stopped) return
    events.report(
      toBusError(error, 'log_failed', 'a batch of the room could not be written', {
        stage: 'sync',
      }),
    )
    // Saying hello again starts from what the log really holds.
    this.#again()
  }

  /** Connects again, later each time it did not come to a commit: the link knows nothing of that. */
  #again(): void {
    this.#end()
    const ms = Math.min(MAX_AGAIN_MS, MIN_AGAIN_MS * 2 ** this.#attempts)
    this.#attempts += 1
    this.#connection?.holdOff(ms * (0.5 + this.#options.platform.random() / 2))
    this.#connection?.reconnect()
  }

  #refuse(error: BusError): void {
    this.#end()
    this.#options.events.report(error)
    this.#options.events.state('refused', error)
    this.#connection?.suspend(BUS_ERROR_CODES[error.code])
  }

  #closed(code: number, final: boolean): void {
    this.#end()
    if (this.#stopped) return
    const { events } = this.#options
    const said = this.#refusal
    this.#refusal = undefined
    if (!final) {
      events.state('offline')
      return
    }
    const reason = codeOfClose(code) ?? 'unavailable'
    const text = `the relay closed the connection for good: ${reason} (${code})`
    events.state('refused', said ?? new BusError(reason, text, { stage: 'links' }))
  }

  /** Nothing of the connection goes on. */
  #end(): void {
    this.#round += 1
    this.#online = false
    this.#options.taps.rights = undefined
    this.#toldPresent = ''
    this.#pinged = undefined
    this.#credits = new Credits()
    this.#stopHeartbeat?.()
    this.#stopHeartbeat = undefined
    this.#stopRenewal?.()
    this.#stopRenewal = undefined
    this.#outgoing.end()
    this.#incoming.end()
  }

  #beat(round: number, heartbeatMs: number): void {
    const { platform } = this.#options
    if (round !== this.#round || this.#stopped) return
    const now = platform.monotonic()
    if (now - this.#heard > Math.max(SILENCE_MS, 3 * heartbeatMs)) {
      this.#connection?.reconnect()
      return
    }
    this.ping()
    const wait = Math.max(MIN_HEARTBEAT_MS, heartbeatMs)
    this.#stopHeartbeat = platform.timer(wait, () => this.#beat(round, heartbeatMs))
  }

  /** Asks for a fresh token in time, so that the connection outlives this one. */
  #renewIn(expiresInMs: number | undefined): void {
    this.#stopRenewal?.()
    if (expiresInMs === undefined) return
    const ms = Math.max(MIN_RENEWAL_MS, expiresInMs - Math.min(RENEWAL_MS, expiresInMs / 2))
    this.#stopRenewal = this.#options.platform.timer(ms, () => void this.#renew(expiresInMs - ms))
  }

  async #renew(leftMs: number): Promise<void> {
    const round = this.#round
    const { source, events } = this.#options
    try {
      const token = await source.token()
      if (round !== this.#round) return
      // One that is always the same ends when it ends.
      if (token !== undefined && token !== this.#token)
        this.#send(encodeFrame({ frame: 'token', token }))
      this.#token = token
    } catch (error) {
      if (round !== this.#round) return
      events.report(
        toBusError(error, 'unauthorized', 'the token function failed', { stage: 'links' }),
      )
      if (leftMs > MIN_RENEWAL_MS) this.#renewIn(leftMs)
    }
  }

  #send(text: string): void {
    const { gate } = this.#options.taps
    if (gate) this.#through(gate, text, (passed) => this.#connection?.send(passed))
    else this.#connection?.send(text)
  }

  /** What is held up goes down with its connection: the next one begins with a hello. */
  #through(gate: Gate, text: string, go: (passed: string) => void): void {
    const round = this.#round
    gate('relay', text, (passed) => {
      if (round === this.#round) go(passed)
    })
  }
}

/** As many as a frame of them may have; who comes first stays. */
function presenceText(present: readonly Present[], types: readonly string[]): string {
  let members = present.slice(0, MAX_PRESENT)
  let responds = types.slice(0, MAX_RESPONDS)
  for (;;) {
    const device = { members, ...(responds.length > 0 && { responds }) }
    const text = encodeFrame({ frame: 'presence', devices: [device] })
    if (text.length <= MAX_PRESENCE_LENGTH) return text
    if (members.length > 1) members = members.slice(0, -1)
    else responds = responds.slice(0, -1)
  }
}
