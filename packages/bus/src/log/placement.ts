/** Where the room has events of this log: how the parts of a placement are added and cut. */
import { BATCH_SLOTS } from '../event.ts'
import { isIndex, isList, isObject, isPlacedPart } from '../protocol/checks.ts'
import type { BatchRef, Earlier, OwnRun, Refusal } from '../protocol/frames.ts'
import { type Cut, isCut } from '../protocol/position.ts'
import type { HeldRun, PlacedPart, Placement, RoomBatch } from './log.ts'

/**
 * A placement as it was written. One that is damaged has no parts: the room is asked again, and says
 * the same.
 */
export function readPlacement(written: unknown, batch: number): Placement {
  if (!isObject(written)) return { batch, parts: [] }
  const { parts, lost } = written
  const read = { batch, parts: isList(parts, MAX_PARTS) ? parts.filter(isPart) : [] }
  return lost === true ? { ...read, lost } : read
}

/** The same from the text that a log without structured values keeps. */
export function readPlacementText(written: unknown, batch: number): Placement {
  try {
    return readPlacement(JSON.parse(written as string), batch)
  } catch {
    return { batch, parts: [] }
  }
}

/** As many as a record has slots. */
const MAX_PARTS = BATCH_SLOTS

function isPart(part: unknown): part is PlacedPart {
  return isPlacedPart(part)
}

/** A run of events that are in another record. */
export type PlacingRun = OwnRun | HeldRun

/** The runs of a room batch that say where the events of other records stand, by record. */
export function placingRuns(batch: Pick<RoomBatch, 'runs'>): Map<number, PlacingRun[]> {
  const byRecord = new Map<number, PlacingRun[]>()
  for (const run of batch.runs) {
    if ('events' in run) continue
    const number = 'own' in run ? run.own.batch : run.held.batch
    const known = byRecord.get(number)
    if (known) known.push(run)
    else byRecord.set(number, [run])
  }
  return byRecord
}

/**
 * A placement with the runs of one more room record. What it says validly stays, and the runs add
 * what it does not say; what the room has lost is dropped.
 */
export function placed(
  batch: number,
  known: Placement | undefined,
  runs: readonly PlacingRun[],
  by: { readonly record: number; readonly epoch: string },
  cuts: readonly Cut[],
): Placement {
  const valid = validPlacement(known, cuts)
  const parts = [...(valid?.parts ?? [])]
  const said = decidedIndexes(parts)
  for (const run of runs) parts.push(...partsOf(run, by, said))
  return valid?.lost ? { batch, parts, lost: true } : { batch, parts }
}

interface Part {
  readonly place: number
  readonly indexes: number[]
  readonly revisions: number[]
  refused?: Refusal[]
}

/** A run without the indexes that are said already, as parts without holes. */
function partsOf(
  run: PlacingRun,
  by: { readonly record: number; readonly epoch: string },
  said: Set<number>,
): PlacedPart[] {
  const { indexes: all, revisions: given } = 'own' in run ? run.own : run.held
  const parts: Part[] = []
  all.forEach((index, k) => {
    if (said.has(index)) return
    said.add(index)
    const revision = given?.[k] ?? 0
    const last = parts.at(-1)
    const place = run.place + k
    if (last && last.place + last.indexes.length === place) {
      last.indexes.push(index)
      last.revisions.push(revision)
    } else parts.push({ place, indexes: [index], revisions: [revision] })
  })
  if ('own' in run) parts.push(...earlierParts(run.own.earlier ?? [], said))
  const refused = 'own' in run ? run.own.refused?.filter(([index]) => !said.has(index)) : undefined
  if (refused !== undefined && refused.length > 0) {
    for (const [index] of refused) said.add(index)
    // A refusal is said at the place where its run begins, and is lost together with it.
    if (parts[0]?.place !== run.place)
      parts.unshift({ place: run.place, indexes: [], revisions: [] })
    ;(parts[0] as Part).refused = refused
  }
  return parts.map(({ place, indexes, revisions, refused }) => ({
    ...by,
    place,
    indexes,
    ...(revisions.some((revision) => revision > 0) && { revisions }),
    ...(refused === undefined ? undefined : { refused }),
  }))
}

/** Events that the room had before: each with a place of its own, neighbours together. */
function earlierParts(earlier: readonly Earlier[], said: Set<number>): Part[] {
  const parts: Part[] = []
  for (const [index, place] of earlier) {
    if (said.has(index)) continue
    said.add(index)
    const last = parts.at(-1)
    if (last && last.place + last.indexes.length === place) {
      last.indexes.push(index)
      last.revisions.push(0)
    } else parts.push({ place, indexes: [index], revisions: [0] })
  }
  return parts
}

/** What of a placement is true still; `undefined` if nothing is. */
export function validPlacement(
  placement: Placement | undefined,
  cuts: readonly Cut[],
): Placement | undefined {
  if (!placement) return undefined
  const parts = validParts(placement.parts, cuts)
  const lost = placement.lost || placesIn(parts) < placesIn(placement.parts)
  if (lost) return { batch: placement.batch, parts, lost }
  return parts.length > 0 ? { batch: placement.batch, parts } : undefined
}

function placesIn(parts: readonly PlacedPart[]): number {
  return parts.reduce((sum, { indexes }) => sum + indexes.length, 0)
}

function validParts(parts: readonly PlacedPart[], cuts: readonly Cut[]): readonly PlacedPart[] {
  if (cuts.length === 0) return parts
  const valid: PlacedPart[] = []
  for (const part of parts) {
    const { record, epoch, place, indexes } = part
    if (isCut(cuts, record, epoch, place)) continue
    // Places ascend, and a cut takes all above one: what stays is the beginning.
    const end = indexes.findIndex((_, k) => isCut(cuts, record, epoch, place + k))
    valid.push(end < 0 ? part : upTo(part, end))
  }
  return valid
}

function upTo({ revisions, ...part }: PlacedPart, end: number): PlacedPart {
  const kept = { ...part, indexes: part.indexes.slice(0, end) }
  return revisions ? { ...kept, revisions: revisions.slice(0, end) } : kept
}

function decidedIndexes(parts: readonly PlacedPart[]): Set<number> {
  const indexes = new Set<number>()
  for (const part of parts) {
    for (const index of part.indexes) indexes.add(index)
    for (const [index] of part.refused ?? []) indexes.add(index)
  }
  return indexes
}

/** How many events of an own batch the room has not decided on. */
export function pendingOf(roomEvents: unknown, valid: Placement | undefined): number {
  if (!isIndex(roomEvents)) return 0
  return valid ? Math.max(0, roomEvents - decidedIndexes(valid.parts).size) : roomEvents
}

/** The newest own batch in a room batch, and the last of its events that was decided on. */
export function lastDecided(
  batch: Pick<RoomBatch, 'runs'>,
): { readonly batch: number; readonly index: number } | undefined {
  let last: { batch: number; index: number } | undefined
  for (const run of batch.runs) {
    if (!('own' in run)) continue
    const index = Math.max(
      ...run.own.indexes,
      ...(run.own.refused ?? []).map(([refused]) => refused),
      ...(run.own.earlier ?? []).map(([earlier]) => earlier),
      -1,
    )
    const later =
      last === undefined ||
      run.own.batch > last.batch ||
      (run.own.batch === last.batch && index > last.index)
    if (later) last = { batch: run.own.batch, index }
  }
  return last
}

/** The pair of the last confirmed own batch after a room batch: it never goes back. */
export function confirmedAfter(
  confirmed: BatchRef | undefined,
  last: { readonly batch: number; readonly index: number },
  ids: readonly (string | undefined)[],
): BatchRef | undefined {
  if (confirmed && confirmed.batch > last.batch) return confirmed
  // Of a batch that came to the room under another device id, its run may name nothing.
  const id = last.index < 0 ? ids.at(-1) : ids[last.index]
  if (id === undefined) return confirmed
  const later = confirmed?.batch !== last.batch || ids.indexOf(confirmed.id) <= last.index
  return later ? { batch: last.batch, id } : confirmed
}
