/** What a relay is to a test network: a program that runs in one process or several, on one store. */
import type { RelayEnd, RelayEndEvents } from './wire.ts'

/** What the machine gives to a relay's process: time and chance, until the process ends. */
export interface RelayHost {
  /** Which of the relay's nodes it is, from 0. */
  readonly node: number
  /** How many of them there are. */
  readonly nodes: number
  /** Milliseconds since 1970. */
  now(): number
  /** Milliseconds of a clock that never goes back. */
  monotonic(): number
  randomText(length: number): string
  /** A number from 0 to 1. */
  random(): number
  /** Runs `run` after `ms`, if the process is still there; the returned function cancels. */
  timer(ms: number, label: string, run: () => void): () => void
}

/** A relay that was started. */
export interface RelayProcess {
  /** Takes an open socket. */
  accept(end: RelayEnd, room: string): RelayEndEvents
  /** Takes what is posted by HTTP: one event, or a list of them. */
  post(room: string, body: unknown): Promise<readonly PostedEvent[]>
  /** Reads a room's events by HTTP, by its query. */
  read(room: string, query: string): Promise<readonly ReadEvent[]>
  /** Sends everyone away in good order; resolves when nothing is left to do. */
  drain(): Promise<void>
}

/** An event as the room has it. */
export interface RoomEvent {
  readonly stream?: string
  /** Of an event with a stream. */
  readonly revision?: number
  readonly id: string
  readonly position: string
  readonly type: string
  readonly data: string
}

/** A device that joined, with the log it came with and the subject of its token. */
export interface Joined {
  readonly device: string
  readonly log: string
  readonly subject: string
  /** Whether the store lost that since. */
  lost: boolean
}

/** Where the room has an event that was posted. */
export interface PostedEvent {
  readonly id: string
  readonly position: string
  /** Of an event with a stream. */
  readonly revision?: number
}

/** An event as who reads by HTTP gets it. */
export interface ReadEvent extends PostedEvent {
  readonly type: string
  readonly data: unknown
}

/** What a room holds, as its store has it now. */
export interface RoomContents {
  /** Position of its newest place; `undefined` where there is no such room. */
  readonly head: string | undefined
  /** The newest place that was trimmed away; 0 where none was. */
  readonly trimmed: number
  /** In room order, as far as they are kept. */
  readonly events: readonly RoomEvent[]
  /** How often each event came into it, by id: what was trimmed away since, too, but not what it lost. */
  readonly came: ReadonlyMap<string, number>
  /** Ids of what it ever lost: some of that may have come again. */
  readonly lost: ReadonlySet<string>
  /** Ids of what it had trimmed away when it was restored from a copy that may have it. */
  readonly returned: ReadonlySet<string>
}

/** How a node stands to the store: its calls fail at once, or are not answered, where it is away. */
export type StoreLink = 'open' | 'refused' | 'silent'

/** What becomes of signals from one node to another: probabilities, and milliseconds at most. */
export interface SignalFaults {
  readonly drop: number
  readonly duplicate: number
  readonly delay: number
}

/**
 * The relay a network is made with: `simulatedRelay()` of `@crosstown/edge-relay/testing`. It owns
 * the store, which stays when its process ends.
 */
export interface RelayProgram {
  start(host: RelayHost): RelayProcess
  /** Puts back an earlier store: what was written after the first `writes` is gone. */
  restore(writes: number): Promise<void>
  /** Empties the store. */
  wipe(): void
  /** From now on each write of the store fails with this probability, 0 to 1. */
  fail(probability: number): void
  /** From now on a node reaches the store so. */
  link(node: number, link: StoreLink): void
  /** From now on signals between nodes fare so; by themselves each arrives once, soon. */
  signals(faults: SignalFaults | undefined): void
  /** Writes that are in the store. */
  readonly writes: number
  room(name: string): Promise<RoomContents>
  /** Position of a room's newest place; `undefined` where there is no such room. */
  head(room: string): Promise<string | undefined>
  /** Devices that ever joined any room, whatever became of the store since. */
  readonly joined: readonly Joined[]
  /** Where it did what a relay must never do. */
  readonly violations: readonly string[]
}
