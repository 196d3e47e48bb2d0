/**
 * The room's stream on its way in: each batch is matched with what the log holds already and
 * committed with the cursor, one after the other.
 */
import type { Log, Writer } from '../log/log.ts'
import type { StreamFrame, Term } from '../protocol/frames.ts'
import type { NewsRun } from '../protocol/peer-frames.ts'
import { parsePosition } from '../protocol/position.ts'
import { type MatchedRun, Matcher } from './match.ts'
import type { SessionEvents } from './sync.ts'

export interface IncomingOptions {
  readonly log: Log
  readonly writer: Writer
  readonly term: Term
  readonly committed: SessionEvents['committed']
  readonly failed: (error: unknown) => void
}

/** What a welcome says of the stream that follows it. */
export interface StreamStart {
  readonly epoch: string
  /** The cursor. */
  readonly from: string
  /** The room's head at the welcome. */
  readonly head: string
  readonly liveAfter: number
  /** Whether the room, as far as this log knows it, ever lost what it had. */
  readonly restored: boolean
  /** Called once, when the log has the room up to that head. */
  readonly atHead: () => void
}

export class Incoming {
  readonly #options: IncomingOptions
  readonly #matcher: Matcher
  #start: StreamStart | undefined
  #target = 0
  /** Position of the last stream batch that arrived, committed or not yet. */
  #arrived = ''
  /** A heartbeat named another head than what had arrived; set to what had. */
  #behind: string | undefined
  /** Counts connections, so that what came on an older one is dropped. */
  #round = 0
  #work: Promise<void> = Promise.resolve()

  constructor(options: IncomingOptions) {
    this.#options = options
    this.#matcher = new Matcher(options.log)
  }

  /** A context of this device publishes under this prefix. */
  publishedHere(prefix: string): void {
    this.#matcher.publishedHere(prefix)
  }

  /** Runs `step` after all that came before it was committed. */
  after(step: () => Promise<void>): void {
    this.#work = this.#work.then(step)
  }

  /** Resolves when nothing is being written any more. */
  idle(): Promise<void> {
    return this.#work
  }

  begin(start: StreamStart): void {
    this.#start = start
    this.#target = placeOf(start.head)
    this.#reached(start.from)
  }

  end(): void {
    this.#round += 1
    this.#start = undefined
    this.#arrived = ''
    this.#behind = undefined
  }

  take(frame: StreamFrame, data: readonly string[]): void {
    const round = this.#round
    this.#arrived = frame.position
    this.#behind = undefined
    this.after(() => this.#commit(frame, data, round))
  }

  /**
   * Whether a head that the relay names shows a hole: one that differs from what arrived, and
   * still does one heartbeat later with no batch between.
   */
  isHole(head: string): boolean {
    if (this.#start === undefined || this.#arrived === '' || head === this.#arrived) {
      this.#behind = undefined
      return false
    }
    if (this.#behind === this.#arrived) return true
    this.#behind = this.#arrived
    return false
  }

  async #commit(frame: StreamFrame, data: readonly string[], round: number): Promise<void> {
    const { committed, failed, term, writer } = this.#options
    const start = this.#start
    if (round !== this.#round || !start) return
    try {
      const matched = await this.#matcher.match(frame, data, start.restored)
      if (round !== this.#round) return
      const { number, record } = await writer.writeRoom(
        { ...frame, runs: matched.runs },
        matched.data,
        start.epoch,
        term,
      )
      committed(number, record, matched.runs.map(asPlaceholder), matched.data, start.liveAfter)
      if (round === this.#round) this.#reached(frame.position)
    } catch (error) {
      if (round === this.#round) failed(error)
    }
  }

  #reached(position: string): void {
    if (this.#arrived === '') this.#arrived = position
    if (!this.#start || this.#target < 0 || placeOf(position) < this.#target) return
    this.#target = -1
    this.#start.atHead()
  }
}

/** To the other contexts an event that was held already is what an own one is: a placeholder. */
function asPlaceholder(run: MatchedRun): NewsRun {
  return 'held' in run
    ? { place: run.place, time: run.time, own: { ...run.held, part: true } }
    : run
}

function placeOf(position: string): number {
  return parsePosition(position)?.place ?? 0
}
