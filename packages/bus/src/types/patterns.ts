/** Event maps, patterns, and the events they stand for. */
import type { BusErrorCode } from '../errors.ts'
import type { BusEvent } from '../event.ts'

/** A type or an interface whose keys are event types and whose values are their data. */
export type TypeOf<Events extends object> = keyof Events & string

/** What Crosstown itself publishes; heard by patterns that begin with `$` only. */
export interface SystemEvents {
  /** The relay refused an event of this device for good. */
  readonly '$event.refused': {
    readonly id: string
    readonly type: string
    readonly code: BusErrorCode
    readonly offset: number
    /** With `conflict`: the revision that its stream has in the room, 0 for none. */
    readonly currentRevision?: number
  }
  /** Dead letters of these durable consumers are to be given again. */
  readonly '$consumer.redriven': { readonly consumers: readonly string[] }
  /** Something failed on this device: `bus.publishError`. */
  readonly $error: {
    readonly name: string
    readonly message: string
    readonly code?: string
    readonly stack?: string
    /** What it was about. */
    readonly event?: { readonly id: string; readonly type: string }
    /** Its causes, from the nearest on. */
    readonly causes?: readonly { readonly name: string; readonly message: string }[]
  }
}

/** The event or events of the given types, discriminated by `type`. */
export type EventOf<Events extends object, Type extends string> = Type extends keyof SystemEvents
  ? BusEvent<Type, SystemEvents[Type]>
  : Type extends TypeOf<Events>
    ? BusEvent<Type, Events[Type]>
    : never

type SegmentPatterns<Type extends string> = Type extends `${infer Head}.${infer Rest}`
  ? `${Head | '*'}.${SegmentPatterns<Rest> | '**'}`
  : Type | '*'

/** Every pattern that matches at least one type of the map. */
export type PatternOf<Events extends object> =
  // Outside the condition, so that they are patterns of a map not known yet, too.
  | '*'
  | '**'
  | keyof SystemEvents
  | (string extends TypeOf<Events> ? string : SegmentPatterns<TypeOf<Events>>)

type Matches<Type extends string, Pattern extends string> = Pattern extends '**'
  ? true
  : Pattern extends `${infer PatternHead}.${infer PatternRest}`
    ? Type extends `${infer Head}.${infer Rest}`
      ? PatternHead extends '*' | Head
        ? Matches<Rest, PatternRest>
        : false
      : false
    : Type extends `${string}.${string}`
      ? false
      : Pattern extends '*' | Type
        ? true
        : false

/** The types of the map that a pattern matches. */
export type Matching<Events extends object, Pattern extends string> = Pattern extends '*' | '**'
  ? TypeOf<Events>
  : Pattern extends keyof SystemEvents
    ? Pattern
    : Pattern extends TypeOf<Events>
      ? // Of a map that is open, a pattern is no type of its own.
        string extends TypeOf<Events>
        ? Pattern extends `${string}*${string}`
          ? string
          : Pattern
        : Pattern
      : string extends TypeOf<Events>
        ? string
        : TypeOf<Events> extends infer Type extends string
          ? Type extends string
            ? Matches<Type, Pattern> extends true
              ? Type
              : never
            : never
          : never

/** The events a pattern stands for. */
export type Matched<Events extends object, Pattern extends string> = EventOf<
  Events,
  Matching<Events, Pattern>
>

/** Patterns, wherever they are taken: one or a list. */
export type Patterns<Pattern extends string> = Pattern | readonly Pattern[]
