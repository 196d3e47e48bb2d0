/**
 * Frames between those who are linked: over the links of a user, and between a context without a
 * log and the others of its device. Text as all frames are; `log` is always the sender's, and
 * `none` where it has no log.
 */
import { type BusErrorCode, isErrorCode } from '../errors.ts'

import { BATCH_SLOTS, type EventHeader, headerFault, MAX_BATCH_EVENTS } from '../event.ts'
import type { PlacedPart } from '../log/log.ts'
import {
  areResponds,
  isAmount,
  isCount,
  isList,
  isMessage,
  isName,
  isObject,
  isPlacedPart,
  isPresent,
  namesDevice,
} from './checks.ts'
import type { Present } from './frames.ts'

/** Who is there, and who keeps a log? */
export interface SeekFrame {
  readonly frame: 'seek'
  readonly log: string
}

/** The answer: `prefix` is the context that takes submissions, if it keeps a log. */
export interface HostFrame {
  readonly frame: 'host'
  readonly log: string
  readonly prefix: string
}

/**
 * Live events of the sender and of those whom it hears: `room` where they came from another
 * device, `cast` where they are the sender's own and in no log.
 */
export interface HeardFrame {
  readonly frame: 'heard'
  readonly log: string
  readonly room?: true
  readonly cast?: true
  readonly events: readonly EventHeader[]
}

/** Persisted events of a context without a log, for the log of the one named by `to`. */
export interface SubmitFrame {
  readonly frame: 'submit'
  readonly log: string
  readonly to: string
  /** The log they are for: another one is no place for them. */
  readonly of: string
  /** Of the submitting context, whose ids all of them have. */
  readonly prefix: string
  readonly events: readonly EventHeader[]
}

/** The events of that context up to counter `last` are in the log. */
export interface TakenFrame {
  readonly frame: 'taken'
  readonly log: string
  readonly prefix: string
  readonly last: number
  /** The record that has all of what was submitted, at indexes 0, 1, 2...; absent if there is none. */
  readonly batch?: number
}

/** What was submitted to `by` up to counter `last` is not in the log, and will not be. */
export interface DeclinedFrame {
  readonly frame: 'declined'
  readonly log: string
  readonly by: string
  readonly prefix: string
  readonly last: number
  readonly code: BusErrorCode
}

/** A context as it is told of from one to another. */
export interface Told extends Present {
  /** The name of its device, where that is not the sender's. */
  readonly device?: string
  readonly subject?: string
  /** Types of requests that it responds to. */
  readonly responds?: readonly string[]
  /** Of the sender: whether it holds the Web Lock named after it. */
  readonly lock?: true
  /** Milliseconds since it was heard of; absent for the sender itself. */
  readonly age?: number
}

/** Who is there: the sender, and others whom the receiver may not hear by itself. */
export interface PresentFrame {
  readonly frame: 'present'
  readonly log: string
  /** The name of the sender's device, if it has one. */
  readonly device?: string
  /** Asks the receiver to say the same. */
  readonly ask?: true
  readonly here: readonly Told[]
  /** Who left. */
  readonly gone?: readonly Pick<Told, 'id' | 'device'>[]
}

/** Where has the room these records of log `of`? Whoever leads that log's device answers. */
export interface WhereFrame {
  readonly frame: 'where'
  readonly log: string
  readonly of: string
  readonly batches: readonly number[]
}

/** The answer for one record, where there is something to say. */
export interface PlacedFrame {
  readonly frame: 'placed'
  readonly log: string
  readonly batch: number
  readonly parts: readonly PlacedPart[]
  /** Whether what `parts` do not name is in the room, or was: nobody can say where. */
  readonly whole?: true
}

/** A request for the context `to`, or, with `room`, through it for the room. */
export interface AskFrame {
  readonly frame: 'request'
  readonly log: string
  /** Of the event; before it, and a slash, the name of the device whose request this is, where another's. */
  readonly key: string
  /** Who waits for the reply, or for whom it is passed on. */
  readonly from: string
  readonly to: string
  readonly room?: true
  readonly timeoutMs: number
  /** The one event that is asked with. */
  readonly events: readonly EventHeader[]
}

/** The reply to a request, its value text in the line below, which is empty where there is none. */
export interface AnswerFrame {
  readonly frame: 'reply'
  readonly log: string
  readonly key: string
  /** Who replies, or told of what the room replied. */
  readonly from: string
  readonly room?: true
  readonly encoding?: 'devalue'
  readonly code?: BusErrorCode
  readonly message?: string
}

/** Nobody waits for the reply any more. */
export interface WaiveFrame {
  readonly frame: 'cancel'
  readonly log: string
  readonly key: string
  readonly from: string
}

/** Frames about a request. */
export type RequestsFrame = AskFrame | AnswerFrame | WaiveFrame

export type LinkFrame =
  | SeekFrame
  | HostFrame
  | HeardFrame
  | SubmitFrame
  | TakenFrame
  | DeclinedFrame
  | PresentFrame
  | WhereFrame
  | PlacedFrame
  | RequestsFrame

/** Contexts that one tells of at most. */
export const MAX_TOLD = 1_000

/** Records that are asked about at once, at most. */
export const MAX_ASKED = 100

/** What contexts without a log call theirs. */
export const NO_LOG = 'none'

type Fields = Record<string, unknown>

/** Whether the fields of a frame are what they must be. */
export const LINK_CHECKS: { [F in LinkFrame['frame']]: (frame: Fields) => boolean } = {
  seek: () => true,
  host: (f) => isName(f['prefix']),
  heard: (f) =>
    (f['room'] === undefined || f['room'] === true) &&
    (f['cast'] === undefined || f['cast'] === true) &&
    isHeaders(f['events']),
  submit: (f) =>
    isName(f['to']) && isName(f['of']) && isName(f['prefix']) && isHeaders(f['events']),
  taken: (f) =>
    isName(f['prefix']) && isCount(f['last']) && (f['batch'] === undefined || isCount(f['batch'])),
  declined: (f) =>
    isName(f['by']) && isName(f['prefix']) && isCount(f['last']) && isErrorCode(f['code']),
  present: (f) =>
    namesDevice(f) &&
    (f['ask'] === undefined || f['ask'] === true) &&
    isList(f['here'], MAX_TOLD) &&
    f['here'].every(
      (one) =>
        isPresent(one) &&
        namesDevice(one) &&
        areResponds(one['responds']) &&
        (one['lock'] === undefined || one['lock'] === true) &&
        (one['age'] === undefined || isAmount(one['age'])),
    ) &&
    (f['gone'] === undefined ||
      (isList(f['gone'], MAX_TOLD) &&
        f['gone'].every((one) => isObject(one) && isName(one['id']) && namesDevice(one)))),
  where: (f) => isName(f['of']) && isList(f['batches'], MAX_ASKED) && f['batches'].every(isCount),
  placed: (f) =>
    isCount(f['batch']) &&
    isList(f['parts'], BATCH_SLOTS) &&
    f['parts'].every(isPlacedPart) &&
    (f['whole'] === undefined || f['whole'] === true),
  request: (f) =>
    isKey(f['key']) &&
    isName(f['from']) &&
    isName(f['to']) &&
    (f['room'] === undefined || f['room'] === true) &&
    isAmount(f['timeoutMs']) &&
    isHeaders(f['events']) &&
    (f['events'] as unknown[]).length === 1,
  reply: (f) =>
    isKey(f['key']) &&
    isName(f['from']) &&
    (f['room'] === undefined || f['room'] === true) &&
    (f['encoding'] === undefined || f['encoding'] === 'devalue') &&
    (f['code'] === undefined || isErrorCode(f['code'])) &&
    (f['message'] === undefined || isMessage(f['message'])),
  cancel: (f) => isKey(f['key']) && isName(f['from']),
}

/** The name of a device, a slash, and the id of an event. */
function isKey(key: unknown): boolean {
  return typeof key === 'string' && key.length <= 64 + 1 + 256
}

export function isHeaders(events: unknown): boolean {
  return (
    isList(events, MAX_BATCH_EVENTS) &&
    events.length > 0 &&
    events.every((header) => headerFault(header) === undefined)
  )
}
