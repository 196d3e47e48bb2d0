/** Rooms, records and appends that the suite writes. */
import { checkOf, type EventHeader, utf8Length } from '@crosstown/bus/protocol'
import type { Mark, RoomHead, RoomRecord } from '../../record.ts'
import type { Append, Keep, ReadLimit } from '../../stores/store.ts'

export const ALL: ReadLimit = { events: 1_000_000, bytes: 1_000_000_000 }
/** Nothing a test appends is over this. */
export const KEEP: Keep = { ...ALL, since: 0 }
export const EMPTY: RoomHead = { epoch: 'e', version: 0, place: 0, check: '0', chain: '', time: 0 }

/** A record of events with these ids; its place is given to it by `appendOf`. */
export function recordOf(ids: readonly string[], extra: Partial<RoomRecord> = {}): RoomRecord {
  const headers: EventHeader[] = ids.map((id) => ({ id, type: 'a.b', source: 's', time: 1 }))
  const headerLines = headers.map((header) => JSON.stringify(header))
  const data = ids.map((id) => JSON.stringify({ of: id }))
  return {
    place: 0,
    count: Math.max(1, ids.length),
    time: 1_000,
    lastId: ids.at(-1) ?? 'x',
    indexes: ids.map((_, i) => i),
    headers,
    headerLines,
    data,
    bytes: utf8Length([...headerLines, ...data].join('')),
    before: '',
    chain: '',
    ...extra,
  }
}

/** A chain of the suite's own: a store keeps chains and knows nothing of what is in them. */
export function chainAfter(place: number): string {
  return place === 0 ? '' : `chain${place}`
}

export function markOf(id: string, place: number): Mark {
  return { place, check: checkOf(id), chain: chainAfter(place) }
}

export function refusedRecord(lastId: string): RoomRecord {
  return recordOf([], { device: 'd', batch: 11, lastId, refused: [[0, 'forbidden']] })
}

export function appendOf(
  expected: RoomHead,
  records: readonly RoomRecord[],
  state: Append['state'],
): Append {
  let { place } = expected
  const placed = records.map((record) => {
    const before = chainAfter(place)
    const at = { ...record, place: place + 1, before, chain: chainAfter(place + record.count) }
    place += record.count
    return at
  })
  const newest = placed.at(-1)
  return {
    expected,
    head: {
      epoch: expected.epoch,
      version: expected.version + 1,
      place,
      check: newest ? checkOf(newest.headers.at(-1)?.id ?? newest.lastId) : expected.check,
      chain: newest?.chain ?? expected.chain,
      time: newest?.time ?? expected.time,
    },
    records: placed,
    state,
  }
}
