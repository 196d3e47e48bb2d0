/** What `publish` takes. */
import type { BusEvent, Metadata, Scope } from '../event.ts'
import type { TypeOf } from './patterns.ts'

/**
 * When `publish` resolves. `accepted`: checked, encoded and queued. `logged`: committed to this
 * device's log. `relayed`: confirmed in the room's stream. `handled`: logged, and the live
 * handlers of this context settled.
 */
export type Until = 'accepted' | 'logged' | 'relayed' | 'handled'

/**
 * What an event expects of its stream when it is appended. `any`: nothing. `none`: that it never had
 * an event. `exists`: that it had one. A number: that its newest event has this revision; 0 is as
 * `none`.
 */
export type ExpectedRevision = 'any' | 'none' | 'exists' | number

/** What can be said of an event beside its type and data. */
export type EventOptions = CommonEventOptions &
  (
    | {
        /** The aggregate it belongs to: 1 to 256 characters. */
        readonly stream: string
        /**
         * Appends only where the stream is as expected, else rejects with `conflict` and the
         * stream's `currentRevision`. With a relay the room decides, when it gets the event, and
         * `until` is by default `relayed`; what the device holds counts, own events that wait
         * included, so that an event can build on one that is not confirmed. Without a relay the
         * log of the device decides, and handlers hear the event when it has. Needs a log in this
         * context, and with a relay scope `room`.
         *
         * @default 'any'
         */
        readonly expectedRevision?: ExpectedRevision | undefined
      }
    | { readonly stream?: string | undefined; readonly expectedRevision?: undefined }
  )

interface CommonEventOptions {
  /** Id of the conversation's first event. @default the event's own id */
  readonly correlationId?: string | undefined
  /** Id of the event this one answers. */
  readonly causationId?: string | undefined
  /** W3C trace context. */
  readonly traceparent?: string | undefined
  /** Flat facts: strings, finite numbers, booleans. */
  readonly metadata?: Metadata | undefined
  /** How far it goes. @default 'room': as far as there are links */
  readonly scope?: Scope | undefined
  /**
   * Whether it goes into the log. Without, it is best effort: no order promise, dropped rather
   * than queued. Events of scope `context` never go into the log, which the device shares.
   * @default true, and false for scope 'context'
   */
  readonly persist?: boolean | undefined
  /** Version of the schema, from 1. @default that of the type in `events`, 1 where it has none */
  readonly version?: number | undefined
}

export type PublishOptions = EventOptions & {
  /**
   * @default 'logged', or 'accepted' where nothing is logged; with a relay and an
   *   `expectedRevision`, 'relayed'
   */
  readonly until?: Until | undefined
  /** Ends the waiting, never the event. */
  readonly signal?: AbortSignal | undefined
}

/** One entry of `publishBatch`. */
export type BatchEntry<Events extends object> =
  TypeOf<Events> extends infer Type extends TypeOf<Events>
    ? Type extends string
      ? { readonly type: Type } & (undefined extends Events[Type]
          ? { readonly data?: Events[Type] }
          : Events[Type] extends void
            ? { readonly data?: undefined }
            : { readonly data: Events[Type] }) &
          EventOptions
      : never
    : never

/** `data` may be left out exactly where the map says `void`, `undefined` or `unknown`. */
export type PublishArguments<Data, Options> =
  // Outside the condition, so that it is taken for data not known yet, too.
  | [data: Data, options?: Options | undefined]
  | (void extends Data ? [] : undefined extends Data ? [] : never)

export interface PublishErrorOptions {
  /** The event that was being dealt with: its correlation, trace and metadata are carried on. */
  readonly event?: BusEvent | undefined
  readonly metadata?: Metadata | undefined
  readonly signal?: AbortSignal | undefined
}
