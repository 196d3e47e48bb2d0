/**
 * What a room does with events, told to its inspectors: the relay is a peer like any other. It is
 * there while somebody inspects, and the room pays one branch for it otherwise.
 */
import { type Ids, type PeerStatus, packIds } from '@crosstown/bus/inspect'
import {
  type BusErrorCode,
  type EventHeader,
  type GapReason,
  type PublishFrame,
  type Rights,
  typeMatcher,
  utf8Length,
} from '@crosstown/bus/protocol'
import type { PostedEvent, PublishCommand, Reply } from '../commands.ts'
import type { Platform } from '../platform.ts'
import { lastPlace, type RoomRecord } from '../record.ts'
import type { Prepared } from '../stream.ts'

/** A device of the room, as its inspectors see it. */
export interface InspectedDevice {
  readonly name: string
  readonly subject: string | undefined
  readonly rights: Rights | undefined
  /** Bytes that wait for its socket. */
  readonly bufferedAmount: number
}

/** Who gets events, or does not: a member of the room. */
interface Reader {
  readonly device: string
  /** What others know its device by. */
  readonly name: string
  readonly reads: { readonly key: string; readonly mayRead: (type: string) => boolean }
}

export interface RelayTapOptions {
  readonly platform: Platform
  /** Takes a record: JSON text, about so many events. */
  readonly add: (text: string, events?: number) => void
}

/** Characters of the events in one record, about: a frame with it must stay below its limit. */
const EVENTS_LENGTH = 64 * 1024
/** A queue is told of when it is another number of these: what is sent in a turn is no queue. */
const QUEUE_STEP = 64 * 1024
/** Devices whose refused batches are remembered. */
const MAX_REJECTED = 1_000

/** What became of neighbouring events for readers with the same rights. */
interface Shares {
  readonly key: string
  readonly records: readonly Prepared[]
  readonly after: number
  readonly place: number
  readonly texts: { readonly sent: Part; readonly unwanted: Part; readonly noRight: Part }
}

/** JSON of `ids`, and how many. */
interface Part {
  readonly ids: string
  readonly count: number
}

export class RelayTap {
  readonly #options: RelayTapOptions
  #shares: Shares | undefined
  /** By key of read rights, what they allow without regard to what the device asks for. */
  readonly #allowed = new Map<string, (type: string) => boolean>()
  /** The batch that a device is to send again, and how often it had to. */
  readonly #rejected = new Map<string, { readonly batch: number; times: number }>()
  readonly #queued = new Map<InspectedDevice, number>()
  /** Commands of the room that waited, when that was told last. */
  #waiting = 0

  constructor(options: RelayTapOptions) {
    this.#options = options
  }

  /** A batch came from a device. */
  received(
    from: string,
    { frame, lines, data }: Pick<PublishCommand, 'frame' | 'lines' | 'data'>,
  ): void {
    this.#received(from, frame.events, lines, data, true)
    const rejected = this.#rejected.get(from)
    if (rejected?.batch === frame.batch) {
      const ids = idsOf(frame.events)
      this.#add(`"is":"retried","ids":${ids},"attempt":${rejected.times + 1}`)
    } else if (rejected && rejected.batch < frame.batch) this.#rejected.delete(from)
  }

  /** Unpersisted events came, of a device. */
  cast(from: string | undefined, headers: readonly EventHeader[], data: readonly string[]): void {
    const lines = headers.map((header) => JSON.stringify(header))
    this.#received(from, headers, lines, data, false)
  }

  /** Unpersisted events went to a reader, as `text`; absent where its socket has too much to take. */
  castTo(reader: Reader, headers: readonly EventHeader[], text: string | undefined): void {
    const { mayRead } = reader.reads
    const readable = partOf(headers.filter(({ type }) => mayRead(type)).map(({ id }) => id))
    if (text === undefined) this.#dropped(reader, readable, 'overflow')
    else this.#posted(reader, readable, text)
    const { noRight, unwanted } = this.#why(
      reader,
      headers.filter(({ type }) => !mayRead(type)),
    )
    this.#dropped(reader, noRight, 'no_right')
    this.#dropped(reader, unwanted, 'unwanted')
  }

  #received(
    from: string | undefined,
    headers: readonly EventHeader[],
    lines: readonly string[],
    data: readonly string[],
    persisted: boolean,
  ): void {
    const tail = persisted ? '}' : ',"persist":false}'
    const by = from === undefined ? '' : `,"from":${JSON.stringify(from)}`
    let events: string[] = []
    let length = 0
    let start = 0
    const end = (next: number): void => {
      const ids = idsOf(headers.slice(start, next))
      this.#add(
        `"is":"received","via":"relay","origin":"room","ids":${ids},"events":[${events.join()}]${by}`,
        events.length,
      )
      events = []
      length = 0
      start = next
    }
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i] as string
      const bytes = utf8Length(line) + utf8Length(data[i] as string)
      // Whatever the header says of its own size: of two fields of a name the last one counts.
      const event = `${line.slice(0, -1)},"bytes":${bytes}${tail}`
      events.push(event)
      length += event.length
      if (length > EVENTS_LENGTH) end(i + 1)
    }
    if (events.length > 0) end(lines.length)
  }

  /** A command was answered; what was committed of it is told by `committed`. */
  answered(from: string, frame: PublishFrame, reply: Reply): void {
    if (!('frame' in reply)) return
    if (reply.frame === 'reject') {
      this.rejected(from, frame, reply.code)
      return
    }
    if (reply.frame !== 'ack' || !reply.refused) return
    const byCode = new Map<BusErrorCode, string[]>()
    for (const [index, code] of reply.refused) {
      const header = frame.events[frame.indexes ? frame.indexes.indexOf(index) : index]
      if (!header) continue
      const ids = byCode.get(code)
      if (ids) ids.push(header.id)
      else byCode.set(code, [header.id])
    }
    for (const [code, ids] of byCode) this.#refused(JSON.stringify(packIds(ids)), code, true)
  }

  /** What came over HTTP was refused, and nothing of it has an id. */
  postRefused(events: readonly PostedEvent[], code: BusErrorCode): void {
    const types = [...new Set(events.map(({ header }) => header.type))]
    const message = `${events.length} event(s) posted over HTTP were refused: ${types.slice(0, 5).join(', ')}`
    const told = { is: 'error', code, stage: 'protocol', message, type: types[0] }
    this.#add(JSON.stringify(told).slice(1, -1))
  }

  /** A batch was not taken for now. */
  rejected(from: string, { batch, events }: PublishFrame, code: BusErrorCode): void {
    this.#refused(idsOf(events), code, false)
    const before = this.#rejected.get(from)
    if (before?.batch === batch) before.times += 1
    else {
      if (this.#rejected.size >= MAX_REJECTED) this.#rejected.clear()
      this.#rejected.set(from, { batch, times: 1 })
    }
  }

  #refused(ids: string, code: BusErrorCode, final: boolean): void {
    this.#add(`"is":"refused","ids":${ids},"code":"${code}","final":${final}`)
  }

  /** Records are in the room. Those that came over HTTP were not heard of before. */
  committed(records: readonly RoomRecord[], epoch: string): void {
    for (const { device, headers, headerLines, data, place } of records) {
      if (headers.length === 0) continue
      if (device === undefined) this.#received(undefined, headers, headerLines, data, true)
      this.#add(
        `"is":"confirmed","ids":${idsOf(headers)},"epoch":${JSON.stringify(epoch)},"place":${place}`,
        headers.length,
      )
    }
  }

  /** One reader was sent what it may read of the places behind `after`, up to `place`. */
  passed(
    reader: Reader,
    records: readonly Prepared[],
    after: number,
    place: number,
    text: string,
  ): void {
    const { sent, unwanted, noRight } = this.#sharesOf(reader, records, after, place)
    this.#posted(reader, sent, text)
    this.#dropped(reader, noRight, 'no_right')
    this.#dropped(reader, unwanted, 'unwanted')
  }

  #sharesOf(
    reader: Reader,
    records: readonly Prepared[],
    after: number,
    place: number,
  ): Shares['texts'] {
    const own = records.some(({ record }) => record.device === reader.device) ? reader.device : ''
    const key = `${own} ${reader.reads.key}`
    const last = this.#shares
    // Neighbours in a broadcast have the same rights, and so the same share.
    if (
      last?.key === key &&
      last.records === records &&
      last.after === after &&
      last.place === place
    )
      return last.texts
    const sent: string[] = []
    const rest: EventHeader[] = []
    for (const { record } of records) {
      if (record.place > place || lastPlace(record) <= after) continue
      if (record.device !== undefined && record.device === reader.device) continue
      record.headers.forEach((header, i) => {
        if (record.place + i <= after || record.place + i > place) return
        if (reader.reads.mayRead(header.type)) sent.push(header.id)
        else rest.push(header)
      })
    }
    const texts = { sent: partOf(sent), ...this.#why(reader, rest) }
    this.#shares = { key, records, after, place, texts }
    return texts
  }

  #why(reader: Reader, headers: readonly EventHeader[]): { noRight: Part; unwanted: Part } {
    const unwanted: string[] = []
    const noRight: string[] = []
    for (const { id, type } of headers)
      (this.#isAllowed(reader.reads.key, type) ? unwanted : noRight).push(id)
    return { noRight: partOf(noRight), unwanted: partOf(unwanted) }
  }

  #isAllowed(key: string, type: string): boolean {
    let allowed = this.#allowed.get(key)
    if (!allowed) {
      const [subscribe] = JSON.parse(key) as [readonly string[]]
      allowed = typeMatcher(subscribe)
      this.#allowed.set(key, allowed)
    }
    return allowed(type)
  }

  #posted({ name }: Reader, { ids, count }: Part, text: string): void {
    if (count === 0) return
    const to = JSON.stringify(name)
    this.#add(`"is":"posted","via":"relay","ids":${ids},"bytes":${utf8Length(text)},"to":${to}`)
  }

  #dropped({ name }: Reader, { ids, count }: Part, why: string): void {
    if (count === 0) return
    this.#add(
      `"is":"dropped","ids":${ids},"count":${count},"why":"${why}","to":${JSON.stringify(name)}`,
    )
  }

  /** A device is there; also told to whoever begins to inspect. */
  device(device: InspectedDevice, online: boolean): void {
    const { name, subject, rights, bufferedAmount: queued } = device
    if (online) this.#queued.set(device, queued)
    else this.#queued.delete(device)
    const told = {
      is: 'device',
      device: name,
      online,
      ...(subject !== undefined && { subject }),
      ...(rights && { rights: { publish: rights.publish, subscribe: rights.subscribe } }),
      queued,
    }
    this.#add(JSON.stringify(told).slice(1, -1))
  }

  /** Due twice a second: tells of queues that changed, those of devices where they changed much. */
  tick(status: PeerStatus): void {
    if (status.queued !== this.#waiting) {
      this.#waiting = status.queued
      this.#add(JSON.stringify({ is: 'status', status }).slice(1, -1))
    }
    for (const [device, told] of this.#queued) {
      const queued = device.bufferedAmount
      if (Math.floor(queued / QUEUE_STEP) !== Math.floor(told / QUEUE_STEP))
        this.device(device, true)
    }
  }

  /** Events of a group go to somebody once more. */
  leasedAgain(id: string, attempt: number): void {
    this.#add(JSON.stringify({ is: 'retried', ids: packIds([id]), attempt }).slice(1, -1), 1)
  }

  /** A group gave an event up. */
  died(id: string, group: string, attempts: number, reason: string): void {
    const message = `group ${group} gave it up after ${attempts} attempt(s): ${reason}`
    const told = {
      is: 'failed',
      ids: packIds([id]),
      stage: 'consume',
      code: 'handler_failed',
      message,
    }
    this.#add(JSON.stringify(told).slice(1, -1), 1)
  }

  /** A device was told that its stream does not go on where its log ends. */
  gap(device: InspectedDevice, reason: GapReason, from: string, lost: string | undefined): void {
    const gap = { reason, from, ...(lost !== undefined && { lost }) }
    const told = { is: 'gap', gap, device: device.name }
    this.#add(JSON.stringify(told).slice(1, -1))
  }

  /** A device's connection is ended from here. */
  ended(device: InspectedDevice, code: BusErrorCode): void {
    const message = `the relay ended the connection of a device: ${code}`
    const told = { is: 'error', code, stage: 'links', message, device: device.name }
    this.#add(JSON.stringify(told).slice(1, -1))
  }

  #add(rest: string, events?: number): void {
    const at = Math.round(this.#options.platform.monotonic() * 1000) / 1000
    this.#options.add(`{"at":${at},${rest}}`, events)
  }
}

function idsOf(headers: readonly { readonly id: string }[]): string {
  return JSON.stringify(packIds(headers.map(({ id }) => id)) satisfies Ids)
}

function partOf(ids: readonly string[]): Part {
  return { ids: ids.length === 0 ? '[]' : JSON.stringify(packIds(ids)), count: ids.length }
}
