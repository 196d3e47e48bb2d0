// The end of a run as the checks see it: logs and room, read from disk and store.

import { checkOf } from '@crosstown/bus/protocol'
import type { TestDevice, TestNetwork } from '@crosstown/bus/testing'
import type { StreamHistory } from '@crosstown/edge-relay/testing'
import type { DurableWorkers } from '../durable.ts'
import type { GroupWorkers } from '../groups.ts'
import type { Instance, Ledger } from '../ledger.ts'
import { NAME, ROOM, SOME_TYPES } from '../place.ts'
import type { Requesters } from '../requests.ts'
import type { Stage } from '../stage.ts'
import { type Shown, shownBy } from '../views.ts'

type StoredBatch = Awaited<ReturnType<TestDevice['records']>>[number]
type Header = StoredBatch['headers'][number]

/** An event in a device's log. */
export interface Logged {
  readonly id: string
  readonly header: Header
  readonly data: string
  /** Record and index: where it stands. */
  readonly batch: number
  readonly index: number
  readonly own: boolean
  /** Where the record itself says that the room has it; of own ones it does not. */
  readonly said: { readonly epoch: string; readonly place: number } | undefined
  /** Where the room has it, as this log knows. */
  readonly position: string | undefined
  /** Which event of its stream it is in the room, as this log knows. */
  readonly revision: number | undefined
  /** Why the room refused it, as this log knows. */
  readonly refused: string | undefined
}

export interface DeviceView {
  readonly name: string
  readonly device: TestDevice
  /** In the log's order. */
  readonly events: readonly Logged[]
  readonly cursor: string | undefined
  readonly pending: number
  readonly head: number
  readonly liveAfter: number
  /** What the room lost, where its log knows. */
  readonly cuts: Cuts
  readonly epoch: string
  /** Own events that were in the log, and went with a power cut or with the log. */
  readonly gone: ReadonlySet<string>
  /** Whether its log joined under more than one device id. */
  readonly forked: boolean
  /** Whether its oldest events were removed, as it may hold only so many. */
  readonly trimmed: boolean
  /** What was in the logs it had before, and when they were cleared. */
  readonly former: readonly { readonly at: number; readonly ids: ReadonlySet<string> }[]
  /** Whether it reads this type of the room. */
  readonly reads: (type: string) => boolean
  /** Where the log knows that it is not whole. */
  readonly gaps: readonly { readonly reason: string; readonly from: string }[]
}

export interface View {
  /** Events that a log may hold, where that is few. */
  readonly logEvents: number | undefined
  readonly ledger: Ledger
  /** Absent where there are no groups. */
  readonly groups: GroupWorkers | undefined
  /** Absent where there are no durable consumers. */
  readonly durable: DurableWorkers | undefined
  /** Absent where there are none. */
  readonly requests: Requesters | undefined
  /** What writers and readers of streams by HTTP were told. */
  readonly history: StreamHistory
  /** Whether contexts of the device came, went or stood still. */
  readonly disturbed: (of: { readonly by: Instance }) => boolean
  readonly network: TestNetwork
  readonly devices: readonly DeviceView[]
  readonly shown: readonly Shown[]
  /** The contexts that the room can hear of, each with the ids it sees: its own first. */
  readonly present: readonly { readonly name: string; readonly sees: readonly string[] }[]
  /** Whether the run rested for as long as it takes to find out who is not there any more. */
  readonly rested: boolean
  /** Whether sockets fell silent. */
  readonly silent: boolean
  /** Contexts that the relay refuses, and why. */
  readonly refused: readonly { readonly name: string; readonly code: string | undefined }[]
  readonly room: Awaited<ReturnType<TestNetwork['relay']['room']>>
}

export async function viewOf(stage: Stage, rested: boolean): Promise<View> {
  const { network, ledger, groups, durable, requests, partial, logEvents } = stage
  const shown = await shownBy(network, stage.open, logEvents !== undefined)
  const devices = await Promise.all(
    network.devices.map((device) => deviceView(device, partial, network.relay.joined)),
  )
  const present = stage.connected.map(({ bus, instance: { name } }) => ({
    name,
    sees: bus.presence.get().map(({ id }) => id),
  }))
  const room = await network.relay.room(ROOM)
  return {
    ledger,
    groups,
    durable,
    requests,
    history: stage.histories.history,
    disturbed: ({ by }) => stage.isDisturbed(by.device),
    network,
    devices,
    shown,
    logEvents,
    present,
    rested,
    silent: stage.silent,
    refused: stage.refused.map(({ bus, instance: { name } }) => ({
      name,
      code: bus.status.get().lastError?.code,
    })),
    room,
  }
}

/** The place in a position; 0 where there is none. */
export function placeOf(position: string | undefined): number {
  return Number(position?.split('.')[1] ?? 0)
}

export async function deviceView(
  device: TestDevice,
  partial: ReadonlySet<string>,
  joined: TestNetwork['relay']['joined'],
): Promise<DeviceView> {
  const { log } = device.disk(NAME, ROOM)
  const records = await device.records(NAME, ROOM)
  const { room, head, logId } = await log.state()
  const placed = new Map<string, string>()
  const revisions = new Map<string, number>()
  const refused = new Map<string, string>()
  for (const { batch, parts } of await log.placements(1, head.batch)) {
    for (const { epoch, place, indexes, revisions: given, refused: codes = [] } of parts) {
      indexes.forEach((index, k) => {
        placed.set(`${batch}/${index}`, `${epoch}.${place + k}`)
        if (given?.[k]) revisions.set(`${batch}/${index}`, given[k])
      })
      for (const [index, code] of codes) refused.set(`${batch}/${index}`, code)
    }
  }
  const events = records.flatMap((record) => {
    const slots = slotsOf(record)
    return record.headers.map((header, i): Logged => {
      const { index, at } = slots[i] as Slot
      const said = at && !isCut(room.cuts, record.batch, at) ? `${at.epoch}.${at.place}` : undefined
      const key = `${record.batch}/${index}`
      const place = placed.get(key) ?? said
      return {
        id: header.id,
        header,
        data: record.data[i] as string,
        batch: record.batch,
        index,
        own: record.kind === 'own',
        said: at,
        position: place === undefined ? undefined : `${place}.${checkOf(header.id)}`,
        revision: revisions.get(key) ?? (said && !placed.has(key) ? header.revision : undefined),
        refused: refused.get(key),
      }
    })
  })
  return {
    name: device.name,
    device,
    events,
    cursor: room.cursor,
    pending: room.pending,
    head: head.batch,
    liveAfter: room.liveAfter,
    cuts: room.cuts,
    gaps: room.gaps,
    trimmed: records.length < head.batch,
    former: device.disk(NAME, ROOM).former,
    forked: new Set(joined.flatMap((one) => (one.log === logId ? [one.device] : []))).size > 1,
    gone: new Set(device.disk(NAME, ROOM).gone),
    reads: (type) => !partial.has(device.origin.name) || SOME_TYPES.includes(type),
    epoch: room.cursor?.split('.')[0] ?? '',
  }
}

/** Where a header of a record stands in it, and in the room as the record itself says. */
interface Slot {
  readonly index: number
  readonly at?: { readonly epoch: string; readonly place: number }
}

function slotsOf(record: StoredBatch): Slot[] {
  if (record.kind === 'own') return record.headers.map((_, index) => ({ index }))
  const slots: Slot[] = []
  let index = 0
  for (const run of record.runs) {
    if ('own' in run) index += run.own.indexes.length
    else if ('held' in run) index += run.held.indexes.length
    else {
      for (let k = 0; k < run.events; k++) {
        slots.push({ index: index++, at: { epoch: record.epoch, place: run.place + k } })
      }
    }
  }
  return slots
}

type Cuts = Awaited<ReturnType<ReturnType<TestDevice['disk']>['log']['state']>>['room']['cuts']

function isCut(cuts: Cuts, record: number, at: NonNullable<Slot['at']>): boolean {
  return cuts.some((cut) => cut.epoch === at.epoch && record <= cut.record && at.place > cut.place)
}

/** A copied profile has what was in the one it was copied from. */
export function sameOrigin(a: { origin: unknown }, b: { origin: unknown }): boolean {
  return a.origin === b.origin
}

/** The key in an event's data: which publication it is. */
export function keyOf(data: string): string {
  return /"key":"(k\d+)"/.exec(data)?.[1] ?? ''
}

/**
 * Whether it is a post with an id of its publisher's that was sent again when the room had trimmed it.
 * It has no counter, and is known by that id as long as it is kept.
 */
export function isForgetful(id: string, { came, trimmed }: View['room']): boolean {
  return isPostedId(id) && trimmed > 0 && (came.get(id) ?? 0) > 1
}

/** Whether it is derived from an id that a publisher without a device gave. */
export function isPostedId(id: string): boolean {
  return id.startsWith('h-')
}
