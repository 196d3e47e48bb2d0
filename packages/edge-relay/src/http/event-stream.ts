/**
 * `GET /rooms/:room/events` as `text/event-stream`. Each stream pulls: it reads from the store when
 * its reader has taken what it got, and so holds one chunk at most, however far behind that reader is.
 *
 * ```
 * reader asks -> chunk of the tail or the store -> reader asks -> ... -> at the head: wait, beat
 * ```
 */
import { BusError, type GapReason, parsePosition } from '@crosstown/bus/protocol'
import type { Identity } from '../auth.ts'
import type { Limits } from '../limits.ts'
import type { Platform } from '../platform.ts'
import type { Readers, Watch } from '../readers.ts'
import { cursorAt, headPosition, markIn, positionIn, type RoomRecord } from '../record.ts'
import { reasonOf, recognise, type Span } from '../resume.ts'
import type { Store } from '../stores/store.ts'
import { eventText } from './event-text.ts'
import { type EventQuery, NOW } from './query.ts'
import { beginningOf, type Matcher, matcherOf, select, unknownPosition } from './select.ts'
import { HEARTBEAT, messageBlock, retryBlock, standBlock, typedBlock } from './sse.ts'

/** What an event stream is made with. */
export interface EventStreamContext {
  readonly store: Store
  readonly limits: Limits
  readonly platform: Platform
  readonly readers: Readers
  readonly report: (error: unknown, room: string) => void
}

/** One request for an event stream. */
export interface EventStreamRequest {
  readonly room: string
  readonly identity: Identity
  readonly query: EventQuery
  /** Where the reader was when its last connection ended: `Last-Event-ID`. */
  readonly lastEventId: string | undefined
  /** Ends the connection at once, whatever it still holds; where absent, the stream fails. */
  readonly cut: (() => void) | undefined
  /** Called when it is over, once or more often. */
  readonly ended: () => void
}

/** How long a reader waits before it comes back. */
const RETRY_MS = 2_000

/**
 * Opens a stream: it is known now that it can begin where the request says.
 *
 * @throws {BusError} not_found where the room does not know the position; going_away
 * @throws {Gone} where what comes behind `after` was trimmed away
 */
export async function openEventStream(
  context: EventStreamContext,
  request: EventStreamRequest,
): Promise<ReadableStream<Uint8Array>> {
  const stream = new EventStream(context, request)
  try {
    await stream.begin()
  } catch (error) {
    stream.stop()
    throw error
  }
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => stream.start(controller),
      pull: () => stream.pull(),
      cancel: () => stream.stop(),
    },
    // Nothing is read ahead: a chunk is made for a reader that waits for it.
    { highWaterMark: 0 },
  )
}

class EventStream {
  readonly #context: EventStreamContext
  readonly #request: EventStreamRequest
  readonly #matches: Matcher
  readonly #watch: Watch
  readonly #encoder = new TextEncoder()
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #state: 'open' | 'closed' = 'open'
  #pulling = false
  #stopTimer: (() => void) | undefined
  #gaveMs: number
  /** When the token ends. */
  readonly #expiresMs: number
  /** What the reader is told first. */
  #intro = retryBlock(RETRY_MS)
  /** What it is told last, where that is before it begins. */
  #last = ''
  /** Of the room that it reads; absent while the room has no log. */
  #epoch: string | undefined
  /** Everything up to here was looked at, and what matched of it given to the reader. */
  #place = 0
  /** The position there, where the reader was not told it. */
  #untold: string | undefined

  constructor(context: EventStreamContext, request: EventStreamRequest) {
    this.#context = context
    this.#request = request
    this.#matches = matcherOf(request.identity.rights, request.query)
    this.#gaveMs = context.platform.monotonic()
    // First of all, so that nothing is committed unseen between the look at the head and the wait.
    const { identity, room } = request
    const { expiresAt = Number.POSITIVE_INFINITY } = identity
    this.#expiresMs = context.platform.monotonic() + expiresAt - context.platform.now()
    this.#watch = context.readers.watch(room, identity, (backMs) => this.#goAway(backMs))
  }

  /** Finds where to begin. */
  async begin(): Promise<void> {
    const { store } = this.#context
    const { lastEventId, query, room } = this.#request
    const { after } = query
    if (lastEventId !== undefined && !parsePosition(lastEventId)) throw unknownPosition()
    const head = await store.head(room)
    if (!head) {
      if (lastEventId !== undefined) this.#intro += gapBlock('new_epoch', undefined)
      else if (after !== undefined && after !== NOW) throw unknownPosition()
      return
    }
    this.#epoch = head.epoch
    const span = { head, first: await store.first(room) }
    if (lastEventId !== undefined) {
      const known = await recognise(store, room, span, lastEventId)
      if (known) {
        this.#place = known.place
        return
      }
      // What was trimmed since it was looked up must not pass for what the room lost.
      const now = { head, first: await store.first(room) }
      this.#intro += this.#goOnAtFirst(reasonOf(lastEventId, now), now)
      return
    }
    this.#place = await beginningOf(store, room, span, query)
    // Any other beginning is in the address, with which the reader comes back.
    if (after === NOW) this.#intro += standBlock(headPosition(head))
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller
    if (this.#state === 'open') return
    // It was over before it began.
    controller.enqueue(this.#encoder.encode(this.#last))
    controller.close()
  }

  /** Gives the reader its next chunk; called when it has taken the one before. */
  async pull(): Promise<void> {
    this.#stopTimer?.()
    this.#pulling = true
    try {
      const text = await this.#next()
      if (!this.#watch.over) this.#give(text)
    } catch (error) {
      // To a reader that is gone it does not matter what could not be read.
      if (!this.#watch.over) this.#context.report(error, this.#request.room)
      // The reader comes back by itself, and is told then if it cannot be served.
      this.#close()
      this.#watch.stop()
    } finally {
      this.#pulling = false
      if (this.#watch.over) this.stop()
    }
  }

  /** Forgets the reader: it is gone, or was given its last. */
  stop(): void {
    this.#state = 'closed'
    this.#stopTimer?.()
    this.#watch.stop()
    this.#request.ended()
  }

  async #next(): Promise<string> {
    const { limits, platform } = this.#context
    const intro = this.#intro
    this.#intro = ''
    if (intro !== '') return intro
    while (!this.#watch.over) {
      const nowMs = platform.monotonic()
      // Who comes back with a fresh token goes on where this one ended.
      if (nowMs >= this.#expiresMs) {
        this.#watch.end(RETRY_MS)
        break
      }
      const beatMs = this.#gaveMs + limits.heartbeatMs - nowMs
      const isDue = beatMs <= 0
      const leftMs = Math.min(beatMs, this.#expiresMs - nowMs)
      const text = await this.#read(isDue)
      if (text) return text
      if (isDue) return this.#beat()
      if (text === undefined) await this.#watch.grown(leftMs)
      else await new Promise<void>((resolve) => platform.soon(resolve))
    }
    return ''
  }

  /** A sign of life, which also tells the reader how far it is where nothing matched. */
  #beat(): string {
    const position = this.#untold
    this.#untold = undefined
    return position === undefined ? HEARTBEAT : standBlock(position)
  }

  /**
   * Looks at what comes next: text for the reader, '' where nothing of it matched, or `undefined`
   * at the head. With `anew` the store is asked, whatever this process knows: another may write, too.
   */
  async #read(anew: boolean): Promise<string | undefined> {
    const { limits, readers, store } = this.#context
    const { room } = this.#request
    const tail = readers.tail(room)
    if (tail && !anew && tail.head.epoch === this.#epoch) {
      if (tail.head.place === this.#place) return undefined
      const [oldest] = tail.records
      if (oldest && oldest.place <= this.#place + 1 && tail.head.place > this.#place)
        return this.#chunk(tail.records, tail.texts)
    }
    const head = await store.head(room)
    if (!head && this.#epoch === undefined) return undefined
    if (!head) throw new BusError('unavailable', 'the log of the room is gone')
    this.#epoch ??= head.epoch
    if (head.epoch !== this.#epoch || head.place < this.#place) {
      const reason = head.epoch === this.#epoch ? 'restored' : 'new_epoch'
      return this.#goOnAtFirst(reason, { head, first: await store.first(room) })
    }
    if (head.place === this.#place) return undefined
    const limit = { events: limits.streamEvents, bytes: limits.streamBytes }
    const records = await store.read(room, this.#place, limit)
    if ((records[0]?.place ?? head.place + 1) > this.#place + 1) {
      const first = await store.first(room)
      if (first.place > this.#place) return this.#goOnAtFirst('trimmed', { head, first })
      throw new BusError('unavailable', 'the room has no record where its head says so')
    }
    return this.#chunk(records, new Map())
  }

  #chunk(records: readonly RoomRecord[], texts: Map<number, string>): string {
    const epoch = this.#epoch as string
    const { found, place, record: newest } = select(records, this.#place, this.#matches)
    const proven = this.#request.identity.rights.history === false
    let text = ''
    let position = ''
    for (const { record, index } of found) {
      const at = record.place + index
      position = positionIn(epoch, record, at)
      let block = proven ? undefined : texts.get(at)
      if (block === undefined) {
        // Without a right to history a reader goes on only from where it proves that it was.
        const id = proven ? cursorAt(epoch, markIn(record, at)) : position
        block = messageBlock(id, eventText(epoch, record, index))
        if (!proven) texts.set(at, block)
      }
      text += block
    }
    this.#place = place
    const stand = newest ? cursorAt(epoch, markIn(newest, place)) : position
    this.#untold = text === '' ? stand : undefined
    return text === '' || stand === position ? text : text + standBlock(stand)
  }

  /** Tells that there is a hole, and goes on behind it. */
  #goOnAtFirst(reason: GapReason, { head, first }: Span): string {
    this.#epoch = head.epoch
    this.#place = first.place
    this.#untold = undefined
    return gapBlock(reason, cursorAt(head.epoch, first))
  }

  #give(text: string): void {
    const { limits, platform } = this.#context
    this.#controller?.enqueue(this.#encoder.encode(text))
    this.#gaveMs = platform.monotonic()
    this.#stopTimer = platform.every(limits.slowReaderMs, () => this.#cut())
  }

  /** The reader does not take what it was given: it may come back to where it stands. */
  #cut(): void {
    const { cut } = this.#request
    if (cut) cut()
    else if (this.#state === 'open')
      this.#controller?.error(new BusError('slow_reader', 'the event stream was not read'))
    this.stop()
  }

  /** The relay closes: the reader is to come back after so long. */
  #goAway(backMs: number): void {
    this.#last = retryBlock(backMs)
    if (this.#state === 'open') this.#controller?.enqueue(this.#encoder.encode(this.#last))
    this.#close()
    // Where a read is under way the store must stay open for it: `pull` stops, then.
    if (!this.#pulling) this.stop()
  }

  #close(): void {
    if (this.#state === 'open') this.#controller?.close()
    this.#state = 'closed'
  }
}

/** `first` is absent where the room has nothing. */
function gapBlock(reason: GapReason, first: string | undefined): string {
  return typedBlock('gap', JSON.stringify({ reason, first }), first)
}
