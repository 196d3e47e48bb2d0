/**
 * The other contexts of this device: what they post comes in as text of the tabs link and goes out
 * as events, each once, and as news for whoever leads. Anybody on the origin can post here, so
 * every text is checked; a foreign one is reported and dropped.
 */
import type { Batch, Entry } from '../batch/batch.ts'
import type { Incoming, Origin } from '../dispatch/dispatch.ts'
import { BusError, toBusError } from '../errors.ts'
import { type EventHeader, offsetOf, parseId } from '../event.ts'
import type { Link } from '../links/link.ts'
import type { OwnBatch } from '../log/log.ts'
import type { Run } from '../protocol/frames.ts'
import type { LinkFrame } from '../protocol/link-frames.ts'
import {
  type BatchFrame,
  type BeatFrame,
  decodePeerFrame,
  encodeEvents,
  encodePeerFrame,
  type HereFrame,
  type PeerFrame,
} from '../protocol/peer-frames.ts'
import { checkOf, positionOf } from '../protocol/position.ts'
import type { Gap } from '../types.ts'
import type { Confirmation, PeerContexts, PeerEvents, RoomNews } from './sync.ts'

/** Publishers remembered at most; the longest silent one goes first. */
const MAX_PUBLISHERS = 10_000
/** Texts kept at most until the log is open; then the oldest go, and are for the log to heal. */
const MAX_EARLY = 10_000

export class Peers implements PeerContexts {
  readonly #events: PeerEvents
  readonly #prefix: string
  #link: Link | undefined
  /** Absent until the log is open; what comes before waits. */
  #logId: string | undefined
  #early: string[] = []
  #overflowed = false
  /** Highest counter dispatched of each publisher: receivers dispatch an event once. */
  readonly #highest = new Map<string, number>()
  #posted = 0

  constructor(prefix: string, events: PeerEvents) {
    this.#prefix = prefix
    this.#events = events
  }

  attach(link: Link | undefined, logId: string): void {
    this.#logId = logId
    this.#link = link
    for (const text of this.#early.splice(0)) this.receive(text)
  }

  detach(): void {
    this.#logId = undefined
  }

  receive(text: string): void {
    if (this.#logId === undefined) {
      this.#keepEarly(text)
      return
    }
    try {
      const { frame, data } = decodePeerFrame(text)
      this.#take(frame, data)
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

  #take(frame: PeerFrame, data: readonly string[]): void {
    const events = this.#events
    const sameLog = frame.log === this.#logId
    switch (frame.frame) {
      case 'batch':
        this.#deliverBatch(frame, data)
        return
      case 'committed':
        if (!sameLog) return
        events.sawTime(frame.time)
        events.committed(frame.batch, frame.roomEvents)
        return
      case 'withdrawn':
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
        events.sawTime(frame.time)
        this.room(frame, data)
        return
      case 'cast':
        frame.events.forEach((header, i) => {
          events.deliver({ header, dataText: data[i] as string }, frame.room ? 'room' : 'device')
        })
        if (!frame.room) events.cast(frame.events, data)
        return
      case 'beat':
        if (sameLog) events.beat(frame)
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
        events.linked(frame, data)
        return
      case 'here':
        if (sameLog) events.here(frame)
        return
      case 'join':
        if (sameLog) events.joined(frame)
    }
  }

  room(frame: RoomNews, data: readonly string[]): void {
    let slot = 0
    let line = 0
    for (const run of frame.runs) {
      if ('own' in run) {
        slot += run.own.indexes.length
        this.#events.confirmed(confirmationOf(run, frame.epoch))
        continue
      }
      run.events.forEach((header, k) => {
        const place = run.place + k
        const dataText = data[line++] as string
        const offset = offsetOf(frame.batch, slot++)
        const position = positionOf(frame.epoch, place, checkOf(header.id))
        const past = place <= frame.liveAfter
        this.#deliverOnce(header, dataText, past ? 'past' : 'room', offset, position)
      })
    }
  }

  /** Events of one publisher, whose counter is looked up and remembered once for all of them. */
  #deliverBatch({ prefix, events }: BatchFrame, data: readonly string[]): void {
    if (prefix === this.#prefix) return
    const known = this.#highest.get(prefix) ?? 0
    let highest = known
    for (let i = 0; i < events.length; i++) {
      const header = events[i] as EventHeader
      if (!header.id.startsWith(`${prefix}-`)) {
        this.#deliverOnce(header, data[i] as string, 'device')
        continue
      }
      const counter = Number(header.id.slice(prefix.length + 1))
      if (!(counter > highest)) continue
      highest = counter
      this.#events.deliver({ header, dataText: data[i] as string }, 'device')
    }
    if (highest > known) this.#remember(prefix, highest)
  }

  #remember(prefix: string, counter: number): void {
    this.#highest.delete(prefix)
    this.#highest.set(prefix, counter)
    if (this.#highest.size <= MAX_PUBLISHERS) return
    for (const oldest of this.#highest.keys()) {
      this.#highest.delete(oldest)
      return
    }
  }

  #deliverOnce(
    header: EventHeader,
    dataText: string,
    origin: Origin | 'past',
    offset?: number,
    position?: string,
  ): void {
    const [prefix, counter] = parseId(header.id)
    if (counter > 0) {
      if (counter <= (this.#highest.get(prefix) ?? 0) || prefix === this.#prefix) return
      this.#remember(prefix, counter)
    }
    const incoming: Incoming = {
      header,
      dataText,
      ...(offset === undefined ? undefined : { offset }),
      ...(position === undefined ? undefined : { position }),
    }
    if (origin === 'past') this.#events.past(incoming)
    else this.#events.deliver(incoming, origin)
  }

  post(batch: Batch, record: OwnBatch | undefined): void {
    const prev = this.#posted
    // Also where nobody can be told: what those who listen later lack, they find in the log.
    if (record) this.#posted = parseId(record.lastId)[1]
    if (!this.#link || this.#logId === undefined) return
    if (record) {
      const frame = { frame: 'batch', log: this.#logId, prefix: this.#prefix, prev } as const
      this.#transmit(encodeEvents(frame, record.headers, record.data))
    }
    if (batch.casts.length > 0) {
      let headers = '['
      let data = ''
      for (let i = 0; i < batch.casts.length; i++) {
        const { headerText, dataText } = batch.casts[i] as Entry
        headers += i === 0 ? headerText : `,${headerText}`
        data += i === 0 ? dataText : `\n${dataText}`
      }
      this.#transmit(encodeEvents({ frame: 'cast', log: this.#logId }, `${headers}]`, data))
    }
  }

  postCommitted(batch: Batch, number: number, record: OwnBatch): void {
    if (!this.#link || this.#logId === undefined) return
    const first = parseId(batch.persisted[0]?.event.id ?? '')[1]
    const last = parseId(record.lastId)[1]
    const { roomEvents, time } = record
    const { prefix, log } = { prefix: this.#prefix, log: this.#logId }
    this.#send({ frame: 'committed', log, prefix, first, last, batch: number, time, roomEvents })
  }

  postWithdrawn(batch: Batch, error: BusError): void {
    const ids = batch.persisted.map((entry) => entry.event.id)
    if (ids.length > 0)
      this.#send({ frame: 'withdrawn', log: this.#logId ?? '', ids, code: error.code })
  }

  postRoom(frame: RoomNews, data: readonly string[]): void {
    this.#send({ frame: 'room', log: this.#logId ?? '', ...frame }, data)
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
    this.receive(text)
  }

  postBeat(beat: Omit<BeatFrame, 'frame' | 'log' | 'prefix'>): void {
    this.#send({ frame: 'beat', log: this.#logId ?? '', prefix: this.#prefix, ...beat })
  }

  ask(): void {
    const { prefix, log, seen } = { ...this.#myself(), seen: this.#events.seen() }
    this.#send({ frame: 'join', log, prefix, seen })
  }

  postHere(seen: HereFrame['seen'], leads: boolean): void {
    this.#send({ frame: 'here', ...this.#myself(), seen, leads })
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
    try {
      this.#link?.send(text)
    } catch (error) {
      this.#events.report(
        toBusError(error, 'unavailable', 'the tabs link could not send', { stage: 'links' }),
      )
    }
  }
}

function confirmationOf(run: Extract<Run, { own: unknown }>, epoch: string): Confirmation {
  return {
    batch: run.own.batch,
    epoch,
    place: run.place,
    indexes: run.own.indexes,
    refused: run.own.refused ?? [],
  }
}
