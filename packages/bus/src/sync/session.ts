/**
 * A session with the relay, run by the context that leads: hello and welcome, the outbox out, the
 * room's stream in. In come texts of the relay link and news of the log; out go texts, commits,
 * and what `SessionEvents` lists. One session lasts as long as the leadership; connections come
 * and go within it.
 *
 *   connecting ──opened──► hello sent ──welcome──► online ──closed──► offline ──opened──► ...
 *                                          │ error for good
 *                                          └──────────────► refused (until something is changed)
 */
import {
  BUS_ERROR_CODES,
  BusError,
  codeOfClose,
  isBusError,
  isRetryable,
  toBusError,
} from '../errors.ts'
import type { RelayAddress, RelayConnection } from '../links/link.ts'
import type { LogState, StoredBatch, StoredOwnBatch } from '../log/log.ts'
import type { HelloFrame, RelayFrame, StreamFrame, WelcomeFrame } from '../protocol/frames.ts'
import { parsePosition } from '../protocol/position.ts'
import { decodeFrame, encodeFrame, encodePublish } from '../protocol/text.ts'
import { OFFLINE_SENDER, type SenderInput, type SenderOutput, stepSender } from './sender.ts'
import type { RelaySession, SessionStart } from './sync.ts'

/** Silence after which a socket counts as dead. Hidden pages get a timer once a minute only. */
const SILENCE_MS = 150_000

/** Wait before connecting again after a failure of ours, doubled each time up to the longest. */
const MIN_AGAIN_MS = 500
const MAX_AGAIN_MS = 30_000
/** How long a relay may take to answer a hello. */
const WELCOME_MS = 30_000

export interface SessionOptions extends SessionStart {
  readonly source: RelayAddress
}

export class Session implements RelaySession {
  readonly #options: SessionOptions
  #connection: RelayConnection | undefined
  #sender = OFFLINE_SENDER
  /** Counts connections, so that answers to an older one's questions are dropped. */
  #round = 0
  #online = false
  #epoch = ''
  #liveAfter = 0
  /** Commits of stream batches, one after the other. */
  #commits: Promise<void> = Promise.resolve()
  #pinged: number | undefined
  #heard = 0
  #stopHeartbeat: (() => void) | undefined
  #cancelRetry: (() => void) | undefined
  /** What the relay said before it closed the connection for good. */
  #refusal: BusError | undefined
  /** Failures since the last stream batch that was written. */
  #attempts = 0
  #stopped = false

  constructor(options: SessionOptions) {
    this.#options = options
  }

  start(): void {
    const { source, events, platform } = this.#options
    events.state('connecting')
    this.#connection = source.connect(
      {
        opened: () => void this.#hello(),
        received: (text) => this.#receive(text),
        closed: (code, final) => this.#closed(code, final),
      },
      platform,
    )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#round += 1
    this.#end()
    this.#connection?.close()
    await this.#commits
  }

  outboxGrew(newest: number): void {
    this.#step({ kind: 'grew', newest })
  }

  cast(headersText: string, data: readonly string[]): void {
    if (this.#online) this.#send(`{"frame":"cast","events":${headersText}}\n${data.join('\n')}`)
  }

  async #hello(): Promise<void> {
    const round = ++this.#round
    const { log, source, events } = this.#options
    try {
      const [state, token] = await Promise.all([log.state(), source.token()])
      if (round !== this.#round) return
      const { platform } = this.#options
      this.#heard = platform.monotonic()
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
    return {
      frame: 'hello',
      version: 1,
      ...(token === undefined ? undefined : { token }),
      log: state.logId,
      device: state.device,
      terms: room.terms.length > 0 ? room.terms : [term],
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
      if (decoded) this.#take(decoded.frame as RelayFrame, decoded.data)
    } catch (error) {
      this.#options.events.report(
        toBusError(error, 'bad_frame', 'a frame of the relay could not be read'),
      )
      this.#again()
    }
  }

  #take(frame: RelayFrame, data: readonly string[]): void {
    const { events } = this.#options
    const round = this.#round
    switch (frame.frame) {
      case 'welcome':
        this.#commits = this.#commits.then(() => this.#welcome(frame, round))
        return
      case 'ack':
        this.#step({ kind: 'acknowledged', batch: frame.batch })
        return
      case 'reject':
        if (frame.code === 'stale_term') {
          events.deposed()
          return
        }
        this.#step({
          kind: 'rejected',
          batch: frame.batch,
          // A relay that cannot do it now may not know what it has either.
          taken: frame.taken ?? (frame.code === 'out_of_order' ? undefined : 'unknown'),
          retryAfterMs: frame.retryAfterMs,
        })
        return
      case 'stream':
        this.#commits = this.#commits.then(() => this.#commit(frame, data, round))
        return
      case 'cast':
        events.cast(frame, data)
        return
      case 'heartbeat':
        if (this.#pinged !== undefined) events.rtt(this.#heard - this.#pinged)
        this.#pinged = undefined
        return
      case 'goaway':
        // The relay closes the socket itself; when to come back is spread over its devices.
        this.#connection?.holdOff(frame.afterMs + frame.jitterMs * this.#options.platform.random())
        return
      case 'error': {
        const error = new BusError(frame.code, `the relay says: ${frame.message}`, {
          stage: 'links',
        })
        events.report(error)
        if (!isRetryable(frame.code)) this.#refusal = error
      }
    }
  }

  async #welcome(frame: WelcomeFrame, round: number): Promise<void> {
    const { log, events, term } = this.#options
    try {
      const state = await log.state()
      if (round !== this.#round) return
      const { room, head } = state
      if (room.subject !== undefined && room.subject !== frame.subject) {
        this.#refuse(
          new BusError(
            'subject_changed',
            'this log belongs to another user of the relay: give each user a bus of another name',
            { stage: 'sync' },
          ),
        )
        return
      }
      const known = room.cursor === undefined ? undefined : parsePosition(room.cursor)?.epoch
      this.#epoch = frame.epoch
      // In a room that was made anew, places count from 1 again, and all in it is new.
      if (known === undefined) this.#liveAfter = parsePosition(frame.head)?.place ?? 0
      else this.#liveAfter = known === frame.epoch ? room.liveAfter : 0
      await log.welcomed({
        term,
        cursor: frame.from,
        liveAfter: this.#liveAfter,
        subject: frame.subject,
        reads: JSON.stringify([frame.rights.subscribe, this.#options.source.types ?? null]),
        ...(room.confirmed === undefined ? undefined : { confirmed: room.confirmed }),
      })
      if (round !== this.#round) return
      if (!frame.recovered)
        events.gap({ reason: frame.reason ?? 'unknown_position', from: frame.from })
      this.#online = true
      events.state('online')
      this.#stopHeartbeat?.()
      this.#beat(round, frame.limits.heartbeatMs)
      this.#step({ kind: 'welcomed', taken: frame.taken?.batch, newest: head.batch })
    } catch (error) {
      this.#failed(error)
    }
  }

  async #commit(frame: StreamFrame, data: readonly string[], round: number): Promise<void> {
    const { writer, events, term } = this.#options
    if (round !== this.#round || this.#stopped) return
    try {
      const { number, record } = await writer.writeRoom(frame, data, this.#epoch, term)
      this.#attempts = 0
      events.committed(number, record, frame.runs, data, this.#liveAfter)
    } catch (error) {
      this.#failed(error)
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
    this.#round += 1
    this.#again()
  }

  /** Connects again, later each time it did not come to a welcome: the link knows nothing of that. */
  #again(): void {
    const ms = Math.min(MAX_AGAIN_MS, MIN_AGAIN_MS * 2 ** this.#attempts)
    this.#attempts += 1
    this.#connection?.holdOff(ms * (0.5 + this.#options.platform.random() / 2))
    this.#connection?.reconnect()
  }

  #refuse(error: BusError): void {
    this.#round += 1
    this.#end()
    this.#options.events.report(error)
    this.#options.events.state('refused', error)
    this.#connection?.suspend(BUS_ERROR_CODES[error.code])
  }

  #closed(code: number, final: boolean): void {
    this.#round += 1
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
    this.#online = false
    this.#pinged = undefined
    this.#stopHeartbeat?.()
    this.#cancelRetry?.()
    this.#step({ kind: 'closed' })
  }

  #beat(round: number, heartbeatMs: number): void {
    const { platform } = this.#options
    if (round !== this.#round || this.#stopped) return
    const now = platform.monotonic()
    if (now - this.#heard > Math.max(SILENCE_MS, 3 * heartbeatMs)) {
      this.#connection?.reconnect()
      return
    }
    this.#pinged = now
    this.#send('{"frame":"ping"}')
    this.#stopHeartbeat = platform.timer(heartbeatMs, () => this.#beat(round, heartbeatMs))
  }

  /** `read` has the batches that a `read` input is about. */
  #step(input: SenderInput, read: readonly StoredBatch[] = []): void {
    const [state, outputs] = stepSender(this.#sender, input)
    this.#sender = state
    for (const output of outputs) this.#do(output, read)
  }

  #do(output: SenderOutput, read: readonly StoredBatch[]): void {
    const { platform } = this.#options
    if (output.do === 'send') {
      const batch = read.find((one) => one.batch === output.batch)
      if (batch?.kind === 'own') this.#sendBatch(batch, output.prev)
    } else if (output.do === 'read') void this.#read(output.from, output.limit)
    else this.#cancelRetry = platform.timer(output.ms, () => this.#step({ kind: 'retry' }))
  }

  async #read(from: number, limit: number): Promise<void> {
    const round = this.#round
    const { newest } = this.#sender
    try {
      const batches = await this.#options.log.read(from, limit)
      if (round !== this.#round) return
      for (const { damaged } of batches) if (damaged) this.#options.events.report(damaged)
      const outbox = batches.map((batch) => ({
        batch: batch.batch,
        forRoom: batch.kind === 'own' && batch.roomEvents > 0,
      }))
      // A read that was cut short by its limit says nothing of what comes after its last record.
      const last = batches.at(-1)?.batch ?? 0
      const through = batches.length < limit ? Math.max(newest, last) : last
      this.#step({ kind: 'read', from, batches: outbox, through }, batches)
    } catch (error) {
      if (round === this.#round) this.#failed(error)
    }
  }

  #sendBatch(batch: StoredOwnBatch, prev: number | undefined): void {
    const indexes: number[] = []
    batch.headers.forEach((header, index) => {
      if (header.scope !== 'device') indexes.push(index)
    })
    const whole = indexes.length === batch.headers.length
    const headers = indexes.map((index) => batch.headers[index])
    this.#send(
      encodePublish(
        {
          frame: 'publish',
          batch: batch.batch,
          ...(prev === undefined ? undefined : { prev }),
          term: this.#options.term,
          ...(whole ? undefined : { indexes }),
        },
        JSON.stringify(headers),
        indexes.map((index) => batch.data[index]).join('\n'),
      ),
    )
  }

  #send(text: string): void {
    this.#connection?.send(text)
  }
}
