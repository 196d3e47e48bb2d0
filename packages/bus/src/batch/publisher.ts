/**
 * What `publish` and `publishBatch` do: validate, compose, add to the pipeline, and hand back the
 * promise of the level asked for. Order is call order, also where a schema takes its time.
 */
import type { ValueText } from '../codec/codec.ts'
import type { Blocking } from '../dispatch/dispatch.ts'
import { BusError, toBusError } from '../errors.ts'
import { type BusEvent, MAX_BATCH_BYTES, MAX_BATCH_EVENTS, type Metadata } from '../event.ts'
import type { EventOptions, PublishOptions, Until } from '../types.ts'
import type { Entry } from './batch.ts'
import { type Composer, type EventPlan, ownOptions } from './composer.ts'
import type { Pipeline } from './pipeline.ts'
import {
  ACCEPTED,
  createTicket,
  PublishTicket,
  rejectedTicket,
  type Ticket,
  type TicketContext,
} from './ticket.ts'

/** One event as a caller gives it. */
export interface Draft {
  readonly type: string
  readonly data: unknown
  readonly options: EventOptions
  /** When `publish` was called, where that was before it could be composed. */
  readonly time?: number | undefined
}

export interface PublisherOptions extends TicketContext {
  readonly composer: Composer
  readonly pipeline: Pipeline
  readonly hasRelay: boolean
  /** Whether what waits for the relay fills the log. */
  readonly outboxFull: () => boolean
  /** Whether it is known that those who were to keep the events of this bus have no log either. */
  readonly nobodyKeepsLog: () => boolean
  /** Validates against the type's schema; a promise only where the schema is asynchronous. */
  readonly validate: ((type: string, data: unknown) => unknown) | undefined
  /** The version of a type that is written, if not 1. @throws {BusError} invalid_options */
  readonly version?: ((type: string, given: number | undefined) => number | undefined) | undefined
  readonly handlers?: Blocking | undefined
  /** An equal copy of data, for a validation that outlasts the call. */
  readonly copy: (data: unknown, type: string) => unknown
  readonly now: () => number
}

/** One event of which nothing is the caller's any more. */
interface OwnDraft extends Draft {
  readonly encoded: ValueText
}

type Send = (drafts: readonly Draft[], values: readonly unknown[]) => void

interface Level {
  readonly until?: Until | undefined
  readonly signal?: AbortSignal | undefined
}

const NO_OPTIONS: PublishOptions = {}
const LEVELS: ReadonlySet<unknown> = new Set(['accepted', 'logged', 'relayed', 'handled'])

export class Publisher {
  readonly #options: PublisherOptions
  /** Publishes that wait for a schema, and those that were called after them. */
  #held: Promise<void> | undefined
  /** Types whose schema was seen to be asynchronous. */
  readonly #asynchronous = new Set<string>()
  #groups = 0

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /** Resolves when no publish waits for a schema any more. */
  async settled(): Promise<void> {
    while (this.#held) await this.#held
  }

  publish(type: string, data: unknown, options: PublishOptions = NO_OPTIONS): Promise<BusEvent> {
    if (!this.#options.validate && !this.#held) return this.#publishOne(type, data, options)
    return this.#start([{ type, data, options }], options, (events) => events[0] as BusEvent)
  }

  publishBatch(drafts: readonly Draft[], level: Level): Promise<BusEvent[]> {
    if (drafts.length === 0) return Promise.resolve([])
    return this.#start(drafts, level, (events) => events)
  }

  /** The way of most events: nothing to validate, nothing to wait for, no lists. */
  #publishOne(type: string, data: unknown, options: PublishOptions): Promise<BusEvent> {
    const { composer } = this.#options
    let plan: EventPlan
    let until: Until
    let holds: boolean
    try {
      plan = composer.plan(type, options)
      holds = this.#holds(type, options.until)
      if (plan.persisted && plan.scope === 'room') this.#assertRoom(type)
      const judged = this.#isJudged(type, options, plan)
      const level = options.until ?? (judged ? 'relayed' : undefined)
      until = this.#levelOf(type, plan.persisted, plan.scope === 'room', level)
    } catch (error) {
      return rejectedTicket(publishError(error), this.#options.later, this.#options.report)
    }
    const waits = until !== 'accepted' || options.signal !== undefined || holds
    const ticket = waits
      ? new PublishTicket<BusEvent>(
          until,
          this.#options,
          options.signal,
          options.until !== undefined,
        )
      : undefined
    try {
      const entry = composer.compose(type, data, options, plan, ticket ?? ACCEPTED)
      if (ticket) ticket.result = entry.event
      this.#add(entry, entry.persisted ? composer.mark - 1 : composer.mark)
      if (!ticket) return Promise.resolve(entry.event)
      if (until === 'accepted' && !holds) ticket.resolve()
    } catch (error) {
      if (!ticket)
        return rejectedTicket(publishError(error), this.#options.later, this.#options.report)
      ticket.reject(publishError(error))
    }
    return ticket.promise
  }

  /** An event of ours: kept on the device, never sent. */
  publishSystem(type: string, data: unknown, options: EventOptions = {}): Promise<BusEvent> {
    const plan: EventPlan = { scope: 'device', persisted: this.#options.composer.hasLog }
    const until = plan.persisted ? 'logged' : 'accepted'
    const sending = this.#sending([plan], until, {}, (events) => events[0] as BusEvent)
    sending.send([{ type, data, options: { ...options, scope: 'device' } }], [data])
    return sending.promise
  }

  #start<T>(drafts: readonly Draft[], level: Level, value: (events: BusEvent[]) => T): Promise<T> {
    const { composer, later, report } = this.#options
    let plans: EventPlan[]
    let until: Until
    let holds = false
    try {
      if (drafts.length > MAX_BATCH_EVENTS) throw tooMany(`${drafts.length} events`)
      plans = drafts.map((draft) => composer.plan(draft.type, draft.options))
      const forRoom = plans.findIndex(({ persisted, scope }) => persisted && scope === 'room')
      if (forRoom >= 0) this.#assertRoom((drafts[forRoom] as Draft).type)
      for (const { type } of drafts) if (this.#holds(type, level.until)) holds = true
      const judged = drafts.some(({ type, options }, i) =>
        this.#isJudged(type, options, plans[i] as EventPlan),
      )
      until = judged && level.until === undefined ? 'relayed' : this.#level(drafts, plans, level)
    } catch (error) {
      return rejectedTicket(publishError(error), later, report)
    }
    const { send, ticket, promise } = this.#sending(plans, until, level, value, holds)
    try {
      const values = this.#validate(drafts)
      if (!this.#held && !values.some(isPromise)) send(drafts, values)
      else this.#hold(this.#kept(drafts), this.#copies(drafts, values), send, ticket)
    } catch (error) {
      ticket.reject(publishError(error))
    }
    return promise
  }

  /** A promise, and what composes its events, queues them and settles it. */
  #sending<T>(
    plans: readonly EventPlan[],
    until: Until,
    level: Level,
    value: (events: BusEvent[]) => T,
    holds = false,
  ): { send: Send; ticket: Ticket; promise: Promise<T> } {
    const { later, report } = this.#options
    let entries: Entry[] = []
    const { ticket, promise } = createTicket({
      until,
      named: level.until !== undefined,
      signal: level.signal,
      value: () => value(entries.map((entry) => entry.event)),
      later,
      report,
    })
    const send: Send = (drafts, values) => {
      try {
        const own = this.#own(drafts, values)
        const { mark } = this.#options.composer
        entries = this.#compose(own, plans, ticket)
        this.#add(entries, mark)
      } catch (error) {
        ticket.reject(publishError(error))
        return
      }
      if (until === 'accepted' && !holds) ticket.resolve()
    }
    return { send, ticket, promise }
  }

  #hold(drafts: readonly Draft[], values: Promise<unknown[]>, send: Send, ticket: Ticket): void {
    const before = this.#held ?? Promise.resolve()
    values.catch(() => {})
    const held: Promise<void> = before
      .then(async () => send(drafts, await values))
      .catch((error: unknown) => ticket.reject(publishError(error)))
      .then(() => {
        if (this.#held === held) this.#held = undefined
      })
    this.#held = held
  }

  /** Drafts that outlast the call, in which nothing changes when the caller changes his objects. */
  #kept(drafts: readonly Draft[]): Draft[] {
    const time = this.#options.now()
    return drafts.map(({ type, data, options }) => {
      const { metadata } = options
      const own =
        metadata === undefined ? { ...options } : { ...options, metadata: copyOf(metadata) }
      return { type, data, options: own, time }
    })
  }

  /** Values that outlast the call; those of asynchronous schemas were made of copies already. */
  #copies(drafts: readonly Draft[], values: readonly unknown[]): Promise<unknown[]> {
    const copies = values.map((value, i) =>
      isPromise(value) ? value : this.#options.copy(value, (drafts[i] as Draft).type),
    )
    return Promise.all(copies)
  }

  /** A promise for each type whose schema is asynchronous. @throws {BusError} schema_failed */
  #validate(drafts: readonly Draft[]): unknown[] {
    const { validate } = this.#options
    return drafts.map((draft) => (validate ? this.#validateOne(draft, validate) : draft.data))
  }

  /** What changes the object after `publish` must not change the event: it validates a copy. */
  #validateOne({ type, data }: Draft, validate: (type: string, data: unknown) => unknown): unknown {
    if (this.#asynchronous.has(type)) return validate(type, this.#options.copy(data, type))
    const result = validate(type, data)
    if (!isPromise(result)) return result
    result.catch(() => {})
    this.#asynchronous.add(type)
    return validate(type, this.#options.copy(data, type))
  }

  /** Reads and encodes all that is the caller's, so that nothing of his runs between the numbers. */
  #own(drafts: readonly Draft[], values: readonly unknown[]): OwnDraft[] {
    const { composer, version } = this.#options
    return drafts.map(({ type, options, time }, i) => {
      const encoded = composer.encode(values[i], type)
      const own = ownOptions(options, type)
      const written = version?.(type, own.version)
      const said = written === undefined ? own : { ...own, version: written }
      return { type, data: values[i], encoded, options: said, time }
    })
  }

  /** None of them goes where one is refused, so none may leave a hole in the numbers. */
  #compose(drafts: readonly OwnDraft[], plans: readonly EventPlan[], ticket: Ticket): Entry[] {
    const { composer } = this.#options
    const group = drafts.length > 1 ? ++this.#groups : undefined
    const { mark } = composer
    try {
      const entries = drafts.map(({ type, data, encoded, options, time }, i) =>
        composer.compose(type, data, options, plans[i] as EventPlan, ticket, group, time, encoded),
      )
      const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
      if (bytes > MAX_BATCH_BYTES) throw tooMany(`${bytes} bytes`)
      return entries
    } catch (error) {
      composer.rewind(mark, composer.mark)
      throw error
    }
  }

  /** Queues what was composed last; `mark` is the number before. @throws {BusError} buffer_overflow */
  #add(entries: Entry | Entry[], mark: number): void {
    const { composer, pipeline } = this.#options
    const last = composer.mark
    try {
      pipeline.add(entries)
    } catch (error) {
      composer.rewind(mark, last)
      throw error
    }
  }

  /** Whether the promise may have to wait for a handler's buffer. @throws {BusError} buffer_overflow */
  #holds(type: string, until: Until | undefined): boolean {
    const { handlers } = this.#options
    return handlers !== undefined && handlers.blocking > 0 && handlers.waits(type) && !until
  }

  /** @throws {BusError} outbox_full */
  #assertRoom(type: string): void {
    if (!this.#options.outboxFull()) return
    throw new BusError(
      'outbox_full',
      'what waits for the relay fills the log: come online, or raise limits.logEvents and limits.logBytes',
      { stage: 'batch', eventType: type },
    )
  }

  /** Whether the room decides over it. @throws {BusError} invalid_options */
  #isJudged(type: string, { expectedRevision }: EventOptions, { scope }: EventPlan): boolean {
    if (expectedRevision === undefined || !this.#options.hasRelay) return false
    if (scope === 'room') return expectedRevision !== 'any'
    const what = `publish of ${type}: with a relay, expectedRevision needs scope 'room'`
    throw new BusError('invalid_options', what, { stage: 'batch', eventType: type })
  }

  #level(drafts: readonly Draft[], plans: readonly EventPlan[], { until }: Level): Until {
    if (until === undefined) return plans.some((plan) => plan.persisted) ? 'logged' : 'accepted'
    const persisted = plans.every((plan) => plan.persisted)
    const forRoom = plans.some((plan) => plan.scope === 'room')
    return this.#levelOf(drafts[0]?.type ?? '', persisted, forRoom, until)
  }

  /** @throws {BusError} invalid_options, unreachable */
  #levelOf(type: string, persisted: boolean, forRoom: boolean, until: Until | undefined): Until {
    if (until === undefined) return persisted ? 'logged' : 'accepted'
    if (!LEVELS.has(until)) {
      const levels = "'accepted', 'logged', 'relayed' or 'handled'"
      throw new BusError('invalid_options', `until must be ${levels}`, { stage: 'batch' })
    }
    if (until === 'accepted' || until === 'handled') return until
    if (!persisted || this.#options.nobodyKeepsLog()) {
      throw unreachable(type, until, 'the event is not persisted, or this bus has no log')
    }
    if (until === 'logged') return until
    if (!this.#options.hasRelay) throw unreachable(type, until, 'this bus has no relay')
    if (!forRoom) throw unreachable(type, until, "only events of scope 'room' leave the device")
    return until
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise
}

/** Plain objects only: what is none must still be seen to be none when it is checked. */
function copyOf(metadata: Metadata): Metadata {
  return Object.getPrototypeOf(metadata) === Object.prototype ? { ...metadata } : metadata
}

function publishError(error: unknown): BusError {
  return toBusError(error, 'invalid_options', 'publish failed', { stage: 'batch' })
}

function unreachable(type: string, until: Until, why: string): BusError {
  return new BusError('unreachable', `publish of ${type} cannot reach '${until}': ${why}`, {
    stage: 'batch',
    eventType: type,
  })
}

function tooMany(what: string): BusError {
  return new BusError(
    'too_large',
    `publishBatch: ${what}, but a batch has at most ${MAX_BATCH_EVENTS} events and ${MAX_BATCH_BYTES} bytes`,
    { stage: 'batch' },
  )
}
