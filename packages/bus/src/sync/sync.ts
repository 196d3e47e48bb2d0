import type { BusError } from '../errors.ts'
import type { RoomBatch } from '../log/log.ts'
import type { CastFrame, Refusal, Run } from '../protocol/frames.ts'
import type { Gap, RelayState } from '../types.ts'

/** What a session tells the device that leads. */
export interface SessionEvents {
  /** The relay's state changed; `error` where there is a reason to show. */
  state(relay: RelayState, error?: BusError): void
  rtt(ms: number): void
  /** A batch of the room is in the log as record `number`; 0 if it only moved the cursor. */
  committed(number: number, record: RoomBatch, runs: readonly Run[], data: readonly string[], liveAfter: number): void
  /** Unpersisted events of other devices. */
  cast(frame: CastFrame, data: readonly string[]): void
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
  readonly refused: readonly Refusal[]
}
