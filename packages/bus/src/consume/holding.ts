/**
 * A durable consumer while this context has its turn: reads the log, gives events to the handler,
 * and writes how far it is. What is read is claimed with the same write that says what was settled.
 *
 *   log ──feed──► cursor ──claimed, due, in turn──► call ──settled──► cursor ──write──► log
 */
import type { Delivery, Origin } from '../dispatch/dispatch.ts'
import { BusError, type BusErrorCode, isBusError, toBusError } from '../errors.ts'
import { offsetOf, parseId, slotOf } from '../event.ts'
import type { DeadText } from '../log/consumers.ts'
import type { Log } from '../log/log.ts'
import { Call } from './call.ts'
import type { Ending, LetterText, Logged, Turn, TurnOptions } from './consume.ts'
import { Cursor, type Entry, type Kept, keptAt } from './cursor.ts'
import { type CursorStore, LogCursor } from './log-cursor.ts'
import { Redrive } from './redrive.ts'
import { ackWaitOf, type Outcome, verdictOf } from './settlement.ts'
import { FENCED, TransactCursor } from './transact.ts'
import type { DeadReason, Settle } from './types.ts'

/** What was settled is written at the latest so long after it. */
const WRITE_MS = 10
/** Before a write that failed is tried again. */
const AGAIN_MS = 1_000
/** How long calls that run may take to end. */
const GRACE_MS = 4_000
/** Records without a matching event that are passed over before that is written. */
const PASSED = 64

const GONE: ReadonlySet<BusErrorCode> = new Set(['log_cleared', 'log_lost', 'closed'])

export class Holding implements Turn {
  readonly #options: TurnOptions
  readonly #log: Log
  readonly #store: CursorStore
  /** The same, where the handler writes in its transaction. */
  readonly #transact: TransactCursor | undefined
  /** With `transact`, a cursor is written by one at a time: else one would take back what another said. */
  #turn: Promise<void> = Promise.resolve()
  #cursor: Cursor<Logged> | undefined
  readonly #calls = new Set<Call>()
  /** Calls that count as running. */
  #running = 0
  #letters: DeadText[] = []
  readonly #redrive: Redrive
  #ending: Ending | undefined
  readonly #ended: PromiseWithResolvers<Ending> = Promise.withResolvers()
  #idle: (() => void) | undefined
  #reading = false
  /** It ends when all before an event that it cannot read is settled. */
  #stops = false
  #again = true
  #room: PromiseWithResolvers<void> | undefined
  #pumping = false
  #changed = false
  #wanted = 0
  #writing: Promise<void> | undefined
  #wroteAt = 0
  #wroteNext = 0
  #cancelWrite: (() => void) | undefined
  #cancelDue: (() => void) | undefined
  /** The newest record that is known. */
  #head = 0

  constructor(options: TurnOptions, log: Log) {
    this.#options = options
    this.#log = log
    const { name, platform, settling, transactions } = options
    this.#transact = transactions && new TransactCursor(log, name, transactions)
    this.#store = this.#transact ?? new LogCursor(log, name)
    this.#redrive = new Redrive({
      name,
      log,
      rules: settling,
      now: () => platform.now(),
      timer: (ms, run) => platform.timer(ms, run),
      call: (letter, attempt) => this.#callAgain(letter, attempt),
      over: () => this.#ending !== undefined,
      report: (error) => this.#failed(error),
    })
  }

  /** Consumes until the signal ends it, or something else does. */
  async run(signal: AbortSignal): Promise<Ending> {
    const stop = (): void => this.#end('released')
    signal.addEventListener('abort', stop, { once: true })
    try {
      if (signal.aborted) return 'released'
      await this.#take()
      void this.#read()
      this.#redrive.wake()
      const ending = await this.#ended.promise
      if (ending === 'released' || ending === 'needs_upgrade') await this.#finish()
      return ending
    } catch (error) {
      this.#failed(error)
      return this.#ended.promise
    } finally {
      signal.removeEventListener('abort', stop)
      this.#abandon()
    }
  }

  async #take(): Promise<void> {
    const { settling, firstPlace, from } = this.#options
    const taken = await this.#store.take(async () =>
      keptAt(await firstPlace(this.#log, from, this.#feedOptions)),
    )
    const { head, first } = await this.#log.state(false)
    const kept = within(taken, offsetOf(head.batch + 1, 0))
    this.#head = head.batch
    this.#cursor = new Cursor<Logged>(settling, kept)
    this.#wroteNext = kept.next
    if (first > slotOf(kept.floor).batch) this.#overtaken(kept.floor, offsetOf(first, 0) - 1)
  }

  get #feedOptions() {
    const { confirmed, given, hasRelay, report } = this.#options
    return {
      confirmed,
      hasRelay,
      report,
      wanted: ({ type }: { type: string }) => given.matches(type),
    }
  }

  /** Whether it got as far as to know where it stands. */
  get began(): boolean {
    return this.#cursor !== undefined
  }

  /** How it stands. */
  get counts(): { floor: number; pending: number; lag: number; redelivered: number; dead: number } {
    const cursor = this.#cursor
    if (!cursor) return { floor: 0, pending: 0, lag: 0, redelivered: 0, dead: 0 }
    const { floor, pending, redelivered, dead, next } = cursor
    const unread = Math.max(0, this.#head + 1 - slotOf(next).batch)
    return { floor, pending, lag: pending + unread, redelivered, dead }
  }

  /** The log has more, up to record number `head` if that is known. */
  wake(head?: number): void {
    this.#head = Math.max(this.#head, head ?? 0)
    this.#again = true
    if (this.#cursor) void this.#read()
  }

  /** Dead letters are to be given again. */
  redriven(): void {
    if (this.#cursor) this.#redrive.wake()
  }

  async #read(): Promise<void> {
    if (this.#reading || this.#stops) return
    this.#reading = true
    try {
      while (this.#again && !this.#ending) {
        this.#again = false
        await this.#readOn(this.#cursor as Cursor<Logged>)
      }
    } catch (error) {
      this.#failed(error)
    }
    this.#reading = false
  }

  async #readOn(cursor: Cursor<Logged>): Promise<void> {
    const { confirmed, feed, isNewer } = this.#options
    for await (const portion of feed(this.#log, cursor.next, this.#feedOptions)) {
      const { batch, events, next } = portion
      this.#head = Math.max(this.#head, batch)
      const expected = slotOf(cursor.next).batch
      if (!confirmed && batch > expected) this.#overtaken(cursor.next, offsetOf(batch, 0) - 1)
      for (const { at, event } of events) {
        if (!cursor.hasRoom) await this.#hasRoom(cursor)
        if (this.#ending) return
        if (isNewer?.(event.header)) return this.#needsUpgrade(event)
        this.#takeEvent(cursor, at, event)
      }
      cursor.passed(next)
      if (next - this.#wroteNext > offsetOf(PASSED, 0)) this.#changed = true
      this.#touch()
      if (this.#ending) return
    }
  }

  async #hasRoom(cursor: Cursor<Logged>): Promise<void> {
    this.#touch()
    while (!cursor.hasRoom && !this.#ending) {
      this.#room ??= Promise.withResolvers()
      await this.#room.promise
    }
  }

  #makeRoom(): void {
    const room = this.#room
    this.#room = undefined
    room?.resolve()
  }

  #takeEvent(cursor: Cursor<Logged>, at: number, event: Logged): void {
    const { filtered } = this.#options
    if (filtered && !this.#wants(event)) cursor.passed(at + 1)
    else if (cursor.take(at, event.header.stream, event)) this.#changed = true
  }

  #wants(event: Logged): boolean {
    const { decode, given } = this.#options
    const opened = decode(event)
    try {
      return opened === undefined || given.wants(opened)
    } catch {
      // Said when it is given.
      return true
    }
  }

  #needsUpgrade({ header }: Logged): void {
    const { type, id, version = 1 } = header
    const what = `durable consumer ${this.#options.name} stops before version ${version} of ${type}`
    this.#options.report(
      new BusError('needs_upgrade', what, {
        stage: 'consume',
        eventId: id,
        eventType: type,
        eventVersion: version,
      }),
    )
    this.#stops = true
    this.#again = false
    this.#touch()
  }

  #overtaken(from: number, through: number): void {
    const what = `retention removed offsets ${from} to ${through} before durable consumer ${this.#options.name} had them`
    this.#options.report(new BusError('overtaken', what, { stage: 'consume' }))
  }

  /** Starts what can start, and sees to it that what is new is written. */
  #touch(): void {
    this.#pump()
    if (this.#stops && this.#cursor?.pending === 0) this.#end('needs_upgrade')
    if (!this.#changed || this.#ending) return
    const { platform, settling } = this.#options
    const starved = this.#running < settling.concurrency
    const left = this.#wroteAt + WRITE_MS - platform.monotonic()
    if (starved || left <= 0) void this.#write()
    else this.#cancelWrite ??= platform.timer(left, () => void this.#write())
  }

  #pump(): void {
    const cursor = this.#cursor
    if (!cursor || this.#pumping || this.#ending) return
    this.#pumping = true
    const now = this.#options.platform.now()
    for (;;) {
      const entry = cursor.startable(now, this.#running)
      if (!entry) break
      this.#start(cursor, entry)
    }
    this.#pumping = false
    this.#cancelDue?.()
    const due = cursor.nextDue(now)
    this.#cancelDue =
      due === undefined
        ? undefined
        : this.#options.platform.timer(due - now, () => {
            this.#cancelDue = undefined
            this.#touch()
          })
  }

  #start(cursor: Cursor<Logged>, entry: Entry<Logged>): void {
    const { suspect } = entry
    if (suspect && entry.attempts >= this.#options.settling.maxDeliver) {
      this.#dead(cursor, entry, 'crashed')
      return
    }
    cursor.start(entry)
    this.#running += 1
    if (!suspect) {
      this.#call(cursor, entry)
      return
    }
    this.#changed = true
    void this.#write().then(() => {
      if (!this.#ending) this.#call(cursor, entry)
    })
  }

  #call(cursor: Cursor<Logged>, entry: Entry<Logged>): void {
    const { decode, platform } = this.#options
    const { attempts, item } = entry
    const event = decode(item)
    if (!event) {
      this.#running -= 1
      this.#dead(cursor, entry, 'unreadable')
      return
    }
    const delivery: Delivery = { event, origin: this.#originOf(item), replaying: false }
    const began = platform.monotonic()
    let freed = false
    const free = (): void => {
      if (!freed) this.#running -= 1
      freed = true
      this.#touch()
    }
    const settled = (outcome: Outcome): void => {
      this.#settled(cursor, entry, delivery, began, outcome)
      if (outcome.is === 'lapsed') free()
    }
    this.#begin(delivery, attempts, entry, settled, free)
  }

  /** Calls the handler. */
  #begin(
    delivery: Delivery,
    attempts: number,
    entry: Entry<Logged> | undefined,
    settled: (outcome: Outcome) => void,
    ended: () => void,
  ): void {
    const { given, platform, policy, settling } = this.#options
    if (attempts > 1) given.told.retried([delivery], attempts)
    const call: Call = new Call({
      platform,
      waitMs: ackWaitOf(settling, attempts),
      policy,
      run: (settle, signal) =>
        this.#transact
          ? this.#inTransaction(this.#transact, delivery, attempts, settle, signal, entry)
          : given.call(delivery, attempts, settle, signal),
      settled,
      ended: () => {
        this.#calls.delete(call)
        leave()
        ended()
        if (this.#calls.size === 0) this.#idle?.()
      },
    })
    this.#calls.add(call)
    let leave = (): void => {}
    if (!this.#transact) {
      call.begin()
      return
    }
    void this.#exclusive().then((free) => {
      leave = free
      // Acknowledged late meanwhile, or for another context to handle.
      const over = entry?.state === 'settled' || this.#ending !== undefined
      if (over) call.skip()
      else call.begin()
    })
  }

  /** Calls the handler in a transaction, which says that the event is settled. */
  async #inTransaction(
    transact: TransactCursor,
    delivery: Delivery,
    attempts: number,
    settle: Settle,
    signal: () => AbortSignal,
    entry: Entry<Logged> | undefined,
  ): Promise<void> {
    const cursor = this.#cursor as Cursor<Logged>
    let acked = false
    let said: (() => void) | undefined
    const first = (say: () => void): void => {
      if (!acked) said ??= say
    }
    const inside: Settle = {
      ack: () => (acked ||= said === undefined),
      nak: (delayMs) => first(() => settle.nak(delayMs)),
      term: (reason) => first(() => settle.term(reason)),
      inProgress: () => settle.inProgress(),
    }
    try {
      const committed = await transact.handle(async (tx) => {
        await this.#options.given.call(delivery, attempts, { ...inside, tx }, signal)
        return said ? undefined : cursor.keep(false, entry)
      }, signal())
      if (committed) return
      if (!said) throw new BusError('aborted', 'it was rolled back', { stage: 'consume' })
      said()
    } catch (error) {
      if (error !== FENCED) throw error
      this.#end('fenced')
    }
  }

  /** Waits for whoever writes the cursor; the returned function lets the next one. */
  #exclusive(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const before = this.#turn
    this.#turn = promise
    return before.then(() => resolve)
  }

  /** Gives a dead letter to the handler; how that ended. */
  #callAgain({ event: item }: LetterText, attempt: number): Promise<Outcome> {
    const { decode, given, platform } = this.#options
    const event = decode(item)
    return new Promise((resolve) => {
      if (!event) return resolve({ is: 'term', reason: 'it cannot be read' })
      const delivery: Delivery = { event, origin: this.#originOf(item), replaying: false }
      const began = platform.monotonic()
      const settled = (outcome: Outcome): void => {
        if (outcome.is === 'ack') given.told.handled([delivery], platform.monotonic() - began)
        else given.told.failed([delivery])
        resolve(outcome)
      }
      this.#begin(delivery, attempt, undefined, settled, () => {})
    })
  }

  #originOf({ header, fromRoom }: Logged): Origin {
    if (fromRoom) return 'room'
    return parseId(header.id)[0] === this.#options.prefix ? 'self' : 'device'
  }

  #settled(
    cursor: Cursor<Logged>,
    entry: Entry<Logged>,
    delivery: Delivery,
    began: number,
    outcome: Outcome,
  ): void {
    if (entry.state === 'settled') return
    const { given, platform, settling } = this.#options
    const ms = platform.monotonic() - began
    const now = platform.now()
    this.#changed = true
    if (this.#ending && outcome.is === 'threw') {
      // It was asked to end.
      cursor.again(entry, now, false)
      return
    }
    const verdict = verdictOf(settling, entry.attempts, outcome)
    if (verdict.next === 'done') {
      given.told.handled([delivery], ms)
      cursor.settle(entry)
    } else if (verdict.next === 'again') {
      given.told.failed([delivery])
      cursor.again(entry, now + verdict.delayMs, verdict.counts)
    } else {
      given.told.failed([delivery])
      given.told.gaveUp([delivery], reasonOf(outcome), ms)
      this.#dead(cursor, entry, verdict.reason, verdict.detail)
    }
    this.#makeRoom()
  }

  #dead(
    cursor: Cursor<Logged>,
    entry: Entry<Logged>,
    reason: DeadReason,
    detail?: string | undefined,
  ): void {
    const { attempts, item: event } = entry
    const time = this.#options.platform.now()
    const letter: LetterText = { reason, detail, attempts, time, event }
    this.#letters.push({ consumer: this.#options.name, text: JSON.stringify(letter) })
    cursor.dead += 1
    cursor.settle(entry)
    this.#changed = true
    this.#makeRoom()
  }

  /** Writes what there is; resolves when it is written. */
  #write(): Promise<void> {
    this.#wanted += 1
    this.#cancelWrite?.()
    this.#cancelWrite = undefined
    this.#writing ??= this.#writeAll()
    return this.#writing
  }

  async #writeAll(): Promise<void> {
    // What happens in this task is in one write.
    await undefined
    while (this.#wanted > 0 && !GONE_ENDINGS.has(this.#ending)) await this.#writeOnce()
    // In the task in which nothing more was wanted: what is wanted next begins anew.
    this.#writing = undefined
  }

  /** Does not reject. */
  async #writeOnce(): Promise<void> {
    const cursor = this.#cursor as Cursor<Logged>
    const { platform, report } = this.#options
    this.#wanted = 0
    this.#changed = false
    const leave = this.#transact ? await this.#exclusive() : undefined
    const dead = this.#letters.splice(0)
    const kept = cursor.keep(this.#ending !== undefined && this.#calls.size === 0)
    try {
      const dropped = await this.#store.write(kept, dead)
      leave?.()
      if (dropped === undefined) return this.#end('fenced')
      if (dropped > 0) report(tooManyDead(dropped))
      this.#wroteAt = platform.monotonic()
      this.#wroteNext = kept.next
      cursor.claim(kept.next)
      this.#touch()
    } catch (error) {
      leave?.()
      this.#letters.unshift(...dead)
      this.#changed = true
      this.#failed(error)
      if (this.#ending) return
      await new Promise<void>((resolve) => platform.timer(AGAIN_MS, resolve))
      this.#wanted += 1
    }
  }

  #failed(error: unknown): void {
    const what = `durable consumer ${this.#options.name} could not read or write its log`
    const reason = toBusError(error, 'log_failed', what, { stage: 'consume' })
    if (isBusError(error) && GONE.has(error.code)) {
      this.#end('lost')
      return
    }
    this.#options.report(reason)
    // Without a cursor there is nothing to go on with.
    if (!this.#cursor) this.#end('lost')
  }

  #end(ending: Ending): void {
    if (this.#ending && !GONE_ENDINGS.has(ending)) return
    this.#ending = ending
    this.#ended.resolve(ending)
    this.#makeRoom()
    if (GONE_ENDINGS.has(ending)) this.#idle?.()
  }

  /** Lets what runs end, and writes what came of it. */
  async #finish(): Promise<void> {
    const { platform } = this.#options
    for (const call of this.#calls) call.stop(ended())
    let cancel = (): void => {}
    await new Promise<void>((resolve) => {
      this.#idle = resolve
      cancel = platform.timer(GRACE_MS, resolve)
      if (this.#calls.size === 0) resolve()
    })
    cancel()
    if (this.#cursor && !GONE_ENDINGS.has(this.#ending)) await this.#write()
  }

  #abandon(): void {
    this.#cancelDue?.()
    this.#cancelWrite?.()
    this.#redrive.end()
    for (const call of this.#calls) call.abandon(ended())
    this.#calls.clear()
  }
}

/** A database that went back in time, or one that did not with a log that did: no further than there is. */
function within(kept: Kept, end: number): Kept {
  if (kept.next <= end) return kept
  return { ...kept, floor: Math.min(kept.floor, end), next: end }
}

const GONE_ENDINGS: ReadonlySet<Ending | undefined> = new Set<Ending>(['lost', 'fenced'])

function ended(): BusError {
  return new BusError('closed', 'this context does not consume any more', { stage: 'consume' })
}

function tooManyDead(dropped: number): BusError {
  const what = `${dropped} dead letter(s), the oldest, went to make room for newer ones`
  return new BusError('buffer_overflow', what, { stage: 'consume' })
}

function reasonOf(outcome: Outcome): unknown {
  if (outcome.is === 'threw') return outcome.error
  const what =
    outcome.is === 'term'
      ? `its handler gave it up: ${outcome.reason ?? 'no reason given'}`
      : outcome.is === 'lapsed'
        ? 'its handler said nothing in time'
        : 'its handler gave it back'
  return new BusError(outcome.is === 'lapsed' ? 'timeout' : 'handler_failed', what, {
    stage: 'consume',
  })
}
