/** From hello to welcome: what the room has for a device that says what it holds. */
import {
  BusError,
  type HelloFrame,
  isPattern,
  MAX_BATCH_EVENTS,
  MAX_FRAME_BYTES,
  type Term,
  type WelcomeFrame,
} from '@crosstown/bus/protocol'
import type { Identity } from '../auth.ts'
import type { AdmittedReply, DeviceRow } from '../commands.ts'
import type { Limits } from '../limits.ts'
import { headPosition } from '../record.ts'
import { type Resume, resumeAt } from '../resume.ts'
import { isSameTerm } from '../room.ts'
import type { RoomHost } from '../room-host.ts'
import { LOW_WATER_BYTES } from '../socket.ts'
import type { ConnectionContext } from './context.ts'

/** A device that may come in, and where its stream goes on. */
export interface Arrival {
  readonly host: RoomHost
  readonly hello: HelloFrame
  readonly identity: Identity
  readonly admitted: AdmittedReply
  readonly resume: Resume
}

/** Who joins. */
export interface Newcomer {
  readonly closed: boolean
  /** Called in the turn in which the room was read. */
  welcome(arrival: Arrival): void
}

/** @throws {BusError} invalid_pattern */
export function checkHello({ types }: HelloFrame): void {
  if (types?.some((pattern) => !isPattern(pattern)))
    throw new BusError('invalid_pattern', 'hello: types has something that is not a pattern')
}

/**
 * Takes a device to its room, which stays in memory until it was welcomed.
 *
 * @throws {BusError} bad_device, subject_changed, going_away, unavailable
 */
export async function join(
  { host: hostOf, platform, store }: ConnectionContext,
  room: string,
  hello: HelloFrame,
  identity: Identity,
  newcomer: Newcomer,
): Promise<void> {
  const secretHash = await platform.sha256(hello.device.secret)
  if (newcomer.closed) return
  const host = hostOf(room)
  const { confirmed, cursor, device, log, subject: owner, terms } = hello
  const { rights, subject } = identity
  const release = host.retain()
  try {
    const who = { device: device.id, secretHash, subject }
    const admitted = await host.hello({ ...who, log, owner, terms, cursor, confirmed })
    if (newcomer.closed) return
    const resume = await resumeAt(store, room, host.head, hello, rights.history)
    if (!newcomer.closed) newcomer.welcome({ host, hello, identity, admitted, resume })
  } finally {
    release()
  }
}

/**
 * The device's row, where what was read of the room for it still holds.
 *
 * @throws {BusError} stale_term, unavailable
 */
export function rowOf({ host, hello, admitted, resume }: Arrival): DeviceRow {
  const { head } = host
  const row = host.device(hello.device.id)
  if (row && !admitted.copy && !isSameTerm(row.term, hello.terms.at(-1) as Term))
    throw new BusError('stale_term', 'this device has connected anew')
  if (!row || !resume.from.startsWith(`${head.epoch}.`) || resume.place > head.place)
    throw new BusError('unavailable', 'the room was read anew while this device joined')
  return row
}

/** What a device is told of a room, beside how long its token is good. */
export function welcomeOf(
  { limits, store }: ConnectionContext,
  { host: { head }, identity: { subject, rights }, admitted: { term }, resume }: Arrival,
  row: DeviceRow,
  asksForCredits: boolean,
): WelcomeFrame {
  const { place: _, ...answer } = resume
  return {
    frame: 'welcome',
    version: 1,
    subject,
    rights: { publish: rights.publish, subscribe: rights.subscribe },
    ...(row.taken && { taken: row.taken }),
    ...(term && { term }),
    epoch: head.epoch,
    head: headPosition(head),
    ...answer,
    limits: {
      frameBytes: MAX_FRAME_BYTES,
      batchEvents: MAX_BATCH_EVENTS,
      heartbeatMs: limits.heartbeatMs,
      ...(asksForCredits && { creditBytes: creditBytes(limits) }),
    },
    durability: store.durability,
    groups: true,
  }
}

/** Often enough that who reads is never taken for one who does not. */
function creditBytes({ pauseBytes }: Limits): number {
  return Math.ceil(Math.min(pauseBytes, LOW_WATER_BYTES) / 4)
}
