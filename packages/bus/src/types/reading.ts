/** Reading: where it starts, replays, views, and loops over events. */
import type { Patterns } from './patterns.ts'
import type { Observable } from './status.ts'

/** Where reading starts: with the event at that offset or position, or written at that time or later. */
export type ReadFrom = 'start' | 'now' | number | string | Date | { readonly last: number }

/** Which events of the log are replayed, in which order, and how fast. */
export interface ReplayOptions<Pattern extends string> {
  /** Begins with what it names, or with the first event written then or later. @default 'start' */
  readonly from?: ReadFrom | undefined
  /**
   * Ends with what it names, or with the last event written then or before. `{ last: n }` is the
   * n-th from the end of those that match. @default 'now'
   */
  readonly to?: ReadFrom | undefined
  /** @default '**' */
  readonly pattern?: Patterns<Pattern> | undefined
  /** Only events of this stream. */
  readonly stream?: string | undefined
  /** Only events of this conversation, the one that began it included. */
  readonly correlationId?: string | undefined
  /** Ends after so many events. @default Infinity */
  readonly limit?: number | undefined
  /**
   * `device`: as this log has them. `room`: as the room has them, the same on every device, then own
   * ones that it has not confirmed; without those it refused, and those of scope `device`. Without a
   * relay the two are one. In the room's order, times are the relay's, and an offset must be that of
   * an event.
   * @default 'device'
   */
  readonly order?: 'device' | 'room' | undefined
  /**
   * `original` pauses between events as long as there was between their writing, a number divides
   * the pauses. @default 'instant'
   */
  readonly speed?: 'instant' | 'original' | number | undefined
  /** Ends the loop. */
  readonly signal?: AbortSignal | undefined
  /** Told about a hundred times at most, last of all when the replay is done. */
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined
}

/** How far a replay is. */
export interface ReplayProgress {
  /** How much of the log was read, of `total`, in a unit of its own; equal when the replay is done. */
  readonly done: number
  readonly total: number
  /** Events given so far. */
  readonly events: number
}

export interface ProjectOptions {
  /**
   * Names the snapshot that the log keeps of the view, 1 to 256 characters; one key with other
   * patterns names another snapshot. Without it nothing is kept, and each view is folded anew.
   */
  readonly key?: string | undefined
  /** Of reducer and state, from 1: a snapshot of another version is not used. @default 1 */
  readonly version?: number | undefined
}

/** A read model: a state folded from the events of the log, which follows them. */
export interface Projection<State> extends Observable<State>, Disposable {
  /** The state: `initial` until the log was read; the same reference until it changes. */
  get(): State
  /**
   * Resolves when everything that was in the log at the call of `project` is folded. Rejects when
   * the log cannot be read, which `onError` hears of, too.
   */
  readonly ready: Promise<void>
  /** Ends it; the state stays as it is. */
  close(): void
}

/** Which events, from where, and until when. */
export interface ListenOptions<Event> {
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined
  /** Starts with events of the log, this one included, then goes on live. @default 'now' */
  readonly from?: ReadFrom | undefined
  /** Only events for which this returns true. */
  readonly where?: ((event: Event) => boolean) | undefined
}

export interface OnceOptions<Event> {
  readonly where?: ((event: Event) => boolean) | undefined
  /** Ends the waiting: the promise rejects with code `aborted`. */
  readonly signal?: AbortSignal | undefined
}

export interface EventsOptions<Event> extends ListenOptions<Event> {
  /** Events kept while the loop is busy. @default 1000 */
  readonly buffer?: number | undefined
  /**
   * What happens when the buffer is full. `error` ends the loop with `buffer_overflow`; the others
   * report through `onError` once, until there is room again.
   * @default 'error'
   */
  readonly overflow?: 'drop-oldest' | 'drop-newest' | 'error' | undefined
}
