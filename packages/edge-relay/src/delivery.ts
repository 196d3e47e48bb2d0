/**
 * Who hears a room: its connections, by what they may read. A connection is *live* when it stands
 * at the room's head: then it gets each commit as it comes, encoded once for all that may read the
 * same. Otherwise it *pulls*: it reads from the store at its own pace until it stands at the head.
 * There is nothing between the two, so a connection that joins, falls behind, or missed what
 * another process wrote has neither a gap nor a double, and no queue of its own.
 */
import { BusError, type EventHeader, encodeFrame, typeMatcher } from '@crosstown/bus/protocol'
import type { RelayTap } from './inspect/tap.ts'
import type { Limits } from './limits.ts'
import type { Meter } from './metrics.ts'
import type { Platform } from './platform.ts'
import { headPosition, type RoomHead, type RoomRecord } from './record.ts'
import type { Store } from './stores/store.ts'
import {
  advanceText,
  type Chunk,
  chunksOf,
  type Prepared,
  prepare,
  type Reader,
  streamText,
} from './stream.ts'

/** What one connection may read; connections with the same `key` share encodings. */
export interface ReadRights {
  readonly key: string
  readonly mayRead: (type: string) => boolean
}

/** A connection, as its room delivers to it. */
export interface Member {
  readonly device: string
  /** What others know its device by. */
  readonly name: string
  readonly reads: ReadRights
  /** Where its stream stands: everything up to here was sent. */
  place: number
  position: string
  live: boolean
  readonly closed: boolean
  readonly lastSentMs: number
  readonly bufferedAmount: number
  /** @param more that more may follow in this turn */
  send(text: string, more?: boolean): void
  /** Resolves when the socket took what was sent, or is closed. */
  drained(): Promise<void>
  tick(nowMs: number): void
  fail(error: BusError): void
}

/** Types remembered for one set of rights; then they are matched anew. */
const TYPE_MEMO = 10_000

/** A token's patterns to read by, narrowed by what the device wants. */
function readRights(
  key: string,
  subscribe: readonly string[],
  types: readonly string[] | undefined,
): ReadRights {
  const allowed = typeMatcher(subscribe)
  const wanted = types && typeMatcher(types)
  const memo = new Map<string, boolean>()
  return {
    key,
    mayRead(type) {
      let may = memo.get(type)
      if (may === undefined) {
        may = allowed(type) && (wanted === undefined || wanted(type))
        if (memo.size >= TYPE_MEMO) memo.clear()
        memo.set(type, may)
      }
      return may
    },
  }
}

interface Group {
  readonly reads: ReadRights
  readonly members: Set<Member>
}

/** What a delivery needs of its room and relay. */
export interface DeliveryContext {
  readonly room: string
  readonly store: Store
  readonly limits: Limits
  readonly platform: Platform
  readonly meter: Meter
  readonly report: (error: unknown) => void
  /** The room's head, as far as this process knows. */
  readonly head: () => RoomHead
  /** Has a tap while the room is inspected. */
  readonly inspection: { readonly tap: RelayTap | undefined }
}

/** The connections of one room. */
export class Delivery {
  readonly #context: DeliveryContext
  readonly #groups = new Map<string, Group>()
  /** By device, which has one connection: whoever comes must not look through all there are. */
  readonly #ofDevice = new Map<string, Member>()
  #size = 0
  #advanceDue = false
  /** Stream frames handed out live, not counted yet. */
  #frames = 0

  constructor(context: DeliveryContext) {
    this.#context = context
  }

  /** Number of connections. */
  get size(): number {
    return this.#size
  }

  /** Until when nothing is to be done for those who stand at the head. */
  get dueMs(): number {
    return this.#advanceDue ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }

  /** What a token may read, narrowed by `types`; the same object for all connections alike. */
  rights(subscribe: readonly string[], types: readonly string[] | undefined): ReadRights {
    const key = JSON.stringify([subscribe, types])
    return this.#groups.get(key)?.reads ?? readRights(key, subscribe, types)
  }

  /** Takes a connection in that stands at its `place`, and first brings it to `target` exactly. */
  attach(member: Member, target: number): void {
    let group = this.#groups.get(member.reads.key)
    if (!group) {
      group = { reads: member.reads, members: new Set() }
      this.#groups.set(member.reads.key, group)
    }
    group.members.add(member)
    this.#ofDevice.set(member.device, member)
    this.#size += 1
    void this.#pull(member, target)
  }

  detach(member: Member): void {
    const group = this.#groups.get(member.reads.key)
    if (!group?.members.delete(member)) return
    this.#size -= 1
    if (this.#ofDevice.get(member.device) === member) this.#ofDevice.delete(member.device)
    if (group.members.size === 0) this.#groups.delete(member.reads.key)
  }

  /**
   * Delivers what was just committed to all who published none of it; `head` is the room's head
   * after it. Those who did are told by what is returned: they wait for nothing but to hear that it
   * is theirs, the others for the events.
   */
  broadcast(records: readonly RoomRecord[], head: RoomHead): () => void {
    const prepared = records.map(prepare)
    const after = (records[0] as RoomRecord).place - 1
    const devices = new Set(records.map((record) => record.device))
    const publishers: Member[] = []
    const chunksFor = (reader: Reader): Chunk[] =>
      chunksOf(head.epoch, prepared, after, reader, this.#chunkLimit())
    for (const { reads, members } of this.#groups.values()) {
      let shared: Chunk[] | undefined
      let sharedPrev: string | undefined
      let texts: string[] = []
      for (const member of members) {
        if (!member.live) continue
        if (devices.has(member.device)) {
          publishers.push(member)
          continue
        }
        shared ??= chunksFor({ mayRead: reads.mayRead })
        if (member.position !== sharedPrev) {
          sharedPrev = member.position
          texts = textsOf(sharedPrev, shared)
        }
        this.#deliver(member, shared, texts, prepared)
      }
    }
    this.#count()
    return () => {
      for (const member of publishers) {
        // An answer between may have found its socket too slow.
        if (!member.live) continue
        const own = chunksFor({ device: member.device, mayRead: member.reads.mayRead })
        this.#deliver(member, own, textsOf(member.position, own), prepared)
      }
      this.#count()
    }
  }

  #count(): void {
    this.#context.meter.count('frames_sent_total', this.#frames)
    this.#frames = 0
  }

  /** Hands unpersisted events to everyone who may read them, but not to their sender. */
  cast(from: Member | undefined, headers: readonly EventHeader[], data: readonly string[]): void {
    const { tap } = this.#context.inspection
    tap?.cast(from?.name, headers, data)
    for (const { reads, members } of this.#groups.values()) {
      let text: string | undefined
      for (const member of members) {
        // Best effort: what a full socket does not take now is worth nothing later.
        if (member === from) continue
        if (member.bufferedAmount > this.#context.limits.pauseBytes) {
          tap?.castTo(member, headers, undefined)
          continue
        }
        text ??= castText(headers, data, reads.mayRead)
        tap?.castTo(member, headers, text)
        if (text !== '') member.send(text)
        else if (!tap) break
      }
    }
  }

  /** Due twice a second: moves on those who could read nothing of the last commits, and beats. */
  tick(nowMs: number): void {
    const advance = this.#advanceDue
    this.#advanceDue = false
    for (const member of this.#members()) {
      if (advance) this.#advance(member)
      if (nowMs - member.lastSentMs >= this.#context.limits.heartbeatMs) this.heartbeat(member)
      member.tick(nowMs)
    }
  }

  heartbeat(member: Member): void {
    this.#advance(member)
    member.send(encodeFrame({ frame: 'heartbeat', head: headPosition(this.#context.head()) }))
  }

  /** Lets everyone read on from the store: the room moved without these connections being told. */
  pullAll(): void {
    for (const member of this.#members()) {
      if (!member.live) continue
      member.live = false
      void this.#pull(member, member.place)
    }
  }

  /** Ends the connection of a device that there is: it has a newer one. */
  supersede(device: string): void {
    const member = this.#ofDevice.get(device)
    member?.fail(new BusError('stale_term', 'this device has connected anew'))
  }

  failAll(error: BusError): void {
    for (const member of [...this.#members()]) member.fail(error)
  }

  *#members(): Generator<Member> {
    for (const { members } of this.#groups.values()) yield* members
  }

  #chunkLimit(): { events: number; bytes: number } {
    const { limits } = this.#context
    return { events: limits.streamEvents, bytes: limits.streamBytes }
  }

  #deliver(
    member: Member,
    chunks: readonly Chunk[],
    texts: readonly string[],
    records: readonly Prepared[],
  ): void {
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i] as Chunk
      const { tap } = this.#context.inspection
      if (tap)
        tap.passed(member, records, behind(chunks, i, records), chunk.place, texts[i] as string)
      // Nothing readable: one empty frame moves the cursor on later, for all such commits at once.
      if (chunk.runs === '') {
        this.#advanceDue = true
        return
      }
      send(member, chunk, texts[i] as string)
      this.#frames += 1
      if (member.bufferedAmount > this.#context.limits.pauseBytes) {
        member.live = false
        this.#context.meter.count('gate_overflow_total')
        void this.#pull(member, member.place)
        return
      }
    }
  }

  #advance(member: Member): void {
    const head = this.#context.head()
    if (!member.live || member.place === head.place) return
    const position = headPosition(head)
    member.send(advanceText(member.position, position))
    member.position = position
    member.place = head.place
  }

  /** Reads for one connection until it stands at the head; a frame of it ends at `target`. */
  async #pull(member: Member, target: number): Promise<void> {
    const { meter, platform, limits, report, room, store } = this.#context
    const reader = { device: member.device, mayRead: member.reads.mayRead }
    const limit = this.#chunkLimit()
    let scanned = member.place
    let goal = target
    try {
      while (!member.closed) {
        if (member.bufferedAmount > limits.pauseBytes) {
          await member.drained()
          continue
        }
        if (scanned >= goal) {
          goal = this.#context.head().place
          if (scanned >= goal) {
            member.live = true
            return
          }
        }
        const records = await store.read(room, scanned, limit)
        if (member.closed) return
        const wanted = records.filter((record) => record.place <= goal)
        if ((wanted[0]?.place ?? goal + 1) > scanned + 1) {
          await this.#failAtHole(member, scanned)
          return
        }
        const { epoch } = this.#context.head()
        const prepared = wanted.map(prepare)
        meter.count('recovered_events_total', countReadable(wanted, scanned, reader.mayRead))
        for (const chunk of chunksOf(epoch, prepared, scanned, reader, limit)) {
          const { tap } = this.#context.inspection
          const told = chunk.runs !== '' || chunk.place >= goal
          const text = told || tap ? streamText(member.position, chunk) : ''
          tap?.passed(member, prepared, scanned, chunk.place, text)
          if (told) send(member, chunk, text)
          scanned = chunk.place
        }
        await new Promise<void>((resolve) => platform.soon(resolve))
      }
    } catch (error) {
      report(error)
      member.fail(new BusError('unavailable', 'the room cannot be read now'))
    }
  }

  /** What is to be read next is not there: a new hello is told so, where this stream had to be silent. */
  async #failAtHole(member: Member, place: number): Promise<void> {
    const { room, store } = this.#context
    const first = await store.first(room)
    if (first.place <= place)
      throw new BusError('unavailable', 'the room has no record where its head says so')
    member.fail(new BusError('slow_reader', 'what was still to be read was trimmed away'))
  }
}

function send(member: Member, chunk: Chunk, text: string): void {
  member.send(text)
  member.place = chunk.place
  member.position = chunk.position
}

/** How many events of these records, behind a place, a reader may have. */
function countReadable(
  records: readonly RoomRecord[],
  after: number,
  mayRead: (type: string) => boolean,
): number {
  let count = 0
  for (const { headers, place } of records)
    for (const [i, { type }] of headers.entries())
      if (place + i > after && mayRead(type)) count += 1
  return count
}

/** The place behind which a chunk of these records begins. */
function behind(chunks: readonly Chunk[], i: number, records: readonly Prepared[]): number {
  return chunks[i - 1]?.place ?? (records[0] as Prepared).record.place - 1
}

function textsOf(prev: string, chunks: readonly Chunk[]): string[] {
  return chunks.map((chunk, i) =>
    streamText(i === 0 ? prev : (chunks[i - 1] as Chunk).position, chunk),
  )
}

function castText(
  headers: readonly EventHeader[],
  data: readonly string[],
  mayRead: (type: string) => boolean,
): string {
  const readable = headers.map((header) => mayRead(header.type))
  if (!readable.includes(true)) return ''
  return encodeFrame(
    { frame: 'cast', events: headers.filter((_, i) => readable[i]) },
    data.filter((_, i) => readable[i]),
  )
}
