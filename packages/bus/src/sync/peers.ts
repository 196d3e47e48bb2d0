/**
 * The other contexts of this device: what they post comes in as text of the tabs link and goes out
 * as events, each once, and as news for whoever leads. Anybody on the origin can post here, so
 * every text is checked; a foreign one is reported and dropped.
 */
import type { Batch, Entry } from '../batch/batch.ts'
import { BusError, toBusError } from '../errors.ts'
import { type EventHeader, parseId } from '../event.ts'
import type { TapHolder } from '../inspect/tap.ts'
import type { Link } from '../links/link.ts'
import type { OwnBatch } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import { LINK_CHECKS, type LinkFrame, NO_LOG } from '../protocol/link-frames.ts'
import {
  type BatchFrame,
  type BeatFrame,
  decodePeerFrame,
  encodeEvents,
  encodePeerFrame,
  type HereFrame,
  type InLog,
  MAX_TOLD,
  type PeerFrame,
} from '../protocol/peer-frames.ts'
import type { Gap } from '../types.ts'
import { Hearing } from './hearing.ts'
import type { Attached, PassFrame, PeerContexts, PeerEvents, RoomNews, Seen } from './sync.ts'

/** Of these another device's are for nobody here. */
const ELSEWHERE: ReadonlySet<string> = new Set(['batch', 'withdrawn', 'cast', 'present'])
/** Texts kept at most until the log is open; then the oldest go, and are for the log to heal. */
const MAX_EARLY = 10_000

export class Peers implements PeerContexts {
  readonly #events: PeerEvents
  readonly #prefix: string
  #link: Link | undefined
  /** Absent until the log is open; what comes before waits. */
  #logId: string | undefined
  #early: string[] = []
  #seeking = false
  #overflowed = false
  /** Whether a room brings what other devices publish. */
  readonly #hasRoom: boolean
  readonly #hearing: Hearing
  readonly #taps: TapHolder
  #lastId: string | undefined
  #posted = 0

  constructor(
    prefix: string,
    platform: Platform,
    hasRoom: boolean,
    events: PeerEvents,
    taps: TapHolder = { tap: undefined },
  ) {
    this.#prefix = prefix
    this.#hasRoom = hasRoom
    this.#events = events
    this.#taps = taps
    this.#hearing = new Hearing({ prefix, platform, events, taps })
  }

  attach(link: Link | undefined, { id, log, past, renewed, seeking = false }: Attached): void {
    const again = !renewed && this.#lastId === id
    this.#logId = id
    this.#lastId = id
    this.#seeking = seeking
    this.#link = link
    // Where nobody can be heard, there is nothing to have missed.
    if (!log || !link) this.#hearing.end(again)
    else if (again) this.#hearing.resume(log)
    else this.#hearing.begin(log, past)
    // Who listened before has missed what these follow, and finds it in the log.
    const early = !again && !renewed
    for (const text of this.#early.splice(0)) this.#read(text, early)
    // Of a log that came in place of another one all is news.
    if (renewed) void this.#hearing.look()
  }

  detach(): void {
    this.#logId = undefined
    this.#hearing.end()
  }

  look(): Promise<void> {
    return this.#hearing.look()
  }

  wrote(batch: number): void {
    this.#hearing.wrote(batch)
  }

  receive(text: string): void {
    const { gate } = this.#taps
    if (gate) gate('tabs', text, (passed) => this.#heard(passed))
    else this.#heard(text)
  }

  #heard(text: string): void {
    if (this.#logId === undefined) this.#keepEarly(text)
    else this.#read(text, false)
  }

  #read(text: string, early: boolean): void {
    try {
      const { frame, data } = decodePeerFrame(text)
      if (this.#seeking && !(frame.frame in LINK_CHECKS)) this.#keepEarly(text)
      else this.#take(frame, data, early)
    } catch (error) {
      this.#events.report(
        toBusError(error, 'bad_frame', 'a text of the tabs link could not be read'),
      )
    }
  }

  #keepEarly(text: string): void {
    this.#early.push(text)
    if (this.#early.length <= MAX_EARLY) return
    this.#early.shift()
    if (this.#overflowed) return
    this.#overflowed = true
    this.#events.report(
      new BusError(
        'buffer_overflow',
        `more than ${MAX_EARLY} texts of other contexts came before the log was open: the oldest are dropped`,
        { stage: 'sync' },
      ),
    )
  }

  #take(frame: PeerFrame, data: readonly string[], early: boolean): void {
    const events = this.#events
    const sameLog = frame.log === this.#logId
    if (!sameLog && this.#isElsewhere(frame)) return
    switch (frame.frame) {
      case 'batch':
        if (!sameLog) {
          this.#hearing.foreign(frame, data)
          return
        }
        this.#hearing.batch(frame, data, early)
        // What the events lead to goes first: who publishes in a handler has it handed on by then.
        if (frame.committed) queueMicrotask(() => this.#allCommitted(frame))
        return
      case 'committed':
        if (!sameLog) return
        this.#committed(frame.prefix, frame)
        return
      case 'withdrawn':
        this.#hearing.withdrawn(frame.ids)
        for (const id of frame.ids) {
          events.report(
            toBusError(
              undefined,
              frame.code,
              `event ${id} was withdrawn by its publisher: it is in no log`,
              {
                stage: 'log',
                eventId: id,
              },
            ),
          )
        }
        return
      case 'room':
        if (!sameLog) return
        this.#hearing.room(frame, data)
        events.changed(frame.batch)
        return
      case 'cast':
        frame.events.forEach((header, i) => {
          const incoming = { header, dataText: data[i] as string }
          const origin = frame.room ? 'room' : 'device'
          this.#taps.tap?.received('tabs', origin, incoming)
          events.deliver(incoming, origin)
        })
        if (!frame.room) events.cast(frame.events, data)
        return
      case 'beat':
        if (!sameLog) {
          events.ledElsewhere()
          return
        }
        this.#hearing.exists(frame.head)
        events.beat(frame)
        return
      case 'gap':
        if (sameLog) events.gap(frame.gap)
        return
      case 'seek':
      case 'host':
      case 'heard':
      case 'submit':
      case 'taken':
      case 'declined':
      case 'present':
      case 'where':
      case 'placed':
      case 'request':
      case 'reply':
      case 'cancel':
        events.linked(frame, data)
        return
      case 'here':
        if (sameLog) events.here(frame)
        return
      case 'join':
        if (sameLog) events.joined(frame)
        return
      case 'pass':
        if (sameLog) events.passed(frame, data)
    }
  }

  /**
   * Whether it is about events of a context with a log of its own: another device, whose events come
   * through the room. Heard from here too, they would come before others that they follow.
   */
  #isElsewhere({ frame, log }: PeerFrame): boolean {
    if (!this.#hasRoom || log === NO_LOG || this.#logId === NO_LOG) return false
    return ELSEWHERE.has(frame)
  }

  #allCommitted({ log, prefix, committed = [] }: BatchFrame): void {
    if (log !== this.#logId) return
    for (const one of committed) this.#committed(prefix, one)
  }

  #committed(prefix: string, inLog: InLog): void {
    this.#hearing.committed(prefix, inLog)
    this.#events.changed(inLog.batch)
  }

  post(batch: Batch, record: OwnBatch | undefined, committed: readonly InLog[] = []): void {
    const prev = this.#posted
    // Also where nobody can be told: what those who listen later lack, they find in the log.
    if (record) this.#posted = parseId(record.lastId)[1]
    if (!this.#link || this.#logId === undefined) return
    if (record) {
      const common = { frame: 'batch', log: this.#logId, prefix: this.#prefix, prev } as const
      const told = committed.slice(0, MAX_TOLD)
      for (const one of committed.slice(MAX_TOLD)) this.postCommitted(one)
      const frame = told.length === 0 ? common : { ...common, committed: told }
      const text = encodeEvents(frame, record.headers, record.data)
      // Told before it is done: whoever gets it may be quicker than who tells.
      this.#taps.tap?.posted('tabs', batch.persisted, record.headers.length + record.data.length)
      this.#transmit(text)
    }
    if (batch.casts.length > 0) {
      let headers = '['
      let data = ''
      for (let i = 0; i < batch.casts.length; i++) {
        const { headerText, dataText } = batch.casts[i] as Entry
        headers += i === 0 ? headerText : `,${headerText}`
        data += i === 0 ? dataText : `\n${dataText}`
      }
      const text = encodeEvents({ frame: 'cast', log: this.#logId }, `${headers}]`, data)
      this.#taps.tap?.posted('tabs', batch.casts, headers.length + data.length)
      this.#transmit(text)
    }
  }

  postCommitted(inLog: InLog): void {
    if (!this.#link || this.#logId === undefined) return
    const { prefix, log } = { prefix: this.#prefix, log: this.#logId }
    this.#send({ frame: 'committed', log, prefix, ...inLog })
  }

  postWithdrawn(batch: Batch, error: BusError): void {
    const ids = batch.persisted.map((entry) => entry.event.id)
    if (ids.length > 0)
      this.#send({ frame: 'withdrawn', log: this.#logId ?? '', ids, code: error.code })
  }

  room(news: RoomNews, data: readonly string[]): void {
    this.#send({ frame: 'room', log: this.#logId ?? '', ...news }, data)
    this.#hearing.room(news, data, 'relay')
    this.#events.changed(news.batch)
  }

  postRoomCast(headers: readonly EventHeader[], data: readonly string[]): void {
    this.#send({ frame: 'cast', log: this.#logId ?? '', room: true, events: headers }, data)
  }

  postGap(gap: Gap): void {
    this.#send({ frame: 'gap', log: this.#logId ?? '', gap })
  }

  postLinked(frame: LinkFrame, data?: readonly string[]): void {
    this.#send(frame, data)
  }

  postCast(headers: readonly EventHeader[], data: readonly string[]): void {
    this.#send({ frame: 'cast', log: this.#logId ?? '', events: headers }, data)
  }

  tell(text: string): void {
    this.#transmit(text)
    this.#heard(text)
  }

  postBeat(beat: Omit<BeatFrame, 'frame' | 'log' | 'prefix'>): void {
    this.#send({ frame: 'beat', log: this.#logId ?? '', prefix: this.#prefix, ...beat })
  }

  ask(seen?: Seen): void {
    this.#send({ frame: 'join', ...this.#myself(), ...(seen && { seen }) })
  }

  postHere(seen: HereFrame['seen'], leads: boolean): void {
    this.#send({ frame: 'here', ...this.#myself(), seen, leads })
  }

  pass(frame: Omit<PassFrame, 'frame' | 'log'>, data?: readonly string[]): void {
    this.#send({ frame: 'pass', log: this.#logId ?? '', ...frame }, data)
  }

  #myself(): { prefix: string; log: string } {
    return { prefix: this.#prefix, log: this.#logId ?? '' }
  }

  get linked(): boolean {
    return this.#link !== undefined
  }

  #send(frame: PeerFrame, data: readonly string[] = []): void {
    this.#transmit(encodePeerFrame(frame, data))
  }

  /** A link of somebody else's may throw; what was published is in the log all the same. */
  #transmit(text: string): void {
    if (this.#logId === undefined) return
    const { gate } = this.#taps
    if (gate) gate('tabs', text, (passed) => this.#post(passed))
    else this.#post(text)
  }

  #post(text: string): void {
    try {
      this.#link?.send(text)
    } catch (error) {
      this.#events.report(
        toBusError(error, 'unavailable', 'the tabs link could not send', { stage: 'links' }),
      )
    }
  }
}
