/**
 * Stream frames out of records: what one reader may read of them, as text. A frame covers
 * (prev, position]; a hole left by rights starts a new run; a device's own batches stand as their
 * positions only. The parts are kept as text so that one batch is written out once for all readers.
 */
import { MAX_BATCH_EVENTS, utf8Length } from '@crosstown/bus/protocol'
import { cursorAt, lastPlace, markIn, type RoomRecord } from './record.ts'

/** Who a stream is for. */
export interface Reader {
  /** Whose own events stand as positions only. */
  readonly device?: string
  readonly mayRead: (type: string) => boolean
}

/** One stream frame, but for its `prev`. */
export interface Chunk {
  readonly place: number
  readonly position: string
  /** JSON of the runs, comma between; empty where nothing is readable. */
  readonly runs: string
  /** Lines of data, each with a newline before it. */
  readonly data: string
}

/** A record, with the texts of its parts that more than one reader needs. */
export interface Prepared {
  readonly record: RoomRecord
  run?: string
  data?: string
  own?: string
}

/** A record whose texts are made when a reader needs them, and then kept. */
export function prepare(record: RoomRecord): Prepared {
  return { record }
}

/** How much one stream frame holds. */
export interface ChunkLimit {
  readonly events: number
  readonly bytes: number
}

/** The frame's text for a connection that stands at `prev`. */
export function streamText(prev: string, { position, runs, data }: Omit<Chunk, 'place'>): string {
  return `{"frame":"stream","prev":"${prev}","position":"${position}","runs":[${runs}]}${data}`
}

/** The frame that only moves a cursor on. */
export function advanceText(prev: string, position: string): string {
  return streamText(prev, { position, runs: '', data: '' })
}

/**
 * Cuts neighbouring records into frames for one reader, from the place behind `after` on. The last
 * chunk ends at the last record's last place, readable or not; only it can be without runs.
 */
export function chunksOf(
  epoch: string,
  records: readonly Prepared[],
  after: number,
  reader: Reader,
  limit: ChunkLimit,
): Chunk[] {
  const cutter = new Cutter(epoch, limit)
  for (const prepared of records) {
    const { record } = prepared
    const skip = Math.max(0, after + 1 - record.place)
    if (record.device !== undefined && record.device === reader.device)
      cutter.addOwn(prepared, skip)
    else if (skip === 0 && record.headers.every((header) => reader.mayRead(header.type)))
      cutter.addWhole(prepared)
    else cutter.addParts(record, skip, reader.mayRead)
    cutter.end(record)
  }
  return cutter.finish()
}

class Cutter {
  readonly #epoch: string
  readonly #limit: ChunkLimit
  readonly #chunks: Chunk[] = []
  #runs: string[] = []
  #data: string[] = []
  #events = 0
  #bytes = 0
  /** What was covered last; a cut ends there. */
  #record: RoomRecord | undefined
  #place = 0

  constructor(epoch: string, limit: ChunkLimit) {
    this.#epoch = epoch
    this.#limit = limit
  }

  addOwn(prepared: Prepared, skip: number): void {
    const { record } = prepared
    if (skip === 0) prepared.own ??= ownRun(record, 0)
    const text = skip === 0 && prepared.own ? prepared.own : ownRun(record, skip)
    this.#reserve(
      Math.max(
        1,
        record.count - skip + (record.refused?.length ?? 0) + (record.earlier?.length ?? 0),
      ),
      text.length,
    )
    this.#runs.push(text)
  }

  addWhole(prepared: Prepared): void {
    const { record } = prepared
    if (record.headers.length === 0) return
    if (record.headers.length > this.#limit.events || record.bytes > this.#limit.bytes) {
      this.addParts(record, 0, () => true)
      return
    }
    this.#reserve(record.headers.length, record.bytes)
    prepared.run ??= eventRun(record.place, record.headerLines, record.time)
    prepared.data ??= `\n${record.data.join('\n')}`
    this.#runs.push(prepared.run)
    this.#data.push(prepared.data)
  }

  addParts(record: RoomRecord, skip: number, mayRead: (type: string) => boolean): void {
    let start = skip
    let lines: string[] = []
    const endRun = (): void => {
      if (lines.length > 0) this.#runs.push(eventRun(record.place + start, lines, record.time))
      lines = []
    }
    for (let i = skip; i < record.headers.length; i++) {
      if (!mayRead((record.headers[i] as { type: string }).type)) {
        endRun()
        continue
      }
      const line = record.headerLines[i] as string
      const data = record.data[i] as string
      const bytes = utf8Length(line) + utf8Length(data)
      if (!this.#fits(1, bytes)) {
        endRun()
        this.#cut()
      }
      if (lines.length === 0) start = i
      lines.push(line)
      this.#data.push(`\n${data}`)
      this.#events += 1
      this.#bytes += bytes
      this.#record = record
      this.#place = record.place + i
    }
    endRun()
  }

  end(record: RoomRecord): void {
    this.#record = record
    this.#place = lastPlace(record)
  }

  finish(): Chunk[] {
    if (this.#record && this.#chunks.at(-1)?.place !== this.#place) this.#cut()
    return this.#chunks
  }

  #reserve(events: number, bytes: number): void {
    if (!this.#fits(events, bytes)) this.#cut()
    this.#events += events
    this.#bytes += bytes
  }

  #fits(events: number, bytes: number): boolean {
    const most = Math.min(this.#limit.events, MAX_BATCH_EVENTS)
    return (
      this.#events === 0 ||
      (this.#events + events <= most && this.#bytes + bytes <= this.#limit.bytes)
    )
  }

  #cut(): void {
    const record = this.#record as RoomRecord
    this.#chunks.push({
      place: this.#place,
      position: cursorAt(this.#epoch, markIn(record, this.#place)),
      runs: this.#runs.join(','),
      data: this.#data.join(''),
    })
    this.#runs = []
    this.#data = []
    this.#events = 0
    this.#bytes = 0
  }
}

function eventRun(place: number, lines: readonly string[], time: number): string {
  return `{"place":${place},"events":[${lines.join(',')}],"time":${time}}`
}

function ownRun(record: RoomRecord, skip: number): string {
  const { headers, indexes } = record
  const revised = headers.some(({ revision }) => revision !== undefined)
  const own = {
    batch: record.batch,
    indexes: skip === 0 ? indexes : indexes.slice(skip),
    ...(revised && { revisions: headers.slice(skip).map(({ revision = 0 }) => revision) }),
    ...(record.refused && { refused: record.refused }),
    ...(record.earlier && { earlier: record.earlier }),
  }
  return `{"place":${record.place + skip},"own":${JSON.stringify(own)},"time":${record.time}}`
}
