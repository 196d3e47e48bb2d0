/** Requests and replies, as the device sees the stage and the stage the device. */
import type { BusError, BusErrorCode } from '../errors.ts'
import type { BusEvent, EventHeader } from '../event.ts'
import type { CancelFrame, ReplyFrame, RequestFrame } from '../protocol/frames.ts'
import type { Asked, RequestsFrame } from '../sync/sync.ts'
import type { RequestOptions } from './request.ts'

/** A reply as value text, or why there is none. */
export type Answer =
  | { readonly text: string; readonly encoding?: 'devalue' | undefined }
  | { readonly code: BusErrorCode; readonly message: string }

/** A handler of requests, and the bus's ways to call it. */
export type Responder = (event: BusEvent, context: unknown) => unknown

/** How long others may take to say that they are there. */
export const SETTLE_MS = 1_000

/** What is asked and answered here. */
export interface Requests {
  /** Resolves with the reply. @throws {BusError} as `Bus.request` */
  request(type: string, data: unknown, options: RequestOptions): Promise<unknown>
  /** @returns what takes it away. @throws {BusError} as `Bus.respond` */
  respond(type: string, responder: Responder): () => void
  /** @throws {BusError} as `Bus.ping` */
  ping(options: Pick<RequestOptions, 'timeout' | 'signal'>): Promise<number>
  /** The others can be heard from now on; `alone` where there is nobody to be heard. */
  attached(alone: boolean): void
  /** Who is there, what they respond to, or who leads, is not what it was. */
  review(): void
  /** Another context of the device, or behind a link, says something about a request. */
  heard(frame: RequestsFrame, data: readonly string[]): void
  /** The relay does. */
  told(frame: RequestFrame | ReplyFrame | CancelFrame, data: readonly string[]): void
  /** The relay can be told something, or cannot any more. */
  online(online: boolean): void
  close(): void
}

/** What the device does for requests. */
export interface RequestEvents {
  /** All who can be asked, this context first. */
  contexts(): readonly Asked[]
  /** Whether this context leads. */
  leads(): boolean
  /** Whether this device has a way to a room. */
  readonly hasRelay: boolean
  /** Whether another context keeps what this one publishes: that one's device may have. */
  readonly isGuest: boolean
  /** Why the relay will not have this device. */
  refused(): BusError | undefined
  /** This context responds to these types from now on. */
  responds(types: readonly string[]): void
  /** To the other contexts of the device, and those behind links. */
  post(frame: WithoutLog<RequestsFrame>, data?: readonly string[]): void
  /** To the relay; false where it cannot be reached just now. */
  send(frame: RequestFrame | ReplyFrame | CancelFrame, data?: readonly string[]): boolean
  /** Asks the relay for a sign of life; resolves with the milliseconds it took. */
  ping(): Promise<number>
}

/** One of several frames, before it is said whose it is. */
export type WithoutLog<Frame> = Frame extends unknown ? Omit<Frame, 'log'> : never

/** An event that is asked with, as text. */
export interface Question {
  readonly header: EventHeader
  readonly dataText: string
}
