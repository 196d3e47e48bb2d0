/**
 * Batch records: headers and value texts kept as the texts they were encoded to, apart from each
 * other, so that writing copies two strings and filters read no data.
 */
import { BusError, toBusError } from '../errors.ts'
import { type EventHeader, headerFault, idPairs, isTime, parseId } from '../event.ts'
import { isIndex, isName, storedRunsFault } from '../protocol/checks.ts'
import type { EventRun, Run } from '../protocol/frames.ts'
import type {
  Encoded,
  HeldRun,
  OwnBatch,
  RoomBatch,
  RoomInput,
  StoredBatch,
  StoredRun,
  StoredStream,
  StreamPart,
} from './log.ts'

/** The record of an own batch. */
export function ownBatch(entries: readonly Encoded[], time: number): OwnBatch {
  const types = new Set<string>()
  const streams = new Map<string, Part>()
  const headers: string[] = []
  const data: string[] = []
  let roomEvents = 0
  for (let i = 0; i < entries.length; i++) {
    const { event, headerText, dataText } = entries[i] as Encoded
    headers.push(headerText)
    data.push(dataText)
    types.add(event.type)
    if (event.stream !== undefined) addTo(streams, event.stream, i, headerText, dataText)
    if (event.scope !== 'device') roomEvents += 1
  }
  const events = entries.map((entry) => entry.event)
  return {
    time,
    count: entries.length,
    headers: `[${headers.join()}]`,
    data: data.join('\n'),
    types: [...types],
    ids: ownIdPairs(events),
    streams: partsOf(streams),
    roomEvents,
    lastId: events.at(-1)?.id ?? '',
  }
}

/** A publisher's numbers leave no hole, so that most of the time first and last say it all. */
function ownIdPairs(events: readonly { readonly id: string }[]): OwnBatch['ids'] {
  const [prefix, first] = parseId(events[0]?.id ?? '')
  const [lastPrefix, last] = parseId(events.at(-1)?.id ?? '')
  const all = prefix === lastPrefix && last - first === events.length - 1
  return all ? [[prefix, last]] : idPairs(events)
}

/** The record of a stream frame. `data` has the texts of its events, held and own ones left out. */
export function roomBatch(
  frame: RoomInput,
  data: readonly string[],
  epoch: string,
  time: number,
): RoomBatch {
  const headers: EventHeader[] = []
  const runs: StoredRun[] = []
  const types = new Set<string>()
  const streams = new Map<string, Part>()
  let slot = 0
  for (const run of frame.runs) {
    if (!('events' in run)) {
      runs.push(run)
      slot += placeholders(run)
      continue
    }
    runs.push({ place: run.place, time: run.time, events: run.events.length })
    run.events.forEach((header, k) => {
      types.add(header.type)
      if (header.stream !== undefined) {
        const text = data[headers.length] as string
        addTo(streams, header.stream, slot, JSON.stringify(header), text).push(run.place + k)
      }
      headers.push(header)
      slot += 1
    })
  }
  return {
    time,
    epoch,
    prev: frame.prev,
    position: frame.position,
    runs,
    headers: JSON.stringify(headers),
    data: data.join('\n'),
    count: slot,
    types: [...types],
    ids: idPairs(headers),
    streams: partsOf(streams, epoch),
  }
}

interface Part {
  readonly indexes: number[]
  readonly headers: string[]
  readonly data: string[]
  readonly places: number[]
}

/** The places of the part that it was added to. */
function addTo(
  streams: Map<string, Part>,
  stream: string,
  index: number,
  header: string,
  data: string,
): number[] {
  let part = streams.get(stream)
  if (!part) {
    part = { indexes: [], headers: [], data: [], places: [] }
    streams.set(stream, part)
  }
  part.indexes.push(index)
  part.headers.push(header)
  part.data.push(data)
  return part.places
}

function partsOf(
  streams: ReadonlyMap<string, Part>,
  epoch?: string,
): ReadonlyMap<string, StreamPart> {
  const parts = new Map<string, StreamPart>()
  for (const [stream, { indexes, headers, data, places }] of streams) {
    parts.set(stream, {
      indexes,
      headers: `[${headers.join()}]`,
      data: data.join('\n'),
      ...(epoch === undefined ? undefined : { places: { epoch, places } }),
    })
  }
  return parts
}

/** Slots that a run takes for events that are in another record. */
function placeholders(run: Exclude<StoredRun, { events: unknown }>): number {
  return 'own' in run ? run.own.indexes.length : run.held.indexes.length
}

/** A room record back as the runs of a stream frame. */
export function runsOf(
  runs: readonly StoredRun[],
  headers: readonly EventHeader[],
): (Run | HeldRun)[] {
  let next = 0
  return runs.map((run): Run | HeldRun => {
    if (!('events' in run)) return run
    const events = headers.slice(next, next + run.events)
    next += run.events
    return { place: run.place, time: run.time, events } satisfies EventRun
  })
}

/**
 * Headers and value texts of a record. Both are checked: a log can be damaged.
 *
 * @throws {BusError} log_damaged
 */
export function readTexts(
  headersText: unknown,
  dataText: unknown,
  batch: number,
): { headers: EventHeader[]; data: string[] } {
  if (typeof headersText !== 'string' || typeof dataText !== 'string')
    throw damaged(batch, 'a text is missing')
  let headers: unknown
  try {
    headers = JSON.parse(headersText)
  } catch (cause) {
    throw damaged(batch, 'headers are not JSON', cause)
  }
  if (!Array.isArray(headers)) throw damaged(batch, 'headers are not a list')
  const fault = headers.map(headerFault).find((found) => found !== undefined)
  if (fault !== undefined) throw damaged(batch, fault)
  const data = headers.length === 0 ? [] : dataText.split('\n')
  if (data.length !== headers.length) {
    throw damaged(batch, `${headers.length} headers but ${data.length} value texts`)
  }
  return { headers: headers as EventHeader[], data }
}

/** A record as it is read back; a damaged one has no events, and says why. */
export function readRecord(batch: number, time: number, read: () => StoredBatch): StoredBatch {
  try {
    const record = read()
    const fault = recordFault(record)
    if (fault !== undefined) throw damaged(batch, fault)
    return record
  } catch (error) {
    return damagedRecord(batch, time, error)
  }
}

/** A record of which nothing can be used but its number and, where it has one, its time. */
export function damagedRecord(batch: number, time: unknown, error: unknown): StoredBatch {
  const reason = toBusError(error, 'log_damaged', `record ${batch} of the log cannot be read`, {
    stage: 'log',
  })
  const told = isTime(time) ? time : 0
  return { kind: 'own', batch, time: told, headers: [], data: [], roomEvents: 0, damaged: reason }
}

/** What is wrong with a record beside its texts, or `undefined` if nothing is. */
function recordFault(record: StoredBatch): string | undefined {
  if (!isTime(record.time)) return 'its time is none'
  if (record.kind === 'own')
    return isIndex(record.roomEvents) ? undefined : 'roomEvents is no count'
  if (record.kind !== 'room') return 'it is of no known kind'
  const { epoch, prev, position, runs } = record
  if (!isName(epoch)) return 'its epoch is none'
  if (typeof prev !== 'string' || typeof position !== 'string') return 'a position is missing'
  return storedRunsFault(runs, record.headers.length)
}

export function damaged(batch: number, what: string, cause?: unknown): BusError {
  return new BusError('log_damaged', `record ${batch} of the log cannot be read: ${what}`, {
    stage: 'log',
    cause,
  })
}

/** What a whole record has of a stream. */
export function streamIn(batch: StoredBatch, stream: string): StoredStream {
  const indexes: number[] = []
  const headers: EventHeader[] = []
  const data: string[] = []
  const places: number[] = []
  batch.headers.forEach((header, nth) => {
    if (header.stream !== stream) return
    headers.push(header)
    data.push(batch.data[nth] as string)
    indexes.push(batch.kind === 'own' ? nth : slotOfHeader(batch.runs, nth))
    if (batch.kind === 'room') places.push(placeOfHeader(batch.runs, nth))
  })
  const { batch: number, damaged } = batch
  const part = { batch: number, indexes, headers, data }
  if (batch.kind === 'room') return { ...part, places: { epoch: batch.epoch, places } }
  return damaged ? { ...part, damaged } : part
}

/** What a copy has of a stream; like a record, it is checked. */
export function readStreamPart(part: unknown, batch: number): StoredStream {
  try {
    const { indexes, headers: headersText, data: dataText, places } = { ...(part as StreamPart) }
    const { headers, data } = readTexts(headersText, dataText, batch)
    if (!areNumbers(indexes, headers.length))
      throw damaged(batch, 'the indexes of a stream do not fit its events')
    if (places === undefined) return { batch, indexes, headers, data }
    if (!isName(places?.epoch) || !areNumbers(places.places, headers.length))
      throw damaged(batch, 'the places of a stream do not fit its events')
    return { batch, indexes, headers, data, places }
  } catch (error) {
    const what = `the streams of record ${batch} of the log cannot be read`
    const reason = toBusError(error, 'log_damaged', what, { stage: 'log' })
    return { batch, indexes: [], headers: [], data: [], damaged: reason }
  }
}

function areNumbers(value: unknown, count: number): boolean {
  return Array.isArray(value) && value.length === count && value.every(isIndex)
}

/** Whether a headers text can hold this id: reading texts without it for nothing would cost much. */
export function mayHold(headers: unknown, id: string): boolean {
  return typeof headers === 'string' && headers.includes(JSON.stringify(id))
}

/** The ids in a headers text; none where it is damaged. */
export function idsIn(headers: string): readonly (string | undefined)[] {
  try {
    return (JSON.parse(headers) as { id?: string }[]).map((header) => header.id)
  } catch {
    return []
  }
}

/** Index of the event with this id in a record, or -1. */
export function indexOfId(batch: StoredBatch, id: string): number {
  const at = batch.headers.findIndex((header) => header.id === id)
  if (at < 0 || batch.kind === 'own') return at
  return slotOfHeader(batch.runs, at)
}

/** The slot of the n-th event of others in a room record: placeholders take slots too. */
export function slotOfHeader(runs: readonly StoredRun[], nth: number): number {
  let slot = 0
  let seen = 0
  for (const run of runs) {
    if (!('events' in run)) slot += placeholders(run)
    else if (nth < seen + run.events) return slot + nth - seen
    else {
      slot += run.events
      seen += run.events
    }
  }
  return -1
}

/** The place of the n-th event of others in a room record. */
function placeOfHeader(runs: readonly StoredRun[], nth: number): number {
  let seen = 0
  for (const run of runs) {
    if (!('events' in run)) continue
    if (nth < seen + run.events) return run.place + nth - seen
    seen += run.events
  }
  return -1
}
