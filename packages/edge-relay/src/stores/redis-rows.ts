/** Rooms and records as Redis has them, and the names of their keys. */
import type { Mark, RoomHead, RoomRecord } from '../record.ts'
import { type RecordRow, recordOf } from './record-rows.ts'
import type { Commands } from './redis-client.ts'

/** Of a room, as its hash has it. */
export interface RoomHash {
  readonly epoch: string
  readonly version: string
  readonly place: string
  readonly check: string
  readonly chain: string
  readonly time: string
  readonly events: string
  readonly bytes: string
  readonly first: string
}

/** Key of something of a room. */
export function keyOf(prefix: string, kind: string, room: string): string {
  return `${prefix}${kind}:${room}`
}

/** The room itself; `undefined` where it has no log. */
export async function roomIn(
  client: Commands,
  prefix: string,
  room: string,
): Promise<RoomHash | undefined> {
  const found = await client.hGetAll(keyOf(prefix, 'room', room))
  return isRoom(found) ? found : undefined
}

export function isRoom(found: Readonly<Record<string, string>>): found is RoomHash & typeof found {
  return found['epoch'] !== undefined
}

export function headOf({ epoch, version, place, check, chain, time }: RoomHash): RoomHead {
  return {
    epoch,
    version: Number(version),
    place: Number(place),
    check,
    chain,
    time: Number(time),
  }
}

export function recordIn({
  message,
}: {
  readonly message: Readonly<Record<string, string>>
}): RoomRecord {
  return recordOf(JSON.parse(message['r'] as string) as RecordRow)
}

export function markText({ place, check, chain }: Mark): string {
  return JSON.stringify([place, check, chain])
}

export function markOf(text: string): Mark {
  const [place, check, chain] = JSON.parse(text) as [number, string, string]
  return { place, check, chain }
}

export function rangesOf(
  text: string | null | undefined,
): [first: number, last: number, place: number][] {
  return text ? (JSON.parse(text) as [number, number, number][]) : []
}

/** As the scripts have it: sorted as the numbers are. */
export function padded(number: number): string {
  return String(number).padStart(16, '0')
}
