/** Tells members what they were leased, once that is committed. */
import type { LeaseRef } from '@crosstown/bus/protocol'
import type { RelayTap } from '../inspect/tap.ts'
import { lastPlace, type RoomRecord } from '../record.ts'
import type { ReadLimit, Store } from '../stores/store.ts'
import type { Granted } from './core.ts'
import type { Group, GroupPeer } from './group.ts'
import { type Found, leaseTexts } from './lease-text.ts'
import type { DeadLetter } from './state.ts'

/** What is needed to tell them. */
export interface LeasingContext {
  readonly room: string
  readonly store: Store
  readonly report: (error: unknown) => void
  /** An event that was leased is not in the room any more. */
  readonly lost: (group: string, key: string, lease: LeaseRef) => void
  /** Something is on its way to a member, or is not any more. */
  readonly busy: (peer: GroupPeer, by: number) => void
  /** There while the room is inspected. */
  readonly tap: () => RelayTap | undefined
}

/** A record that is looked up, and no more. */
const ONE: ReadLimit = { events: 1, bytes: 1 }

/** Sends leases; events of records that are not in memory are read first. */
export function sendLeases(
  context: LeasingContext,
  group: Group,
  granted: readonly Granted[],
  find: (place: number) => RoomRecord | undefined,
): void {
  const found = new ByMember()
  const missing: Granted[] = []
  for (const lease of granted) {
    const record = find(lease.place)
    if (record) found.add(lease, record)
    else missing.push(lease)
  }
  found.tell(group, context.tap())
  if (missing.length === 0) return
  const peers = new Set(missing.map(({ member }) => group.members.get(member)?.peer))
  const busy = (by: number): void => {
    for (const peer of peers) if (peer) context.busy(peer, by)
  }
  busy(1)
  void readLeases(context, group, missing).finally(() => busy(-1))
}

async function readLeases(
  { lost, report, room, store, tap }: LeasingContext,
  group: Group,
  granted: readonly Granted[],
): Promise<void> {
  const found = new ByMember()
  let record: RoomRecord | undefined
  for (const lease of granted) {
    const { generation, member, place } = lease
    try {
      // Neighbours are mostly of one record.
      if (!record || record.place > place || lastPlace(record) < place)
        record = (await store.read(room, place - 1, ONE))[0]
      if (record && record.place <= place) found.add(lease, record)
      else lost(group.name, member, [place, generation])
    } catch (error) {
      // The lease lapses, and is tried again.
      report(error)
    }
  }
  found.tell(group, tap())
}

/** Tells inspectors of events that were given up. */
export async function tellDeaths(
  { report, room, store, tap }: LeasingContext,
  group: string,
  letters: readonly DeadLetter[],
): Promise<void> {
  if (!tap()) return
  try {
    for (const { attempts, place, reason } of letters) {
      const [record] = await store.read(room, place - 1, ONE)
      if (record && record.place <= place) tap()?.died(idIn(record, place), group, attempts, reason)
    }
  } catch (error) {
    report(error)
  }
}

function idIn(record: RoomRecord, place: number): string {
  return record.headers[place - record.place]?.id ?? record.lastId
}

class ByMember {
  readonly #found = new Map<string, Found[]>()

  add(lease: Granted, record: RoomRecord): void {
    const own = this.#found.get(lease.member)
    if (own) own.push({ lease, record })
    else this.#found.set(lease.member, [{ lease, record }])
  }

  tell(group: Group, tap: RelayTap | undefined): void {
    for (const [key, all] of this.#found) {
      // While it was read it may have been given back, and be somebody else's.
      const found = all.filter(({ lease: { generation, place } }) => {
        const one = group.state?.pending.get(place)
        return one?.member === key && one.generation === generation
      })
      if (found.length === 0) continue
      if (tap) {
        for (const { lease, record } of found)
          if (lease.attempt > 1) tap.leasedAgain(idIn(record, lease.place), lease.attempt)
      }
      const member = group.members.get(key)
      if (!member || member.peer.closed) continue
      for (const text of leaseTexts(group.name, member.name, found)) member.peer.send(text)
    }
  }
}
