/**
 * What `publish` and `publishBatch` do: validate, compose, add to the pipeline, and hand back the
 * promise of the level asked for. Order is call order, also where a schema takes its time.
 */
import { BusError, toBusError } from '../errors.ts'
import { type BusEvent, MAX_BATCH_BYTES, MAX_BATCH_EVENTS } from '../event.ts'
import type { EventOptions, PublishOptions, Until } from '../types.ts'
import type { Entry } from './batch.ts'
import type { Composer, EventPlan } from './composer.ts'
import type { Pipeline } from './pipeline.ts'
import { createTicket, type ReportUnhandled, rejectedTicket, type Ticket } from './ticket.ts'

/** One event as a caller gives it. */
export interface Draft {
  readonly type: string
  readonly data: unknown
  readonly options: EventOptions
}

export interface PublisherOptions {
  readonly composer: Composer
  readonly pipeline: Pipeline
  readonly hasRelay: boolean
  /** Validates against the type's schema; a promise only where the schema is asynchronous. */
  readonly validate: ((type: string, data: unknown) => unknown) | undefined
  /** An equal copy of data, for a validation that outlasts the call. */
  readonly copy: (data: unknown, type: string) => unknown
  readonly later: (run: () => void) => void
  readonly report: ReportUnhandled
}

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
    return this.#start([{ type, data, options }], options, (events) => events[0] as BusEvent)
  }

  publishBatch(drafts: readonly Draft[], level: Level): Promise<BusEvent[]> {
    if (drafts.length === 0) return Promise.resolve([])
    return this.#start(drafts, level, (events) => events)
  }

  /** An event of ours: kept on the device, never sent. */
  publishSystem(type: string, data: unknown): Promise<BusEvent> {
    const { composer, pipeline, later, report } = this.#options
    const plan: EventPlan = { scope: 'device', persisted: composer.hasLog }
    const entries: Entry[] = []
    const { ticket, promise } = createTicket({
      until: plan.persisted ? 'logged' : 'accepted',
      value: () => entries[0]?.event as BusEvent,
      later,
      report,
    })
    entries.push(composer.compose(type, data, { scope: 'device' }, plan, ticket))
    pipeline.add(entries)
    if (!plan.persisted) ticket.resolve()
    return promise
  }

  #start<T>(drafts: readonly Draft[], level: Level, value: (events: BusEvent[]) => T): Promise<T> {
    const { later, report } = this.#options
    try {
      if (drafts.length > MAX_BATCH_EVENTS) throw tooMany(`${drafts.length} events`)
      const plans = drafts.map((draft) => this.#options.composer.plan(draft.type, draft.options))
      const until = this.#level(drafts, plans, level)
      let entries: Entry[] = []
      const { ticket, promise } = createTicket({
        until,
        signal: level.signal,
        value: () => value(entries.map((entry) => entry.event)),
        later,
        report,
      })
      const send = (values: readonly unknown[]) => {
        entries = this.#compose(drafts, values, plans, ticket)
        this.#options.pipeline.add(entries)
        if (until === 'accepted') ticket.resolve()
      }
      const values = this.#validate(drafts)
      if (!this.#held && !(values instanceof Promise)) {
        try {
          send(values)
        } catch (error) {
          ticket.reject(error)
        }
      } else {
        this.#hold(values, send, ticket)
      }
      return promise
    } catch (error) {
      const reason = toBusError(error, 'invalid_options', 'publish failed', { stage: 'batch' })
      return rejectedTicket(reason, later, report)
    }
  }

  #hold(
    values: unknown[] | Promise<unknown[]>,
    send: (values: unknown[]) => void,
    ticket: Ticket,
  ): void {
    const before = this.#held ?? Promise.resolve()
    const outcome = Promise.resolve(values)
    outcome.catch(() => {})
    const held: Promise<void> = before
      .then(async () => send(await outcome))
      .catch((error: unknown) => ticket.reject(error))
      .then(() => {
        if (this.#held === held) this.#held = undefined
      })
    this.#held = held
  }

  /** @throws {BusError} schema_failed */
  #validate(drafts: readonly Draft[]): unknown[] | Promise<unknown[]> {
    const { validate } = this.#options
    if (!validate) return drafts.map((draft) => draft.data)
    const values = drafts.map((draft) => this.#validateOne(draft, validate))
    return values.some((value) => value instanceof Promise) ? Promise.all(values) : values
  }

  /** What changes the object after `publish` must not change the event: it validates a copy. */
  #validateOne({ type, data }: Draft, validate: (type: string, data: unknown) => unknown): unknown {
    if (this.#asynchronous.has(type)) return validate(type, this.#options.copy(data, type))
    const result = validate(type, data)
    if (!(result instanceof Promise)) return result
    result.catch(() => {})
    this.#asynchronous.add(type)
    return validate(type, this.#options.copy(data, type))
  }

  #compose(
    drafts: readonly Draft[],
    values: readonly unknown[],
    plans: readonly EventPlan[],
    ticket: Ticket,
  ): Entry[] {
    const { composer } = this.#options
    const mark = composer.mark
    const group = drafts.length > 1 ? ++this.#groups : undefined
    try {
      const entries = drafts.map((draft, i) =>
        composer.compose(
          draft.type,
          values[i],
          draft.options,
          plans[i] as EventPlan,
          ticket,
          group,
        ),
      )
      const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
      if (bytes > MAX_BATCH_BYTES) throw tooMany(`${bytes} bytes`)
      return entries
    } catch (error) {
      // None of them goes, so none of them may leave a hole in the publisher's numbers.
      composer.rewind(mark)
      throw error
    }
  }

  #level(drafts: readonly Draft[], plans: readonly EventPlan[], { until }: Level): Until {
    const persisted = plans.every((plan) => plan.persisted)
    if (until === undefined) return persisted ? 'logged' : 'accepted'
    if (!LEVELS.has(until)) {
      throw new BusError(
        'invalid_options',
        "until must be 'accepted', 'logged', 'relayed' or 'handled'",
        {
          stage: 'batch',
        },
      )
    }
    const type = drafts[0]?.type ?? ''
    if ((until === 'logged' || until === 'relayed') && !persisted) {
      throw unreachable(type, until, 'the event is not persisted, or this bus has no log')
    }
    if (until === 'relayed' && !this.#options.hasRelay)
      throw unreachable(type, until, 'this bus has no relay')
    if (until === 'relayed' && !plans.some((plan) => plan.scope === 'room')) {
      throw unreachable(type, until, "only events of scope 'room' leave the device")
    }
    return until
  }
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
