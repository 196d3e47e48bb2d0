/**
 * How the records of one peer get to its inspectors: kept in a ring, sent as far as each inspector
 * granted, told as dropped where the ring went over them. In come records as text and frames of
 * inspectors, out go frames. It knows nothing of buses: a relay's tap is built on it, too.
 */
import type { Ask, AttachFrame, HelloFrame, InspectorFrame, PeerId } from './frames.ts'
import { INSPECT_VERSION } from './frames.ts'

/** A session without a sign of life ends after this. */
const SILENT_MS = 60_000
const FLUSH_MS = 50
const FLUSH_RECORDS = 500
/** Characters of records in one frame, unless one alone has more. */
const FRAME_LENGTH = 128 * 1024
const MAX_SESSIONS = 16
const MAX_CREDIT = 10_000

export interface OutletOptions {
  readonly peer: PeerId
  readonly library: string
  readonly clock: { monotonic(): number; timer(ms: number, run: () => void): () => void }
  /** Posts a frame where all inspectors hear it. */
  readonly post: (text: string) => void
  readonly hello: () => Omit<
    HelloFrame,
    'inspect' | 'frame' | 'peer' | 'library' | 'next' | 'oldest'
  >
  /** The first inspector attached, or the last one went. */
  readonly active: (active: boolean) => void
  /** Records that are still gathered are to be added now. */
  readonly settle: () => void
  /** Answers a question; `more` gives parts of the answer before the last. What it throws is told. */
  readonly answer: (ask: Ask, session: string, more: (part: unknown) => void) => Promise<unknown>
  /** An inspector went. */
  readonly left?: (session: string) => void
  /** Kept at most. @default 20,000 events, 8 MiB */
  /** Number of the first record: what is before it was none of this outlet's. @default 1 */
  readonly first?: number | undefined
  readonly ring?:
    | { readonly events?: number | undefined; readonly bytes?: number | undefined }
    | undefined
}

/** A record in the ring. */
interface Kept<Source> {
  readonly text: string
  readonly events: number
  readonly bytes: number
  /** What it was made of, for those who ask for more of it. */
  readonly source: Source | undefined
}

interface Session {
  credit: number
  /** Number of the next record it gets. */
  next: number
  heard: number
}

export class Outlet<Source = never> {
  readonly #options: OutletOptions
  readonly #sessions = new Map<string, Session>()
  readonly #maxEvents: number
  readonly #maxBytes: number
  /** Those before `head` are gone. */
  #ring: Kept<Source>[] = []
  #head = 0
  #events = 0
  #bytes = 0
  readonly #first: number
  /** Number of the next record. */
  #next: number
  #unsent = 0
  #active = false
  #cancelFlush: (() => void) | undefined
  #cancelWatch: (() => void) | undefined
  /** Until then it is kept active for an inspector that is about to come. */
  #expected = 0

  constructor(options: OutletOptions) {
    this.#options = options
    this.#next = this.#first = options.first ?? 1
    this.#maxEvents = options.ring?.events ?? 20_000
    this.#maxBytes = options.ring?.bytes ?? 8 * 1024 * 1024
  }

  get active(): boolean {
    return this.#active
  }

  get #oldest(): number {
    return this.#next - (this.#ring.length - this.#head)
  }

  /** What the records in the ring were made of, the newest first. */
  *sources(): Generator<Source, void, void> {
    for (let i = this.#ring.length - 1; i >= this.#head; i--) {
      const source = this.#ring[i]?.source
      if (source !== undefined) yield source
    }
  }

  /** Begins to record for an inspector that is about to attach. */
  expect(): void {
    this.#expected = this.#options.clock.monotonic() + SILENT_MS
    this.#activate()
  }

  /** Adds a record: JSON text, about so many events. `bytes` is what `source` holds on to. */
  add(text: string, events = 1, source?: Source, bytes = 0): void {
    if (!this.#active) return
    const kept = { text, events, bytes: bytes + text.length, source }
    this.#ring.push(kept)
    this.#next += 1
    this.#unsent += 1
    this.#events += events
    this.#bytes += kept.bytes
    while (this.#events > this.#maxEvents || this.#bytes > this.#maxBytes) this.#forgetOldest()
    if (this.#unsent >= FLUSH_RECORDS) this.flush()
    else this.wake()
  }

  /** Something is to be sent soon. */
  wake(): void {
    if (!this.#active) return
    this.#cancelFlush ??= this.#options.clock.timer(FLUSH_MS, () => this.flush())
  }

  #forgetOldest(): void {
    const oldest = this.#ring[this.#head] as Kept<Source>
    this.#events -= oldest.events
    this.#bytes -= oldest.bytes
    this.#head += 1
    // Each element is moved once on average.
    if (this.#head * 2 < this.#ring.length) return
    this.#ring = this.#ring.slice(this.#head)
    this.#head = 0
  }

  /** Sends what there is, as far as it was granted. */
  flush(): void {
    this.#options.settle()
    this.#send()
  }

  #send(): void {
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
    this.#unsent = 0
    for (const session of this.#sessions.values()) this.#sendTo(session)
  }

  #sendTo(session: Session): void {
    while (session.credit > 0 && session.next < this.#next) {
      const asked = session.next
      const first = Math.max(asked, this.#oldest)
      const texts: string[] = []
      let length = 0
      for (let i = this.#head + first - this.#oldest; i < this.#ring.length; i++) {
        const { text } = this.#ring[i] as Kept<Source>
        length += text.length
        if (texts.length === FLUSH_RECORDS || (texts.length > 0 && length > FRAME_LENGTH)) break
        texts.push(text)
      }
      const next = first + texts.length
      // All inspectors hear it: those that stand there too need not be told again.
      for (const other of this.#sessions.values()) {
        const hears = other.next === asked || (other.next >= first && other.next < next)
        if (!hears || other.credit === 0) continue
        other.credit -= 1
        other.next = next
      }
      const dropped =
        first === asked
          ? ''
          : `,"dropped":{"count":${first - asked},"from":${asked},"to":${first - 1}}`
      this.#post(`"batch",${this.#name},"first":${first}${dropped},"records":[${texts.join()}]`)
    }
  }

  get #name(): string {
    return `"peer":${JSON.stringify(this.#options.peer)}`
  }

  #post(rest: string): void {
    this.#options.post(`{"inspect":${INSPECT_VERSION},"frame":${rest}}`)
  }

  /** A frame of an inspector, checked, and for this peer. */
  receive(frame: InspectorFrame): void {
    const session = this.#sessions.get(frame.session)
    if (session) session.heard = this.#options.clock.monotonic()
    switch (frame.frame) {
      case 'attach':
        this.#attach(frame)
        return
      case 'grant':
        if (session) {
          session.credit = Math.min(MAX_CREDIT, session.credit + frame.credit)
          this.#sendTo(session)
        } else {
          // It believes to be attached: a hello has it attach anew.
          this.hello()
        }
        return
      case 'detach':
        if (session) this.#end(frame.session)
        return
      case 'ask':
        void this.#answer(frame.session, frame.id, frame.ask, session !== undefined)
    }
  }

  /** The inspector is of another version. */
  mismatch(): void {
    this.#post(`"mismatch",${this.#name},"library":"${this.#options.library}"`)
  }

  #attach({ session: name, credit, resume }: AttachFrame): void {
    if (!this.#sessions.has(name) && this.#sessions.size >= MAX_SESSIONS) return
    this.#activate()
    this.#options.settle()
    const { peer, clock } = this.#options
    const next = resume && Object.hasOwn(resume, peer) ? resume[peer] : undefined
    const session: Session = {
      credit: Math.min(MAX_CREDIT, credit),
      next: Math.max(this.#first, Math.min(this.#next, next ?? this.#oldest)),
      heard: clock.monotonic(),
    }
    this.#sessions.set(name, session)
    this.hello()
    this.#sendTo(session)
  }

  hello(): void {
    const { peer, library, hello } = this.#options
    const frame = { peer, library, ...hello(), next: this.#next, oldest: this.#oldest }
    this.#post(`"hello",${JSON.stringify(frame).slice(1, -1)}`)
  }

  async #answer(session: string, id: number, ask: Ask, attached: boolean): Promise<void> {
    const reply = (rest: object): void => {
      this.#post(
        `"answer",${JSON.stringify({ peer: this.#options.peer, session, id, ...rest }).slice(1, -1)}`,
      )
    }
    try {
      if (!attached) throw new AskError('not_attached', 'attach first')
      const more = (result: unknown): void => reply({ more: true, result })
      reply({ result: await this.#options.answer(ask, session, more) })
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: unknown }
      reply({ error: { code: String(code ?? 'failed'), message: String(message) } })
    }
  }

  /** Whether a session is still there. */
  has(session: string): boolean {
    return this.#sessions.has(session)
  }

  #activate(): void {
    this.#watch()
    if (this.#active) return
    this.#active = true
    this.#options.active(true)
  }

  /** Ends sessions that are silent. */
  #watch(): void {
    const { clock } = this.#options
    this.#cancelWatch ??= clock.timer(SILENT_MS / 4, () => {
      this.#cancelWatch = undefined
      const silent = clock.monotonic() - SILENT_MS
      for (const [name, { heard }] of this.#sessions) if (heard <= silent) this.#end(name)
      this.#rest()
      if (this.#active) this.#watch()
    })
  }

  #end(session: string): void {
    const ended = this.#sessions.get(session)
    // It may end while it is being sent to.
    if (ended) ended.credit = 0
    this.#sessions.delete(session)
    this.#options.left?.(session)
    this.#rest()
  }

  /** Nobody is there: forgets everything. */
  #rest(): void {
    const waits = this.#expected > this.#options.clock.monotonic()
    if (this.#sessions.size === 0 && this.#active && !waits) this.#idle()
  }

  #idle(): void {
    this.#active = false
    this.#options.active(false)
    this.#ring = []
    this.#head = this.#events = this.#bytes = this.#unsent = 0
    // Whoever comes back is told that something is missing, though nobody knows how much.
    this.#next += 1
    for (const cancel of [this.#cancelFlush, this.#cancelWatch]) cancel?.()
    this.#cancelFlush = this.#cancelWatch = undefined
  }

  /** The page is put away, and may come back. */
  bye(reason: 'closed' | 'pagehide'): void {
    if (this.#active) this.flush()
    this.#post(`"bye",${this.#name},"reason":"${reason}"`)
  }

  /** The peer is closed. */
  close(): void {
    this.bye('closed')
    for (const name of [...this.#sessions.keys()]) this.#end(name)
    if (this.#active) this.#idle()
  }
}

/** Why a question is not answered. */
export class AskError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
