import type { Batch, Entry } from '../batch/batch.ts'
import type { Incoming, Origin } from '../dispatch/dispatch.ts'
import type { BusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { TapHolder } from '../inspect/tap.ts'
import type { Link, RelayAddress } from '../links/link.ts'
import type { Encoded, Log, OwnBatch, RoomBatch, Writer } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import type {
  CancelFrame,
  CastFrame,
  Earlier,
  PresenceFrame,
  Present,
  Refusal,
  ReplyFrame,
  RequestFrame,
  Term,
} from '../protocol/frames.ts'
import type {
  DeclinedFrame,
  HeardFrame,
  HostFrame,
  LinkFrame,
  PresentFrame,
  SubmitFrame,
  TakenFrame,
  WhereFrame,
} from '../protocol/link-frames.ts'
import type { Line, MemberFrame, PassFrame, ToMemberFrame } from '../protocol/pass-frames.ts'
import type {
  BeatFrame,
  HereFrame,
  InLog,
  JoinFrame,
  NewsRun,
  RoomFrame,
  Seen,
} from '../protocol/peer-frames.ts'
import type { Gap, Observable, PresenceMember, RelayState } from '../types.ts'

export type {
  HostFrame,
  LinkFrame,
  PlacedFrame,
  PresentFrame,
  RequestsFrame,
  Told,
} from '../protocol/link-frames.ts'
export type { Line, MemberFrame, PassFrame, ToMemberFrame } from '../protocol/pass-frames.ts'
export type { BeatFrame, HereFrame, InLog, JoinFrame, Seen } from '../protocol/peer-frames.ts'

/** What a session needs: the term under which this context leads, and whom to tell. */
export interface SessionStart {
  readonly log: Log
  readonly writer: Writer
  readonly term: Term
  readonly platform: Platform
  readonly events: SessionEvents
  readonly taps: TapHolder
}

/**
 * What `relayLink` makes: an address, and the session that speaks with it. The session comes with
 * the link, so that a page without a relay loads none of it.
 */
export interface RelaySource extends RelayAddress {
  session(start: SessionStart): RelaySession
}

/** A session with the relay, as the device that leads sees it. */
export interface RelaySession {
  start(): void
  /** Ends the session; resolves when nothing is being written any more. */
  stop(): Promise<void>
  /**
   * There is an own batch of this number in the log, of the publisher with this prefix; `written`
   * where it was just committed by this context, so that it need not be read.
   */
  outboxGrew(newest: number, prefix: string, written?: Written): void
  /** Unpersisted events: sent if that is possible now, else dropped. */
  cast(headersText: string, data: readonly string[]): void
  /** Who of this device is there, from now on: told when the relay is there, and when it changes. */
  presence(members: readonly Present[], responds: readonly string[]): void
  /** About a request; false where the relay cannot be reached just now. */
  ask(frame: RequestFrame | ReplyFrame | CancelFrame, data?: readonly string[]): boolean
  /** Asks for a sign of life, which `SessionEvents.rtt` tells of; false where that is not possible now. */
  ping(): boolean
  /** A frame of a tap, for those who inspect the room: left out where it would be in the way. */
  inspect(text: string): void
  /** What a member of a group says: left out where the relay is not there. */
  member(frame: MemberFrame): void
}

/** An own batch, and the log it was committed to. */
export interface Written {
  readonly log: Log
  readonly record: OwnBatch
}

/** What a session tells the device that leads. */
export interface SessionEvents {
  /** The relay's state changed; `error` where there is a reason to show. */
  state(relay: RelayState, error?: BusError): void
  /** It is online, in that epoch of the room. */
  online(epoch: string): void
  rtt(ms: number): void
  /** A batch of the room is in the log as record `number`; 0 if it only moved the cursor. */
  committed(
    number: number,
    record: RoomBatch,
    runs: readonly NewsRun[],
    data: readonly string[],
    liveAfter: number,
  ): void
  /** Every own batch up to this one is in the room, or was before its history was trimmed. */
  confirmedThrough(batch: number): void
  /** Unpersisted events of other devices. */
  cast(frame: CastFrame, data: readonly string[]): void
  /** Another device asks, answers, or waits no more. */
  asked(frame: RequestFrame | ReplyFrame | CancelFrame, data: readonly string[]): void
  /** Who is in the room, to which this device is known by the name `own`. */
  presence(frame: PresenceFrame, own: string): void
  /** A frame of somebody who inspects the room. */
  inspect(text: string): void
  /** What the relay says to a member of a group. */
  member(frame: ToMemberFrame, data: readonly string[]): void
  gap(gap: Gap): void
  /** Another context of the device leads since: this one must stop. */
  deposed(): void
  report(error: BusError): void
}

/** An own batch as the room placed it. */
export interface Confirmation {
  readonly batch: number
  readonly epoch: string
  readonly place: number
  readonly indexes: readonly number[]
  /** Of these events, 0 where one has no stream; absent where none has. */
  readonly revisions?: readonly number[]
  readonly refused: readonly Refusal[]
  /** Events that the room had before this confirmation. */
  readonly earlier?: readonly Earlier[]
  /** Whether nothing of the batch is left to be confirmed: what is not named here is in the room. */
  readonly whole: boolean
}

/** What the other contexts of the device have to say. */
export interface PeerEvents {
  deliver(incoming: Incoming, origin: Origin): void
  /** An event that the room had before this log first joined it. */
  past(incoming: Incoming): void
  /** Another context committed own batch `batch`, with so many events for the room. */
  committed(batch: number, roomEvents: number, bytes: number, prefix: string): void
  /** A frame between a context without a log and the others, or what came over a user's link. */
  linked(frame: LinkFrame, data: readonly string[]): void
  /** A time of writing of another context. */
  sawTime(time: number): void
  confirmed(confirmation: Confirmation): void
  /** The log has a record of this number. */
  changed(head: number): void
  beat(frame: BeatFrame): void
  /** Somebody leads who has another log. */
  ledElsewhere(): void
  /** The leader found a hole in what this device could read of the room. */
  gap(gap: Gap): void
  /** Another context asks who leads, and who is there. */
  joined(frame: JoinFrame): void
  /** Another context is there, or goes. */
  here(frame: HereFrame): void
  /** What a member of a group says to the relay, or the relay to it. */
  passed(frame: PassFrame, data: readonly string[]): void
  /** Unpersisted events of another context, of which the leader sends the room's on. */
  cast(headers: readonly EventHeader[], data: readonly string[]): void
  report(error: BusError): void
}

/** The log that is open. */
export interface Attached {
  readonly id: string
  /** Absent where a bus has none. */
  readonly log: Log | undefined
  /** Records up to this one are past. */
  readonly past: number
  /** Whether it came in place of another one. */
  readonly renewed: boolean
  /** Only a host is looked for so far: what is about events waits. */
  readonly seeking?: boolean
}

/** The other contexts of the device. */
export interface PeerContexts {
  /** The log is open, or there is none; only now are texts taken and sent. */
  attach(link: Link | undefined, attached: Attached): void
  /** The log is gone: what comes from now on waits for the next one. */
  detach(): void
  receive(text: string): void
  /** A committed batch of the room: heard here, and told to the others. */
  room(news: RoomNews, data: readonly string[]): void
  /** Looks in the log for what was missed; resolves when it is heard. */
  look(): Promise<void>
  /** An own batch is in the log. */
  wrote(batch: number): void
  /** An own batch, in the task in which its commit began; `committed`: some of before, told with it. */
  post(batch: Batch, record: OwnBatch | undefined, committed?: readonly InLog[]): void
  postCommitted(inLog: InLog): void
  postWithdrawn(batch: Batch, error: BusError): void
  postRoomCast(headers: readonly EventHeader[], data: readonly string[]): void
  postGap(gap: Gap): void
  postLinked(frame: LinkFrame, data?: readonly string[]): void
  /** Unpersisted events of a context that is linked to this one. */
  postCast(headers: readonly EventHeader[], data: readonly string[]): void
  /** Posts a text to all others, and hears it here too. */
  tell(text: string): void
  postBeat(beat: Omit<BeatFrame, 'frame' | 'log' | 'prefix'>): void
  /** Asks who leads, and who is there; `seen` of a context that may lead. */
  ask(seen?: Seen): void
  postHere(seen: HereFrame['seen'], leads: boolean): void
  /** What a member of a group says to the relay, or the relay to it. */
  pass(frame: Omit<PassFrame, 'frame' | 'log'>, data?: readonly string[]): void
  /** Whether there is a link to others. */
  readonly linked: boolean
}

/** A committed batch of the room, as the leader tells it. */
export type RoomNews = Omit<RoomFrame, 'frame' | 'log'>

/** Promises that wait for the room to confirm own events. */
export interface Waiters {
  /** An own batch is in the log. Returns whether somebody waits for its confirmation. */
  add(batch: number, entries: readonly Entry[]): boolean
  confirm(confirmation: Confirmation): void
  /** Every own batch up to this one is in the room, or was before its history was trimmed. */
  confirmThrough(batch: number): void
  /** Rejects all that wait; numbers may begin anew. */
  abandon(error: BusError): void
  /** Own batches that somebody waits for. */
  batches(): number[]
}

/** The way to one who is linked: a link of the user's, or the tabs link. */
export interface Way {
  send(frame: LinkFrame, data?: readonly string[]): void
}

/** What comes over the links that a user gave. */
export interface LinkedEvents {
  /** Live events of others; some may be known already. `casts`: a guest's own, in no log. */
  heard(
    headers: readonly EventHeader[],
    data: readonly string[],
    origin: Origin,
    from: Way,
    casts: boolean,
  ): void
  frame(frame: Exclude<LinkFrame, HeardFrame>, data: readonly string[], from: Way): void
  report(error: BusError): void
}

/** The links that a user gave. */
export interface Links {
  add(link: Link): void
  readonly size: number
  /** The log that this context has from now on. */
  named(logId: string): void
  send(frame: LinkFrame, data?: readonly string[]): void
  /** Whether every link said that nobody behind it keeps a log. */
  readonly nobodyKeepsLog: boolean
  /** Whether an event was not heard before, by whatever way; it counts as heard from now on. */
  fresh(id: string): boolean
  /** Tells all links of an own event. */
  tellOwn(entry: Entry): void
  /** Tells all links of an event of others, but the one it came from. */
  tell(incoming: Incoming, origin: Origin, from?: Way): void
  close(): Promise<void>
}

/** A context without a log, as those who keep one see it. */
export interface Guest {
  /** The log of its host, once there is one. */
  readonly host: string | undefined
  /**
   * Resolves when the events are in the host's log, with the record that has them, if one has them
   * all; with 0 when it is known that nobody keeps a log.
   *
   * @throws {BusError} unavailable, closed, and what the host's log says
   */
  submit(entries: readonly Encoded[]): Promise<number | undefined>
  /** Somebody keeps a log; `moved` where the one there was before is gone. */
  hosted(frame: HostFrame, way: Way, moved?: boolean): void
  taken(frame: TakenFrame): void
  declined(frame: DeclinedFrame): void
  close(): void
}

export interface GuestOptions {
  /** Of the ids that this context gives. */
  readonly prefix: string
  readonly platform: Platform
  /** Asks everybody who may keep a log. */
  readonly seek: () => void
  /** Nobody keeps a log: events are live only, as on a bus without one. */
  readonly alone: () => boolean
  /** Nobody has answered for a while, or somebody does again. */
  readonly silent: (silent: boolean) => void
}

/** A log that is open, and who writes to it. */
export interface Keeper {
  readonly log: Log
  readonly writer: Writer
  readonly id: string
}

export interface HostOptions {
  readonly platform: Platform
  /** This context's name, by which it is addressed. */
  readonly prefix: string
  readonly keeper: () => Keeper | undefined
  /** Posts a text to the other contexts of the device, and hears it here too. */
  readonly tell: (text: string) => void
  /** Whether what waits for the relay fills the log. */
  readonly outboxFull: () => boolean
  /** Own batches up to this one are in the room, or were, as the last welcome said. */
  readonly confirmed: () => number
}

/** A context that keeps the events of others in its log. */
export interface Host {
  submitted(frame: SubmitFrame, data: readonly string[], way: Way): void
  /** Answers where the room has what the log keeps. */
  asked(frame: WhereFrame, way: Way): void
}

/** The members of groups that are in this context. */
export interface Members {
  /** What the relay says to one of them, by that line. */
  heard(frame: ToMemberFrame, data: readonly string[], line: Line): void
  /** The line by which the device is connected, as far as is known. */
  connected(line: Line | undefined): void
  /** The page stands still: they leave, and give back what they hold. */
  leave(): void
  /** It moves again. */
  back(): void
}

/** A context that can be asked. */
export interface Asked {
  readonly id: string
  /** Its device; absent where it is this one. */
  readonly device: string | undefined
  readonly leader: boolean
  readonly responds: readonly string[]
  /** Whether it holds a lock, which it loses when it dies. */
  readonly lock: boolean
}

/** Who is here: what this context knows of others, and tells them of itself. */
export interface Presence extends Observable<readonly PresenceMember[]> {
  /** Log and links are there, or are so again; `device` is the id of the log's device, if it has one. */
  attached(device: string | undefined): void
  /** The page moves again. */
  back(): void
  /** What another context says: one with the same log, another on the tabs link, or over the user's. */
  heard(frame: PresentFrame, way: 'log' | 'tabs' | 'links'): void
  /** This context leads from now on, or does no more. */
  leads(self: boolean): void
  /** What the relay says, to which this device is known by the name `own`. */
  room(frame: PresenceFrame, own: string): void
  /** The relay is not heard just now. */
  doubt(): void
  /** The contexts of this device. */
  readonly members: readonly Present[]
  /** All that are known but to the relay, with what they respond to: this one first, each device together. */
  readonly contexts: readonly Asked[]
  /** This context responds to these types of requests from now on. */
  responds(types: readonly string[]): void
  /** Whether this context holds a lock that others can wait for. */
  locked(locked: boolean): void
  /** A context of this device is gone that did not say so. */
  died(id: string): void
  /** This context stands still, or is closed. */
  leave(): void
  close(): void
}

/** Whom presence tells. */
export interface PresenceEvents {
  /** The other contexts of the device, or those behind the links that the user gave. */
  post(frame: Omit<PresentFrame, 'frame' | 'log'>, to: 'tabs' | 'links'): void
  /** The contexts of this device are others than before. */
  changed(members: readonly Present[]): void
  /** Something of what is known is not as it was. */
  moved(): void
  /** A subscriber threw. */
  threw(cause: unknown): void
}
