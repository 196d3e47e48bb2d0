/**
 * Where the pipeline's batches go: to the log, to the other contexts, to this one's handlers; and
 * what their promises hear of it.
 */
import type { Batch, BatchSinks, Entry } from '../batch/batch.ts'
import type { Dispatch } from '../dispatch/dispatch.ts'
import { BusError, isBusError, toBusError } from '../errors.ts'
import { offsetOf, parseId } from '../event.ts'
import type { TapHolder } from '../inspect/tap.ts'
import type { Encoded, ExpectedInLog, Log, OwnBatch, Writer } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import type { InLog, PeerContexts, Waiters, Written } from '../sync/sync.ts'

/** What the device gives: what is open by now, and whom to tell. */
export interface HandOverOptions {
  readonly platform: Platform
  readonly taps: TapHolder
  readonly dispatcher: Dispatch
  readonly peers: PeerContexts
  readonly waiters: Waiters
  readonly hasLog: boolean
  readonly hasRelay: boolean
  readonly log: () => Log | undefined
  readonly writer: () => Writer | undefined
  /** The id of the log that is open, or was last. */
  readonly logId: () => string | undefined
  /** Resolves when the log is open; rejects with why it is not to be had. */
  readonly open: () => Promise<unknown>
  readonly linked: {
    /** Whether another context keeps what this one persists. */
    readonly isGuest: boolean
    submit(entries: readonly Entry[]): Promise<number | undefined>
    /** Finds out in a while where the room has what this context waits for. */
    inquire(): void
    told(entries: readonly Entry[]): void
  }
  /** Whether unpersisted events get to the room from here: making texts of them costs much. */
  readonly casts: () => boolean
  readonly cast: (headers: string, data: readonly string[]) => void
  /** Own events are in the log, as record `batch`. */
  readonly logged: (batch: number, entries: readonly Entry[]) => void
  /** An own batch is in the log. */
  readonly grew: (
    batch: number,
    roomEvents: number,
    bytes: number,
    prefix: string,
    written: Written,
  ) => void
  readonly written: () => void
  readonly failed: (error: BusError) => void
  readonly settleHandled: (batch: Batch) => void
  /** The events with what they expect of their streams, as the room is told. */
  readonly withExpected: (log: Log, entries: readonly Entry[]) => Promise<readonly Encoded[]>
  readonly report: (error: BusError) => void
}

/** How long a context without a relay waits before it tells where its batches stand. */
const TELL_AFTER_MS = 20

/** A batch on its way into the log. */
interface Writing {
  log: Log
  record: OwnBatch
  /** Whether the others were told of it. */
  posted: boolean
  tries: number
}

export class HandOver implements BatchSinks {
  /** Set by the device: before the log is open, batches are held, or pass without a commit. */
  gate: 'held' | 'late' | 'open' = 'held'
  readonly #options: HandOverOptions
  /** Batches between `commit` and `committed`. */
  readonly #writing = new Map<Batch, Writing>()
  readonly #untold: InLog[] = []
  #cancelTell: (() => void) | undefined
  /** The last batch that waits for the log. */
  #line: Promise<void> | undefined
  /** Batches that have a place in that line: who has one must not wait behind itself. */
  readonly #lined = new Set<Batch>()
  /** Logs that were cleared while this context had them. */
  #cleared = 0

  constructor(options: HandOverOptions) {
    this.#options = options
  }

  commit(batch: Batch): Promise<number | undefined> | undefined {
    const { linked } = this.#options
    if (batch.persisted.length > 0 && linked.isGuest) {
      if (batch.judged) return Promise.reject(nothingToExpect())
      this.#post(batch, undefined)
      return linked.submit(batch.persisted)
    }
    if (!this.#options.hasLog || batch.persisted.length === 0) {
      this.#post(batch, undefined)
      return undefined
    }
    const { writer } = this.#options
    if (this.gate === 'open' && !this.#line && writer() && !batch.judged) return this.#write(batch)
    this.#lined.add(batch)
    return this.#inLine(() => this.#begin(batch))
  }

  #begin(batch: Batch): Promise<number | undefined> {
    return batch.judged ? this.#judge(batch) : this.#write(batch)
  }

  /** Without a relay the log decides; with one it is found out what the room is to decide on. */
  async #judge(batch: Batch): Promise<number | undefined> {
    const { hasRelay, linked, log, logId, withExpected } = this.#options
    if (linked.isGuest) throw nothingToExpect()
    const [opened, id] = [log(), logId()]
    if (!opened) throw lostAgain()
    if (!hasRelay) return this.#write(batch, batch.persisted, expectedInLog(batch.persisted))
    const entries = await withExpected(opened, batch.persisted)
    if (logId() !== id) throw clearedBefore()
    return this.#write(batch, entries)
  }

  /** Waits for the log, one batch behind the other: a log that is late or gone changes no order. */
  #inLine(write: () => Promise<number | undefined>): Promise<number | undefined> {
    const written = this.#whenOpen(write, this.#line)
    const line = written.then(ignore, ignore)
    this.#line = line
    void line.then(() => {
      if (this.#line === line) this.#line = undefined
    })
    return written
  }

  #whenOpen(
    write: () => Promise<number | undefined>,
    before: Promise<void> = Promise.resolve(),
  ): Promise<number | undefined> {
    const { open, writer } = this.#options
    const cleared = this.#cleared
    // All that wait for the same opening hear the same of it.
    const opened = open()
    opened.catch(ignore)
    return before
      .then(() => opened)
      .then(() => writer() ?? open())
      .then(() => {
        if (cleared !== this.#cleared) throw clearedBefore()
        return write()
      })
  }

  #write(
    batch: Batch,
    entries: readonly Encoded[] = batch.persisted,
    expected?: readonly ExpectedInLog[],
  ): Promise<number | undefined> {
    const { linked, log: opened, writer: current, logId } = this.#options
    const [log, writer, id] = [opened(), current(), logId()]
    if (!log || !writer) {
      return linked.isGuest ? linked.submit(batch.persisted) : Promise.reject(lostAgain())
    }
    try {
      const record = writer.record(entries)
      const writing = this.#writing.get(batch) ?? { log, record, posted: false, tries: 0 }
      this.#writing.set(batch, writing)
      writing.log = log
      writing.record = record
      writing.tries += 1
      const begun = (): void => {
        if (!writing.posted) this.#post(batch, writing.record)
        writing.posted = true
      }
      const counted = (counts: ReadonlyMap<string, number>): OwnBatch => {
        writing.record = writer.record(withRevisions(batch.persisted, counts))
        return writing.record
      }
      const written = expected
        ? writer.writeExpected(expected, counted, begun)
        : writer.write(record, begun)
      return written.catch((error: unknown) => {
        const unseen = isBusError(error, 'log_lost') || isBusError(error, 'closed')
        if (!unseen || writing.tries > 1) throw error
        const again = (): Promise<number | undefined> => this.#writeAgain(batch, record, id)
        return this.#lined.has(batch) ? this.#whenOpen(again) : this.#inLine(again)
      })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Once more, in the log opened anew, unless the lost connection committed it after all. */
  async #writeAgain(
    batch: Batch,
    record: OwnBatch,
    id: string | undefined,
  ): Promise<number | undefined> {
    const { log, logId } = this.#options
    if (logId() !== id) throw clearedBefore()
    const found = await log()?.find(record.lastId)
    return found ? found.batch.batch : this.#begin(batch)
  }

  #post(batch: Batch, record: OwnBatch | undefined): void {
    this.#options.peers.post(batch, record, record && this.#takeUntold())
    if (batch.casts.length === 0) return
    this.#options.linked.told(batch.casts)
    if (!this.#options.casts()) return
    const casts = batch.casts.filter((entry) => entry.event.scope === 'room')
    if (casts.length === 0) return
    this.#options.cast(
      `[${casts.map((entry) => entry.headerText).join()}]`,
      casts.map((entry) => entry.dataText),
    )
  }

  deliver(batch: Batch): void {
    const { dispatcher } = this.#options
    for (const entry of batch.entries) dispatcher.own(entry.event, entry.ticket)
  }

  committed(batch: Batch, number: number | undefined): void {
    const { hasRelay, waiters, settleHandled, grew, logged, written, linked } = this.#options
    const writing = this.#writing.get(batch)
    this.#writing.delete(batch)
    this.#lined.delete(batch)
    if (number) {
      for (let i = 0; i < batch.persisted.length; i++) {
        ;(batch.persisted[i] as Entry).event.offset = offsetOf(number, i)
      }
      this.#options.taps.tap?.committed(batch, number)
    }
    if (number !== undefined && writing) logged(number, batch.persisted)
    let waiting = false
    for (const { ticket } of batch.entries) {
      const { named, until } = ticket
      if (number === 0 && named && until === 'logged') ticket.reject(unloggedError())
      // What a host has in its log without a record of it was removed, as the room has it, or had.
      const removed = number === undefined && until === 'relayed'
      if (until === 'logged' || until === 'accepted' || removed) ticket.resolve()
      else waiting = true
    }
    if (waiting) settleHandled(batch)
    if (!number) return
    if (hasRelay && waiters.add(number, batch.persisted)) {
      if (linked.isGuest) linked.inquire()
      else void this.#lookUp(number)
    }
    // Of what another context keeps, that one tells.
    if (!writing) return
    const { record } = writing
    this.#options.peers.wrote(number)
    linked.told(batch.persisted)
    const [prefix, last] = parseId(record.lastId)
    const first = parseId(batch.persisted[0]?.event.id ?? '')[1]
    const { roomEvents, time, headers, data } = record
    const bytes = headers.length + data.length
    this.#tell({ first, last, batch: number, time, roomEvents, bytes })
    grew(number, roomEvents, bytes, prefix, writing)
    written()
  }

  failed(batch: Batch, error: unknown): void {
    const reason = toBusError(error, 'log_failed', 'the batch could not be written', {
      stage: 'log',
    })
    const refused = reason.code === 'conflict'
    this.#options.taps.tap?.withdrawn(batch, reason)
    // What is refused was posted nowhere, unless a write of it was cut off before.
    if (!refused || this.#writing.get(batch)?.posted)
      this.#options.peers.postWithdrawn(batch, reason)
    this.#writing.delete(batch)
    this.#lined.delete(batch)
    // Nothing is wrong with the log then.
    if (!refused) this.#options.failed(reason)
    // A `publishBatch` has one ticket, which fails with any of its events.
    const lost = new Set(batch.persisted.map((entry) => entry.ticket))
    for (const ticket of lost) {
      if (ticket.until === 'accepted') this.#options.report(reason)
      else ticket.reject(reason)
    }
    for (const { ticket } of batch.entries) {
      if (!lost.has(ticket) && !ticket.handled) ticket.resolve()
    }
    this.#options.settleHandled(batch)
  }

  /**
   * Tells the others where the batch stands: at once where a leader waits to send it on, else a
   * little later, out of the way of the events themselves: with what is posted next, if that is soon.
   */
  #tell(inLog: InLog): void {
    this.#untold.push(inLog)
    if (this.#options.hasRelay) this.tellNow()
    else this.#cancelTell ??= this.#options.platform.timer(TELL_AFTER_MS, () => this.tellNow())
  }

  /** Tells what is not told yet: before the link is closed, nothing waits any more. */
  tellNow(): void {
    for (const inLog of this.#takeUntold()) this.#options.peers.postCommitted(inLog)
  }

  #takeUntold(): InLog[] {
    this.#cancelTell?.()
    this.#cancelTell = undefined
    return this.#untold.splice(0)
  }

  /** Every own batch up to this one is confirmed: at the position the log knows, or at none. */
  confirmThrough(batch: number): void {
    const { linked, log, waiters } = this.#options
    const waiting = waiters.batches().filter((one) => one <= batch)
    if (waiting.length > 0 && linked.isGuest) return
    if (waiting.length === 0 || !log()) {
      waiters.confirmThrough(batch)
      return
    }
    void Promise.all(waiting.map((one) => this.#lookUp(one))).then(() =>
      waiters.confirmThrough(batch),
    )
  }

  /** The log was cleared: what waits for it must not go into the next one. */
  cleared(): void {
    this.#cleared += 1
    this.#untold.length = 0
  }

  /** Looks up all that wait: whoever was to tell them may be gone. */
  lookUpAll(): void {
    for (const batch of this.#options.waiters.batches()) void this.#lookUp(batch)
  }

  /** The confirmation may have been committed before this context heard of its own commit. */
  async #lookUp(batch: number): Promise<void> {
    const { log, waiters, report } = this.#options
    try {
      const found = await log()?.placement(batch)
      for (const part of found?.parts ?? []) {
        waiters.confirm({ batch, ...part, refused: part.refused ?? [], whole: false })
      }
    } catch (error) {
      const what = 'a confirmation could not be looked up'
      report(toBusError(error, 'log_failed', what, { stage: 'sync' }))
    }
  }
}

/** What the events of a batch expect of their streams, in order. */
function expectedInLog(entries: readonly Entry[]): ExpectedInLog[] {
  const before = new Map<string, number>()
  return entries.flatMap(({ event: { stream }, expected }) => {
    if (stream === undefined) return []
    const events = before.get(stream) ?? 0
    before.set(stream, events + 1)
    return expected === undefined ? [] : [{ stream, before: events, expected }]
  })
}

/** Gives events their revisions, as far as those before them are known; their headers with them. */
function withRevisions(entries: readonly Entry[], counts: ReadonlyMap<string, number>): Encoded[] {
  const next = new Map(counts)
  return entries.map((entry) => {
    const { event, headerText } = entry
    const before = event.stream === undefined ? undefined : next.get(event.stream)
    if (before === undefined) return entry
    event.revision = before + 1
    next.set(event.stream as string, before + 1)
    return { ...entry, headerText: `${headerText.slice(0, -1)},"revision":${before + 1}}` }
  })
}

function nothingToExpect(): BusError {
  const what = 'a context that has no log of its own cannot expect a revision'
  return new BusError('unreachable', what, { stage: 'log' })
}

function ignore(): void {}

function clearedBefore(): BusError {
  return new BusError('log_cleared', 'the log was cleared before the batch was in it', {
    stage: 'log',
  })
}

function unloggedError(): BusError {
  return new BusError('unreachable', "publish cannot reach 'logged': nobody keeps a log", {
    stage: 'log',
  })
}

function lostAgain(): BusError {
  return new BusError('log_lost', 'the log was lost again before the batch was in it', {
    stage: 'log',
  })
}
