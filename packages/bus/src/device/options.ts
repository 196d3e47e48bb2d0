/** What a device is made of: the stages it ties together, and whom it tells. */
import type { Batch, Entry } from '../batch/batch.ts'
import type { Dispatch } from '../dispatch/dispatch.ts'
import type { BusError } from '../errors.ts'
import type { Inspection, TapHolder } from '../inspect/tap.ts'
import type { Link, LinkSource } from '../links/link.ts'
import type { Encoded, Log, LogSource, Writer } from '../log/log.ts'
import type { Platform } from '../platform.ts'
import type { RequestEvents, Requests } from '../request/requests.ts'
import type {
  Members,
  PeerContexts,
  PeerEvents,
  Presence,
  PresenceEvents,
  RelaySource,
  Waiters,
} from '../sync/sync.ts'
import type { Gap, SystemEvents } from '../types.ts'
import type { LinkedStages } from './linked.ts'
import type { Turn, TurnOptions } from './turn.ts'
import type { Retention } from './upkeep.ts'

/** The stages a device hands things to, made by `bus.ts`. */
export interface DeviceStages extends LinkedStages {
  readonly dispatcher: Dispatch
  readonly waiters: Waiters
  /** Of groups, in this context. */
  readonly members: Members
  peers(events: PeerEvents): PeerContexts
  presence(events: PresenceEvents): Presence
  requests(events: RequestEvents): Requests
  writer(log: Log): Writer
  takeTurn(options: TurnOptions): Turn
  /** The log used where the one asked for does not open. */
  fallbackLog(): Promise<() => Log>
  withExpected(log: Log, entries: readonly Entry[]): Promise<readonly Encoded[]>
  settleHandled(batch: Batch): void
}

export interface DeviceOptions {
  readonly name: string
  /** This context among those of the device. */
  readonly prefix: string
  readonly platform: Platform
  readonly taps: TapHolder
  readonly log: LogSource | undefined
  readonly tabs: LinkSource | undefined
  readonly relay: RelaySource | undefined
  readonly links: readonly (Link | LinkSource)[]
  /** How much the log keeps. */
  readonly retention: Retention
  readonly stages: DeviceStages
  /** The way to the taps of the origin; asked for when somebody inspects the room. */
  readonly inspection: () => Inspection
  readonly report: (error: BusError) => void
  readonly onGap: (gap: Gap) => void
  /** The gate opened: what was held can go. */
  readonly opened: () => void
  /** Own events are in the log, as record `batch`; told before their promises resolve. */
  readonly logged: (batch: number, entries: readonly Entry[]) => void
  /** The log has records up to `head`, or the room's part of it may be another than it was. */
  readonly changed: (head?: number) => void
  /** Nothing may run after this task: what is queued goes out in it. */
  readonly settle: () => void
  /** The log was cleared: what is on its way to it is lost. */
  readonly cleared: (error: BusError) => void
  /** The log is, or will be, another one than there was: offsets begin anew. */
  readonly renewed: () => void
  readonly publishSystem: <Type extends keyof SystemEvents>(
    type: Type,
    data: SystemEvents[Type],
  ) => void
}
