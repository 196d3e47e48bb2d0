/**
 * Takes frames in, as fast as the panel can and no faster: some milliseconds a turn, each peer's
 * records in order. Who does not keep up grants no more, and taps hold back.
 */
import {
  type AnswerFrame,
  type ByeFrame,
  type HelloFrame,
  INSPECT_VERSION,
  type MismatchFrame,
} from '@crosstown/bus/inspect'
import { Fault } from '../../frames/reader.ts'
import { readRecord, UNKNOWN } from '../../frames/records.ts'
import { parseFrame, readTapFrame, type UnreadBatch } from '../../frames/tap-frames.ts'
import type { Timing } from './timing.ts'

/** What one turn takes at most, ms. */
const TURN_MS = 8
/** Characters that wait at most; beyond it a source that was not granted so much is cut short. */
const MAX_WAITING = 64 * 1024 * 1024
/** Records between two looks at the clock. */
const STRIDE = 32

export interface Waiting {
  readonly source: string
  readonly text: string
  /** Characters it came with. */
  readonly size: number
  /** When it came, by the inspector's clock. */
  readonly arrived: number
  /** Not a frame but something to be done between frames. */
  readonly task?: () => void
}

export type Heard = HelloFrame | UnreadBatch | ByeFrame | AnswerFrame | MismatchFrame

export interface IntakeEvents {
  /** Anything but a batch; and a batch before its first record: `false` where it is not to be read. */
  frame(frame: Heard, from: Waiting): boolean
  record(
    frame: UnreadBatch,
    index: number,
    record: NonNullable<ReturnType<typeof known>>,
    from: Waiting,
  ): void
  /** All records of a batch were taken in. */
  done(frame: UnreadBatch, from: Waiting): void
  /** A line of a session file that is no frame of a tap: true where it was one. */
  other(fields: { readonly [key: string]: unknown }, from: Waiting): boolean
  malformed(reason: string, from: Waiting, peer: string | undefined): void
  /** A turn ended, and more waits. */
  busy(): void
  /** Nothing waits any more. */
  idle(): void
}

export class Intake {
  readonly #timing: Timing
  readonly #events: IntakeEvents
  #queue: Waiting[] = []
  #head = 0
  #waiting = 0
  #scheduled = false
  #batch: { readonly frame: UnreadBatch; readonly from: Waiting; index: number } | undefined
  #paused = false
  /** Batches that wait until recording goes on. */
  #parked: { readonly frame: UnreadBatch; readonly from: Waiting }[] = []
  /** Batches let in again, before all else. */
  #ready: { readonly frame: UnreadBatch; readonly from: Waiting }[] = []

  constructor(timing: Timing, events: IntakeEvents) {
    this.#timing = timing
    this.#events = events
  }

  /** Characters that wait. */
  get waiting(): number {
    return this.#waiting
  }

  push(source: string, text: string): void {
    const from = { source, text, size: text.length, arrived: this.#timing.now() }
    if (this.#waiting + text.length > MAX_WAITING) {
      this.#events.malformed('more came than was granted', from, undefined)
      return
    }
    this.#waiting += text.length
    this.#queue.push(from)
    this.#schedule()
  }

  /** Does something when all that came before was taken in. */
  afterwards(source: string, task: () => void): void {
    this.#queue.push({ source, text: '', size: 0, arrived: this.#timing.now(), task })
    this.#schedule()
  }

  /** Takes batches in again that were held back, before what came after them. */
  again(batches: readonly { readonly frame: UnreadBatch; readonly from: Waiting }[]): void {
    this.#ready.push(...batches)
    this.#schedule()
  }

  /** While paused, batches are kept and all other frames are heard. */
  pause(paused: boolean): void {
    this.#paused = paused
    if (paused) return
    this.again(this.#parked)
    this.#parked = []
  }

  /** Takes in all there is, however long it takes. */
  drain(): void {
    while (this.#step(Number.POSITIVE_INFINITY)) {
      // Until nothing is left.
    }
    this.#events.idle()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#timing.soon(() => {
      this.#scheduled = false
      this.#turn()
    })
  }

  #turn(): void {
    const until = this.#timing.now() + TURN_MS
    while (this.#step(until)) {
      if (this.#timing.now() >= until) {
        this.#events.busy()
        this.#schedule()
        return
      }
    }
    this.#events.idle()
  }

  /** One frame, or a part of a batch; false where nothing waits. */
  #step(until: number): boolean {
    if (this.#batch) {
      this.#read(this.#batch, until)
      return true
    }
    const ready = this.#ready.shift()
    if (ready) {
      this.#begin(ready.frame, ready.from)
      return true
    }
    if (this.#head === this.#queue.length) return false
    const from = this.#queue[this.#head]!
    this.#queue[this.#head++] = undefined as unknown as Waiting
    if (this.#head > 1_000 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    this.#waiting -= from.text.length
    if (from.task) from.task()
    else this.#take(from)
    return true
  }

  #take(from: Waiting): void {
    let peer: string | undefined
    try {
      const given = parseFrame(from.text)
      if (typeof given['peer'] === 'string') peer = given['peer'].slice(0, 300)
      if (this.#events.other(given, from)) return
      const frame = readTapFrame(given)
      // What it was made of is not kept.
      const source = { ...from, text: '' }
      if (frame.frame !== 'batch') this.#events.frame(frame, source)
      else if (this.#paused) this.#parked.push({ frame, from: source })
      else this.#begin(frame, source)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      this.#events.malformed(error.text, from, peer)
    }
  }

  #begin(frame: UnreadBatch, from: Waiting): void {
    if (this.#events.frame(frame, from)) this.#batch = { frame, from, index: 0 }
  }

  #read(
    batch: { readonly frame: UnreadBatch; readonly from: Waiting; index: number },
    until: number,
  ): void {
    const { frame, from } = batch
    const { records } = frame
    while (batch.index < records.length) {
      const { index } = batch
      batch.index++
      try {
        const record = known(records[index])
        if (record) this.#events.record(frame, index, record, from)
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        this.#events.malformed(`records[${index}] ${error.text}`, from, frame.peer)
      }
      if (batch.index % STRIDE === 0 && this.#timing.now() >= until) return
    }
    this.#batch = undefined
    this.#events.done(frame, from)
  }
}

function known(value: unknown): Exclude<ReturnType<typeof readRecord>, typeof UNKNOWN> | undefined {
  const record = readRecord(value)
  return record === UNKNOWN ? undefined : record
}

/** Whose side has to be brought up to date when versions differ. */
export function mismatchWords(theirs: number, library: string): string {
  const version = library === '' ? 'another version of @crosstown/bus' : `@crosstown/bus ${library}`
  return theirs > INSPECT_VERSION
    ? `It has ${version}, which is newer than this panel (inspection ${theirs}, the panel speaks ${INSPECT_VERSION}): update the panel.`
    : `It has ${version}, which is older than this panel (inspection ${theirs}, the panel speaks ${INSPECT_VERSION}): update @crosstown/bus in the application.`
}
