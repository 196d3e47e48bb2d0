/** How far a log was folded, and whether what was folded is true still. */
import { BATCH_SLOTS, slotOf } from '../event.ts'
import type { LogState } from '../log/log.ts'
import { type Cut, parsePosition } from '../protocol/position.ts'
import type { RoomWalk } from './room-order.ts'

/** A place in the room's order of a log, and what there is to know of what stands before it. */
export interface Point {
  /** Number of the last record before it. */
  readonly through: number
  /** Number of the first record with events that stand behind it still; else the next one. */
  readonly rest: number
  /** Who the log was to the room: another device may have other events confirmed. */
  readonly device: string
  /** The last own batch that was confirmed; 0 if there was none. */
  readonly confirmed: number
  readonly cuts: readonly Cut[]
  /** Position up to which the room was in the log. */
  readonly position?: string
}

export function pointOf(walk: RoomWalk, { device, room }: LogState): Point {
  const { through, position } = walk
  let rest = (through + 1) * BATCH_SLOTS
  for (const part of ['lost', 'pending'] as const) {
    for (const offset of walk.offsets(part)) rest = Math.min(rest, offset)
  }
  return {
    through,
    rest: slotOf(rest).batch,
    device: device.id,
    confirmed: room.confirmed?.batch ?? 0,
    cuts: room.cuts,
    ...(position === undefined ? undefined : { position }),
  }
}

/** Whether the room still has all that it had up to a point. */
export function stands(point: Point, { device, head, room }: LogState): boolean {
  const at = parsePosition(point.position ?? '')
  return (
    point.device === device.id &&
    point.through <= head.batch &&
    point.confirmed <= (room.confirmed?.batch ?? 0) &&
    room.cuts.every(
      (cut) =>
        cut.epoch !== at?.epoch ||
        at.place <= cut.place ||
        point.cuts.some(({ record, epoch, place }) => {
          return record === cut.record && epoch === cut.epoch && place === cut.place
        }),
    )
  )
}
