/** The captured time in slices: how much happened in each, and how much of it went wrong. */
import type { Filtered, Minimap, NoteRow, Session } from './model.ts'
import { FilteredRows } from './query/filtered.ts'
import { SessionStore } from './session.ts'
import { NOTE } from './store/rows.ts'

interface Bucket {
  events: number
  matching: number
  errors: number
  gaps: number
}

interface Counted {
  readonly filtered: Filtered
  readonly buckets: number
  readonly version: number
  readonly filteredVersion: number
  /** From then on it is counted again. */
  readonly fresh: number
  readonly map: Minimap
}

/** Counting 100,000 rows takes some ms: so often at most, and no longer than this part of the time. */
const FRESH_MS = 200
/** On a machine that is busy with others a count takes long by the clock: it is not waited for longer. */
const STALE_MS = 2_000
const SHARE = 1 / 50
const SMALL = 5_000
const NOTHING: Minimap = { from: 0, to: 0, buckets: [] }

/** The last map of each session: asked for again in each frame. */
const counted = new WeakMap<Session, Counted>()

/**
 * What was captured, in `buckets` equal slices of its time. Of many rows the same map is given for
 * 200 ms and more; whoever draws it is told of changes anyway.
 */
export function minimapOf(session: Session, filtered: Filtered, buckets: number): Minimap {
  if (!(session instanceof SessionStore) || !(filtered instanceof FilteredRows)) return NOTHING
  const now = session.timing.now()
  const last = counted.get(session)
  if (last && last.filtered === filtered && last.buckets === buckets) {
    const same = last.version === session.version && last.filteredVersion === filtered.version
    const rest = session.ring.length > SMALL ? last.fresh - now : 0
    if (same || rest > 0) {
      // A last change is drawn too.
      if (!same) session.later(rest)
      return last.map
    }
  }
  const map = count(session, filtered, buckets)
  const done = session.timing.now()
  counted.set(session, {
    filtered,
    buckets,
    version: session.version,
    filteredVersion: filtered.version,
    fresh: done + Math.min(STALE_MS, Math.max(FRESH_MS, (done - now) / SHARE)),
    map,
  })
  return map
}

function count(session: SessionStore, filtered: FilteredRows, size: number): Minimap {
  const { ring, entries, notes } = session
  let from = Number.POSITIVE_INFINITY
  let to = Number.NEGATIVE_INFINITY
  const msOf = (row: number): number => {
    const entry = ring.at(row)
    return entry === NOTE ? (notes.get(row)?.ms ?? Number.NaN) : entries.ms[entry]!
  }
  for (let row = ring.first; row < ring.next; row++) {
    const ms = msOf(row)
    if (ms < from) from = ms
    if (ms > to) to = ms
  }
  if (from > to) return NOTHING
  const buckets: Bucket[] = Array.from({ length: size }, () => ({
    events: 0,
    matching: 0,
    errors: 0,
    gaps: 0,
  }))
  const width = (to - from) / size || 1
  const bucketAt = (ms: number) => buckets[Math.min(size - 1, Math.floor((ms - from) / width))]
  for (let row = ring.first; row < ring.next; row++) {
    const bucket = bucketAt(msOf(row))
    if (!bucket) continue
    const entry = ring.at(row)
    if (entry === NOTE) countNote(bucket, notes.get(row)!)
    else {
      bucket.events++
      if (session.isBad(entry)) bucket.errors++
    }
  }
  for (let index = 0; index < filtered.length; index++) {
    const row = filtered.rowNumber(index)
    if (ring.at(row) === NOTE) continue
    const bucket = bucketAt(msOf(row))
    if (bucket) bucket.matching++
  }
  return { from, to, buckets }
}

function countNote(bucket: Bucket, { kind, severity }: NoteRow): void {
  if (kind === 'gap' || kind === 'lost') bucket.gaps++
  else if (severity === 'error') bucket.errors++
}
