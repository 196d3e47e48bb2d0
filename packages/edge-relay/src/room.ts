/**
 * The pure core of a room: what is to be written, and what is to be answered, when these commands
 * meet this state. No clock, no socket, no store. The host (`room-host.ts`) writes a decision in
 * one append and lets its replies and records out only after that.
 */
import {
  type AckFrame,
  type BatchRef,
  type BusErrorCode,
  checkOf,
  type Earlier,
  type EventHeader,
  MAX_EVENT_BYTES,
  MAX_HEADER_BYTES,
  type PublishFrame,
  positionOf,
  type Refusal,
  type RejectFrame,
  type Term,
  utf8Length,
} from '@crosstown/bus/protocol'
import { chainOver } from './chain.ts'
import type {
  Command,
  Decision,
  DeviceRow,
  HelloCommand,
  Known,
  PostCommand,
  Posted,
  PublishCommand,
  RefusedReply,
  Reply,
  RoomState,
} from './commands.ts'
import { faultOf, judge } from './judge.ts'
import type { RoomRecord } from './record.ts'
import { conflictsOf, keptHeader, type StreamHead } from './revisions.ts'

/**
 * Decides commands in order, each on what the ones before it did. Changes nothing given to it.
 *
 * @example
 * const decision = decide(state, [{ kind: 'publish', time, device, mayPublish, frame, data }])
 * if (isWrite(decision)) await store.append(...)
 * state = commit(state, decision)
 */
export function decide(state: RoomState, commands: readonly Command[]): Decision {
  const draft = new Draft(state)
  const replies = commands.map((command) => {
    if (command.kind === 'hello') return hello(draft, command)
    return command.kind === 'publish' ? publish(draft, command) : post(draft, command)
  })
  return draft.decision(replies)
}

/** Whether a decision has anything to write. */
export function isWrite(decision: Decision): boolean {
  return decision.records.length > 0 || decision.devices.size > 0
}

/** The state after a decision was written. Takes the state over: the one given must not be used again. */
export function commit(state: RoomState, decision: Decision): RoomState {
  const { devices, logs, streams } = state
  for (const [device, row] of decision.devices) {
    if (!devices.has(device)) countLog(logs, row)
    devices.set(device, row)
  }
  for (const [stream, head] of decision.streams) streams.set(stream, head)
  return {
    head: decision.head,
    devices,
    logs,
    streams,
    ids: { prefix: state.ids.prefix, counter: decision.counter },
  }
}

/** Counts a device in the log it came with. */
export function countLog(logs: RoomState['logs'], { log, subject }: DeviceRow): void {
  const known = logs.get(log)
  logs.set(log, { subject: known?.subject ?? subject, devices: (known?.devices ?? 0) + 1 })
}

/** The pending changes of one decision, over a state that is only read. */
class Draft {
  readonly records: RoomRecord[] = []
  /** Places of events taken from devices that share their log with another one, by id. */
  readonly shared = new Map<string, { readonly place: number; readonly revision?: number }>()
  readonly #state: RoomState
  readonly #devices = new Map<string, DeviceRow>()
  readonly #streams = new Map<string, StreamHead>()
  #place: number
  #chain: string
  #time: number
  #counter: number

  constructor(state: RoomState) {
    this.#state = state
    this.#place = state.head.place
    this.#chain = state.head.chain
    this.#time = state.head.time
    this.#counter = state.ids.counter
  }

  device(id: string): DeviceRow | undefined {
    return this.#devices.get(id) ?? this.#state.devices.get(id)
  }

  /** The subject that a log came with first. */
  ownerOf(log: string): string | undefined {
    const known = this.#state.logs.get(log)
    if (known) return known.subject
    for (const row of this.#devices.values()) if (row.log === log) return row.subject
    return undefined
  }

  put(id: string, row: DeviceRow): void {
    this.#devices.set(id, row)
  }

  readonly stream = (stream: string): StreamHead | undefined =>
    this.#streams.get(stream) ?? this.#state.streams.get(stream)

  /** Gives an event its revision, where it has a stream. */
  #revise({ stream, id }: EventHeader): number | undefined {
    if (stream === undefined) return undefined
    const revision = (this.stream(stream)?.revision ?? 0) + 1
    this.#streams.set(stream, { revision, id })
    return revision
  }

  /** Notes where the events of a record are, for copies of its device. */
  share({ headers, place }: RoomRecord): void {
    for (const [i, { id, revision }] of headers.entries())
      this.shared.set(id, { place: place + i, ...(revision !== undefined && { revision }) })
  }

  nextId(): string {
    this.#counter += 1
    return `${this.#state.ids.prefix}-${this.#counter}`
  }

  append(
    time: number,
    given: Omit<RoomRecord, 'place' | 'count' | 'time' | 'before' | 'chain' | 'bytes'>,
  ): RoomRecord {
    const headers: EventHeader[] = []
    const headerLines: string[] = []
    let bytes = 0
    for (const [i, header] of given.headers.entries()) {
      const kept = keptHeader(header, given.headerLines[i] as string, this.#revise(header))
      headers.push(kept.header)
      headerLines.push(kept.line)
      bytes += utf8Length(kept.line) + utf8Length(given.data[i] as string)
    }
    const record = { ...given, headers, headerLines, bytes }
    // A wall clock may be set back; what was written must not seem to be from the future.
    this.#time = Math.max(this.#time, time)
    const count = Math.max(1, record.headers.length)
    const before = this.#chain
    this.#chain = chainOver(before, record, count)
    const placed: RoomRecord = {
      place: this.#place + 1,
      count,
      time: this.#time,
      before,
      chain: this.#chain,
      ...record,
    }
    this.#place += count
    this.records.push(placed)
    return placed
  }

  position(place: number, id: string): string {
    return positionOf(this.#state.head.epoch, place, checkOf(id))
  }

  decision(replies: readonly Reply[]): Decision {
    const { head } = this.#state
    const newest = this.records.at(-1)
    const written = newest !== undefined || this.#devices.size > 0
    return {
      head: {
        epoch: head.epoch,
        version: head.version + (written ? 1 : 0),
        place: this.#place,
        check: newest ? checkOf(newest.headers.at(-1)?.id ?? newest.lastId) : head.check,
        chain: this.#chain,
        time: this.#time,
      },
      records: this.records,
      devices: this.#devices,
      streams: this.#streams,
      counter: this.#counter,
      replies,
    }
  }
}

function hello(draft: Draft, command: HelloCommand): Reply {
  const { owner, subject } = command
  // A room that was lost knows nothing of its devices: who comes first must not take another's log.
  if (owner !== undefined && owner !== subject) return subjectChanged()
  const row = draft.device(command.device)
  const newest = command.terms.at(-1) as Term
  if (!row) {
    // A fork may have lost the welcome that said whose log it is.
    if ((draft.ownerOf(command.log) ?? subject) !== subject) return subjectChanged()
    draft.put(command.device, {
      secretHash: command.secretHash,
      subject: command.subject,
      log: command.log,
      term: newest,
      ...(command.deleted && command.confirmed && { taken: command.confirmed }),
    })
    return { kind: 'admitted', copy: false }
  }
  if (!isSameHash(row.secretHash, command.secretHash)) {
    return refused('bad_device', 'the secret does not belong to this device id')
  }
  if (row.subject !== subject) return subjectChanged()
  const { term } = row
  const copy = isCopy(command.terms, term)
  if (!copy && newest[0] > term[0]) draft.put(command.device, { ...row, term: newest })
  return { kind: 'admitted', term, copy }
}

/**
 * Whether these terms are a copy's. Who does not know the last term taken is one, and must not take
 * the other's place. But a device that was welcomed under a later term than this room remembers is
 * the device itself, and the room an older copy of what it was.
 */
function isCopy(terms: readonly Term[], last: Term): boolean {
  const first = terms[0] as Term
  return last[0] >= first[0] && !terms.some((term) => isSameTerm(term, last))
}

function publish(draft: Draft, command: PublishCommand): AckFrame | RejectFrame {
  const { frame, known } = command
  const row = draft.device(command.device)
  if (!row) return reject(frame, 'bad_device')
  const { taken } = row
  // A term is taken at `hello` only, so that what `welcome` told of it holds for all that is sent.
  if (!isSameTerm(frame.term, row.term)) return reject(frame, 'stale_term', taken, row.term)
  const lastId = (frame.events.at(-1) as EventHeader).id
  if (taken && frame.batch <= taken.batch) {
    if (frame.batch < taken.batch) return { frame: 'ack', batch: frame.batch }
    // The same number with other events was never taken; an ack would be a false promise.
    return lastId === taken.id ? ack(frame, row.refused) : reject(frame, 'out_of_order', taken)
  }
  if (frame.prev !== taken?.batch) return reject(frame, 'out_of_order', taken)

  const { lines } = command
  const codes = judge(command)
  const headers: EventHeader[] = []
  const headerLines: string[] = []
  const data: string[] = []
  const indexes: number[] = []
  const refusals: Refusal[] = []
  const earlier: Earlier[] = []
  // Another device with this log brought it before: it is neither taken nor refused.
  const placeOf = ({ id }: EventHeader): Known | undefined =>
    known && (known.get(id) ?? draft.shared.get(id)?.place)
  const conflicts = conflictsOf(
    frame.events,
    (i) => (frame.events[i] as EventHeader).id,
    (i) => codes?.[i] !== undefined || placeOf(frame.events[i] as EventHeader) !== undefined,
    draft.stream,
  )
  for (let i = 0; i < frame.events.length; i++) {
    const header = frame.events[i] as EventHeader
    const index = frame.indexes?.[i] ?? i
    const code = codes?.[i]
    const place = placeOf(header)
    if (typeof place === 'number') {
      const revision = command.revisions?.get(header.id) ?? draft.shared.get(header.id)?.revision
      earlier.push(revision === undefined ? [index, place] : [index, place, revision])
      continue
    }
    if (code) {
      refusals.push([index, code])
      continue
    }
    const revision = conflicts.get(i)
    if (revision !== undefined) {
      refusals.push([index, 'conflict', revision])
      continue
    }
    if (place === 'trimmed') continue
    headers.push(header)
    headerLines.push(lines[i] as string)
    data.push(command.data[i] as string)
    indexes.push(index)
  }
  const { refused: _, ...kept } = row
  const refusedOnes = refusals.length > 0 ? { refused: refusals } : {}
  const record = draft.append(command.time, {
    device: command.device,
    batch: frame.batch,
    lastId,
    indexes,
    ...refusedOnes,
    ...(earlier.length > 0 && { earlier }),
    headers,
    headerLines,
    data,
  })
  if (known) draft.share(record)
  draft.put(command.device, {
    ...kept,
    taken: { batch: frame.batch, id: lastId },
    ...refusedOnes,
  })
  return ack(frame, refusedOnes.refused)
}

function post(draft: Draft, command: PostCommand): Reply {
  const headers: EventHeader[] = []
  const headerLines: string[] = []
  const data: string[] = []
  const fresh = new Map<string, number>()
  const places: { id: string; index: number }[] = []
  for (const event of command.events) {
    const known = event.id !== undefined && (command.known.has(event.id) || fresh.has(event.id))
    if (known) {
      places.push({ id: event.id as string, index: fresh.get(event.id as string) ?? -1 })
      continue
    }
    const header: EventHeader = { id: event.id ?? draft.nextId(), ...event.header }
    const line = JSON.stringify(header)
    const code = faultOf(header, line, event.data, command.mayPublish, command.nesting)
    if (code) return refused(code, POST_FAULTS[code] ?? code)
    if (event.id !== undefined) fresh.set(event.id, headers.length)
    places.push({ id: header.id, index: headers.length })
    headers.push(header)
    headerLines.push(line)
    data.push(event.data)
  }
  const [current] = conflictsOf(
    // All of them or none, as a group.
    headers.map(({ stream, expected }) => ({ stream, expected, group: 1 })),
    (i) => (headers[i] as EventHeader).id,
    () => false,
    draft.stream,
  ).values()
  if (current !== undefined) {
    const message = `the stream is not as expected: its revision is ${current}`
    return { ...refused('conflict', message), revision: current }
  }
  const record =
    headers.length === 0
      ? undefined
      : draft.append(command.time, {
          lastId: (headers.at(-1) as EventHeader).id,
          indexes: [],
          headers,
          headerLines,
          data,
        })
  const answered = new Set<number>()
  return {
    kind: 'posted',
    events: places.map(({ id, index }) => {
      if (index < 0) return { id, ...(command.known.get(id) as Posted), existing: true }
      const existing = answered.has(index)
      answered.add(index)
      const { headers, place } = record as RoomRecord
      const revision = headers[index]?.revision
      return {
        id,
        position: draft.position(place + index, id),
        ...(revision !== undefined && { revision }),
        existing,
      }
    }),
  }
}

const POST_FAULTS: Partial<Record<BusErrorCode, string>> = {
  invalid_data: 'the data is nested too deep',
  forbidden: 'the token does not allow this type of event',
  too_large: `a header is at most ${MAX_HEADER_BYTES} bytes, and with its data at most ${MAX_EVENT_BYTES}`,
}

/** Compared to its end, wherever it differs: how long it takes must not tell how much was right. */
function isSameHash(known: string, given: string): boolean {
  let differs = known.length ^ given.length
  for (let i = 0; i < known.length; i++) differs |= known.charCodeAt(i) ^ given.charCodeAt(i)
  return differs === 0
}

/** Whether two terms are one: the same number can be a copy's. */
export function isSameTerm(a: Term, b: Term): boolean {
  return a[0] === b[0] && a[1] === b[1]
}

function ack(frame: PublishFrame, refusals: readonly Refusal[] | undefined): AckFrame {
  return { frame: 'ack', batch: frame.batch, ...(refusals && { refused: refusals }) }
}

function reject(
  frame: PublishFrame,
  code: BusErrorCode,
  taken?: BatchRef,
  term?: Term,
): RejectFrame {
  return {
    frame: 'reject',
    batch: frame.batch,
    code,
    ...(taken && { taken: taken.batch }),
    ...(term && { term }),
    retryAfterMs: 0,
  }
}

function subjectChanged(): RefusedReply {
  return refused('subject_changed', 'this log belongs to another user: call clear() first')
}

function refused(code: BusErrorCode, message: string): RefusedReply {
  return { kind: 'refused', code, message }
}
