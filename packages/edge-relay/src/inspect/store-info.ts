import type { StoreInfo } from '@crosstown/bus/inspect'
import type { Limits } from '../limits.ts'
import type { Store } from '../stores/store.ts'

/** The room's log, as inspectors see a log. */
export async function storeInfo(store: Store, room: string, limits: Limits): Promise<StoreInfo> {
  const [stats, first] = await Promise.all([store.stats(room), store.first(room)])
  const { roomBytes: bytes, roomDays: days, roomEvents: events } = limits
  return {
    kind: store.durability,
    head: stats?.head.place ?? 0,
    first: first.place + 1,
    events: stats?.events ?? 0,
    bytes: stats?.bytes ?? 0,
    limits: { events, bytes, days },
    outbox: { pending: 0, bytes: 0, refused: 0 },
    ...(stats && { room: { epoch: stats.head.epoch, gaps: [] } }),
    snapshots: [],
  }
}
