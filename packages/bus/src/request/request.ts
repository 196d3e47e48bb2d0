/** Requests and replies: the public shapes. */
import type { Metadata } from '../event.ts'

declare const REPLY: unique symbol

/** Says of a type in the map of events what a request of that type is replied with. */
interface Replied<Reply> {
  readonly [REPLY]?: Reply
}

/**
 * A type that is asked with `bus.request`: its data, and what the reply is.
 *
 * @example
 * type Shop = { 'price.of': Ask<{ sku: string }, { cents: number }>; 'time.now': Ask<void, Date> }
 */
export type Ask<Data, Reply> = [Data] extends [void]
  ? Data | (Data & Replied<Reply>)
  : Data & Replied<Reply>

/** What a request of a type is replied with: `unknown` where the map does not say. */
export type ReplyOf<Data> = [unknown] extends [Data]
  ? // biome-ignore lint/suspicious/noExplicitAny: a map that is open says nothing of replies either
    any
  : Extract<Data, Replied<unknown>> extends Replied<infer Reply>
    ? Reply
    : unknown

/** What can be said of a request beside its type and data. */
export interface RequestOptions {
  /** Milliseconds after which it rejects with `timeout`. @default 5000 */
  readonly timeout?: number | undefined
  /** Gives it up: it rejects with `aborted`, and the signal of who responds is aborted. */
  readonly signal?: AbortSignal | undefined
  /**
   * Who is asked: this context, this device and those it is linked with, or the whole room.
   * @default 'room'
   */
  readonly scope?: 'context' | 'device' | 'room' | undefined
  readonly correlationId?: string | undefined
  readonly causationId?: string | undefined
  /** W3C trace context. */
  readonly traceparent?: string | undefined
  readonly metadata?: Metadata | undefined
}
