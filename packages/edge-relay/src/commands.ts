/** What a room is asked, what it knows, and what it answers: the words of `room.ts`. */
import type {
  AckFrame,
  BatchRef,
  BusErrorCode,
  EventHeader,
  PublishFrame,
  Refusal,
  RejectFrame,
  Term,
} from '@crosstown/bus/protocol'
import type { RoomHead, RoomRecord } from './record.ts'
import type { StreamHead } from './revisions.ts'

/** What a room knows of one device. */
export interface DeviceRow {
  readonly secretHash: string
  /** The token subject this device first joined with. */
  readonly subject: string
  /** The log it said hello with first: a copy of a device has a row of its own, and the same log. */
  readonly log: string
  /** The last leader term taken from it. */
  readonly term: Term
  /** The last batch taken from it, and what of that was refused. */
  readonly taken?: BatchRef
  readonly refused?: readonly Refusal[]
}

/** What a room knows of one log. */
export interface LogRow {
  /** How many devices came with it: more than one after a fork. */
  readonly devices: number
  readonly subject: string
}

/** The fold of a room's log, and what this process needs beside it. */
export interface RoomState {
  readonly head: RoomHead
  readonly devices: Map<string, DeviceRow>
  /** The logs that devices came with. */
  readonly logs: Map<string, LogRow>
  /**
   * Heads of streams, of all those that commands to decide on have events of; `undefined` for one
   * that never had an event.
   */
  readonly streams: Map<string, StreamHead | undefined>
  /** Prefix and last counter of the ids given here to posted events. */
  readonly ids: { readonly prefix: string; readonly counter: number }
}

/** A device joins. */
export interface HelloCommand {
  readonly kind: 'hello'
  readonly time: number
  readonly device: string
  readonly secretHash: string
  readonly subject: string
  readonly log: string
  /** The subject that the log belongs to, as far as it knows. */
  readonly owner?: string | undefined
  /** At least one, the newest last. */
  readonly terms: readonly Term[]
  /** Up to where the device has the room, and the last batch of its own that it knows to be in it. */
  readonly cursor?: string | undefined
  readonly confirmed?: BatchRef | undefined
  /** Whether what it has is of a log of this room that was deleted: what was in that is not to come back. */
  readonly deleted?: boolean
}

/** The place of an event that the room has, or that it had it and trimmed it away. */
export type Known = number | 'trimmed'

/** A device sends a batch. */
export interface PublishCommand {
  readonly kind: 'publish'
  readonly time: number
  readonly device: string
  readonly mayPublish: (type: string) => boolean
  readonly frame: PublishFrame
  /** One line of JSON for each header, and one value text. */
  readonly lines: readonly string[]
  readonly data: readonly string[]
  /** How deep their data may be nested. */
  readonly nesting: number
  /** What the room has or had of these events, by id; absent where no other device has this one's log. */
  readonly known?: ReadonlyMap<string, Known>
  /** Revisions of those that have one, by id. */
  readonly revisions?: ReadonlyMap<string, number>
}

/** An event of a publisher without device; `id` is derived from the id its publisher gave it. */
export interface PostedEvent {
  readonly id?: string
  readonly header: Omit<EventHeader, 'id'>
  readonly data: string
}

/** Where a posted event stands. */
export interface Posted {
  readonly position: string
  /** Of an event with a stream. */
  readonly revision?: number
}

/** Someone without device publishes, all or nothing. */
export interface PostCommand {
  readonly kind: 'post'
  readonly time: number
  readonly mayPublish: (type: string) => boolean
  readonly events: readonly PostedEvent[]
  /** How deep their data may be nested. */
  readonly nesting: number
  /** Where those are whose id the room has already. */
  readonly known: ReadonlyMap<string, Posted>
}

/** What a room can be asked to do. */
export type Command = HelloCommand | PublishCommand | PostCommand

/** The device is known now. */
export interface AdmittedReply {
  readonly kind: 'admitted'
  /** The last term taken from it before. */
  readonly term?: Term
  /** Whether it is a copy of the one that term was taken from: it may neither send nor read. */
  readonly copy: boolean
}

/** The events are in the room; `existing` ones had been before. */
export interface PostedReply {
  readonly kind: 'posted'
  readonly events: readonly (Posted & { readonly id: string; readonly existing: boolean })[]
}

/** Nothing was done. */
export interface RefusedReply {
  readonly kind: 'refused'
  readonly code: BusErrorCode
  readonly message: string
  /** With `conflict`: the stream's revision. */
  readonly revision?: number
}

/** The answer to a command; that to a publish goes out as the frame it is. */
export type Reply = AdmittedReply | PostedReply | RefusedReply | AckFrame | RejectFrame

/** What commands make of a state: to be written in one append, then committed and sent. */
export interface Decision {
  readonly head: RoomHead
  readonly records: readonly RoomRecord[]
  /** Device rows to be written. */
  readonly devices: ReadonlyMap<string, DeviceRow>
  /** Heads of streams to be written. */
  readonly streams: ReadonlyMap<string, StreamHead>
  readonly counter: number
  /** One for each command, in order. */
  readonly replies: readonly Reply[]
}
