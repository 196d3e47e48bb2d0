// The end of a run as the checks see it: logs and room, read from disk and store.

import { checkOf, positionOf } from '@crosstown/bus/protocol'
import type { TestDevice, TestNetwork } from '@crosstown/bus/testing'
import type { Ledger } from '../ledger.ts'
import { NAME, ROOM } from '../stage.ts'

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
  /** Where the room has it, as this log knows. */
  readonly position: string | undefined
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
  readonly epoch: string
}

export interface View {
  readonly ledger: Ledger
  readonly network: TestNetwork
  readonly devices: readonly DeviceView[]
  readonly room: {
    readonly head: string | undefined
    readonly events: readonly {
      readonly id: string
      readonly position: string
      readonly data: string
    }[]
  }
}

export async function viewOf(network: TestNetwork, ledger: Ledger): Promise<View> {
  const devices = await Promise.all(network.devices.map(deviceView))
  return { ledger, network, devices, room: await network.relay.room(ROOM) }
}

async function deviceView(device: TestDevice): Promise<DeviceView> {
  const records = await device.records(NAME, ROOM)
  const { room, head } = await device.disk(NAME, ROOM).log.state()
  const positions = positionsOf(records)
  const events = records.flatMap((record) => eventsOf(record, positions))
  return {
    name: device.name,
    device,
    events,
    cursor: room.cursor,
    pending: room.pending,
    head: head.batch,
    liveAfter: room.liveAfter,
    epoch: room.cursor?.split('.')[0] ?? '',
  }
}

function eventsOf(record: StoredBatch, positions: ReadonlyMap<string, string>): Logged[] {
  const slots = slotsOf(record)
  return record.headers.map((header, i) => ({
    id: header.id,
    header,
    data: record.data[i] as string,
    batch: record.batch,
    index: slots[i] as number,
    own: record.kind === 'own',
    position: positions.get(header.id),
  }))
}

/** The slot of each header: placeholders of own events take slots too. */
function slotsOf(record: StoredBatch): number[] {
  if (record.kind === 'own') return record.headers.map((_, i) => i)
  const slots: number[] = []
  let slot = 0
  for (const run of record.runs) {
    if ('own' in run) slot += run.own.indexes.length
    else for (let i = 0; i < run.events; i++) slots.push(slot++)
  }
  return slots
}

/** Where the room has each event, as the log's records say. */
function positionsOf(records: readonly StoredBatch[]): ReadonlyMap<string, string> {
  const byNumber = new Map(records.map((record) => [record.batch, record]))
  const positions = new Map<string, string>()
  for (const record of records) {
    if (record.kind === 'own') continue
    let next = 0
    for (const run of record.runs) {
      const ids =
        'own' in run
          ? run.own.indexes.map((index) => byNumber.get(run.own.batch)?.headers[index]?.id ?? '?')
          : record.headers.slice(next, next + run.events).map(({ id }) => id)
      if (!('own' in run)) next += run.events
      ids.forEach((id, k) => {
        positions.set(id, positionOf(record.epoch, run.place + k, checkOf(id)))
      })
    }
  }
  return positions
}
