/** The outbox as people see it: own events that the room has not confirmed, or refused. */
import type { BusErrorCode } from '../errors.ts'
import type { Log, PlacedPart, StoredBatch } from '../log/log.ts'
import { eventsOf, type LoggedEvent } from './walk.ts'

/** An own event of the log; `code` where the relay refused it for good. */
export interface OutboxEntry {
  readonly event: LoggedEvent
  readonly code: BusErrorCode | undefined
  /** With `conflict`: the revision that its stream had in the room. */
  readonly currentRevision: number | undefined
}

/** Records read at once. */
const CHUNK = 32

/** Own events for the room that wait for their confirmation, oldest first, or those it refused. */
export async function* outboxOf(
  log: Log,
  state: 'pending' | 'refused',
): AsyncGenerator<OutboxEntry, void, void> {
  const { room } = await log.state(false)
  // Whatever is before the confirmed batch is settled.
  let next = state === 'pending' ? (room.confirmed?.batch ?? 0) + 1 : 0
  while (true) {
    const batches = await log.read(next, CHUNK)
    const newest = batches.at(-1)?.batch
    if (newest === undefined) return
    const placements = await log.placements(next, newest)
    const parts = new Map(placements.map((placement) => [placement.batch, placement.parts]))
    for (const batch of batches) yield* entriesOf(batch, parts.get(batch.batch) ?? [], state)
    if (batches.length < CHUNK) return
    next = newest + 1
  }
}

function* entriesOf(
  batch: StoredBatch,
  parts: readonly PlacedPart[],
  state: 'pending' | 'refused',
): Generator<OutboxEntry, void, void> {
  if (batch.kind !== 'own' || batch.roomEvents === 0) return
  const refused = new Map(
    parts.flatMap((part) => part.refused ?? []).map((refusal) => [refusal[0], refusal] as const),
  )
  const placed = new Set(parts.flatMap(({ indexes }) => indexes))
  for (const [index, event] of eventsOf(batch).entries()) {
    const [, code, currentRevision] = refused.get(index) ?? []
    if (state === 'refused' ? code === undefined : code !== undefined || placed.has(index)) continue
    if (event.header.scope !== 'device') yield { event, code, currentRevision }
  }
}
