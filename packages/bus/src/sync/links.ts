/**
 * The links a user gave: what this context publishes and hears goes out on all of them, and what
 * comes in on one is heard here, and goes on to the others. Each event is heard once, whatever ways
 * lead to it: so links may form rings. In come texts, out go events and the frames of `LinkFrame`.
 */
import type { Entry } from '../batch/batch.ts'
import type { Incoming, Origin } from '../dispatch/dispatch.ts'
import { BusError, toBusError } from '../errors.ts'
import { MAX_BATCH_BYTES, MAX_BATCH_EVENTS } from '../event.ts'
import type { TapHolder } from '../inspect/tap.ts'
import type { Link } from '../links/link.ts'
import { type LinkFrame, NO_LOG } from '../protocol/link-frames.ts'
import { decodePeerFrame, encodeEvents, encodePeerFrame } from '../protocol/peer-frames.ts'
import type { LinkedEvents, Links, Way } from './sync.ts'

/** Ids remembered, so that what comes again by another way is known. */
const MAX_IDS = 20_000

const DEVICE = {} as const
const ROOM = { room: true } as const
const CAST = { cast: true } as const

interface Told {
  readonly headerText: string
  readonly dataText: string
  /** Whether it came from another device, or is an own event in no log. */
  readonly kind: { readonly room?: true; readonly cast?: true }
  readonly ofDevice: boolean
  readonly from: Way | undefined
}

/** One link, and what is known of those behind it. */
interface End extends Way {
  readonly link: Link
  /** Logs that those behind it named. */
  readonly logs: Set<string>
}

export class UserLinks implements Links {
  readonly #events: LinkedEvents
  readonly #taps: TapHolder
  readonly #ends: End[] = []
  readonly #ids = new Set<string>()
  readonly #untold: Told[] = []
  /** Absent until it is known whether this context has a log; nothing is told before. */
  #logId: string | undefined
  #closed = false

  constructor(events: LinkedEvents, taps: TapHolder = { tap: undefined }) {
    this.#events = events
    this.#taps = taps
  }

  add(link: Link): void {
    const end: End = {
      link,
      logs: new Set(),
      send: (frame, data) => this.#send(end, encodePeerFrame(frame, data)),
    }
    this.#ends.push(end)
    link.receive(
      (text) => this.#receive(end, text),
      (error) => this.#events.report(error),
    )
    if (this.#logId !== undefined) end.send({ frame: 'seek', log: this.#logId })
  }

  get size(): number {
    return this.#ends.length
  }

  /** The log that this context has from now on. */
  named(logId: string): void {
    const first = this.#logId === undefined
    this.#logId = logId
    if (first) this.send({ frame: 'seek', log: logId })
    this.#flush()
  }

  send(frame: LinkFrame, data?: readonly string[]): void {
    for (const end of this.#ends) end.send(frame, data)
  }

  /** Whether every link said that nobody behind it keeps a log. */
  get nobodyKeepsLog(): boolean {
    return this.#ends.every(({ logs }) => logs.size === 1 && logs.has(NO_LOG))
  }

  fresh(id: string): boolean {
    if (this.#ids.has(id)) return false
    this.#ids.add(id)
    if (this.#ids.size <= MAX_IDS) return true
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest)
      break
    }
    return true
  }

  tellOwn({ event, headerText, dataText, persisted }: Entry): void {
    this.fresh(event.id)
    const ofDevice = event.scope === 'device'
    this.#tell({ headerText, dataText, kind: persisted ? DEVICE : CAST, ofDevice, from: undefined })
  }

  tell({ header, dataText }: Incoming, origin: Origin, from?: Way): void {
    const headerText = JSON.stringify(header)
    const ofDevice = header.scope === 'device'
    this.#tell({ headerText, dataText, kind: origin === 'room' ? ROOM : DEVICE, ofDevice, from })
  }

  #tell(told: Told): void {
    if (this.#ends.length === 0) return
    this.#untold.push(told)
    if (this.#untold.length === 1) queueMicrotask(() => this.#flush())
  }

  /** What was told in one task goes out as few frames. */
  #flush(): void {
    const log = this.#logId
    if (log === undefined) return
    const untold = this.#untold.splice(0)
    for (const end of this.#ends) {
      const theirs = untold.filter(
        (told) => told.from !== end && (!told.ofDevice || isOurs(end, log)),
      )
      for (const part of parts(theirs)) {
        const headers = `[${part.map((told) => told.headerText).join()}]`
        const data = part.map((told) => told.dataText).join('\n')
        // Told before it is done: whoever gets it may be quicker than who tells.
        this.#taps.tap?.told(headers, data.length, 'link')
        this.#send(end, encodeEvents({ frame: 'heard', log, ...part[0]?.kind }, headers, data))
      }
    }
  }

  /** A link of a user may throw; the others hear it all the same. */
  #send(end: End, text: string): void {
    if (this.#closed) return
    try {
      end.link.send(text)
    } catch (error) {
      this.#events.report(linkFailed(error, 'a link could not send'))
    }
  }

  #receive(end: End, text: string): void {
    if (this.#closed) return
    try {
      const { frame, data } = decodePeerFrame(text)
      this.#take(end, frame as LinkFrame, data)
    } catch (error) {
      const what = 'a text of a link could not be read'
      this.#events.report(toBusError(error, 'bad_frame', what, { stage: 'links' }))
    }
  }

  #take(end: End, frame: LinkFrame, data: readonly string[]): void {
    switch (frame.frame) {
      case 'heard': {
        const room = frame.room === true || !ours(frame.log, this.#logId ?? NO_LOG)
        const guests = frame.cast === true && frame.log === NO_LOG
        this.#events.heard(frame.events, data, room ? 'room' : 'device', end, guests)
        return
      }
      case 'seek':
      case 'host':
      case 'submit':
      case 'taken':
      case 'declined':
      case 'where':
      case 'placed':
        end.logs.add(frame.log)
        this.#events.frame(frame, data, end)
        return
      case 'present':
      case 'request':
      case 'reply':
      case 'cancel':
        this.#events.frame(frame, data, end)
        return
      default:
        throw new BusError('bad_frame', 'a frame that does not belong on a link', {
          stage: 'links',
        })
    }
  }

  async close(): Promise<void> {
    this.#flush()
    this.#closed = true
    const closing = this.#ends.map(async ({ link }) => link.close())
    for (const outcome of await Promise.allSettled(closing)) {
      if (outcome.status === 'rejected')
        this.#events.report(linkFailed(outcome.reason, 'a link could not be closed'))
    }
  }
}

function linkFailed(error: unknown, what: string): BusError {
  return toBusError(error, 'unavailable', what, { stage: 'links' })
}

/** Events of scope `device` go to contexts without a log, and to those with this one. */
function isOurs({ logs }: End, logId: string): boolean {
  return logs.size > 0 && [...logs].every((log) => ours(log, logId))
}

function ours(log: string, logId: string): boolean {
  return log === logId || log === NO_LOG || logId === NO_LOG
}

/** Runs of one origin, each within the limits of a frame. */
function parts(all: readonly Told[]): Told[][] {
  const found: Told[][] = []
  let size = 0
  for (const told of all) {
    const last = found.at(-1)
    size += told.headerText.length + told.dataText.length
    if (
      last &&
      last[0]?.kind === told.kind &&
      last.length < MAX_BATCH_EVENTS &&
      size <= MAX_BATCH_BYTES
    ) {
      last.push(told)
      continue
    }
    found.push([told])
    size = told.headerText.length + told.dataText.length
  }
  return found
}
