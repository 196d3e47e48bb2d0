/**
 * Streams of a room: which event is the newest of each, and whether what an event expects of its
 * stream holds. Pure, as `room.ts` is.
 */
import type { EventHeader, Expected } from '@crosstown/bus/protocol'

/** The newest event of a stream; it stays when the event itself is trimmed away. */
export interface StreamHead {
  /** From 1, without gaps. */
  readonly revision: number
  readonly id: string
}

/** Gives the head of a stream; `undefined` where the room never had an event of it. */
export type HeadOf = (stream: string) => StreamHead | undefined

/** Key of a stream's head in a room's state. */
export const STREAM_KEY = 'stream/'

/** A head as the store keeps it, and back. */
export function headText({ revision, id }: StreamHead): string {
  return JSON.stringify([revision, id])
}

export function readHead(text: string): StreamHead {
  const [revision, id] = JSON.parse(text) as [number, string]
  return { revision, id }
}

/**
 * The events that do not find their stream as they expect it, with the stream's revision then, by
 * index. Each is judged as if those before it were in the room, but for those that are refused; the
 * events of a group share their fate.
 *
 * @param refused whether an event is refused already, or in the room before
 */
export function conflictsOf(
  headers: readonly Omit<EventHeader, 'id'>[],
  ids: (index: number) => string,
  refused: (index: number) => boolean,
  headOf: HeadOf,
): Map<number, number> {
  const conflicts = new Map<number, number>()
  if (!headers.some(({ expected }) => expected !== undefined)) return conflicts
  let again = true
  while (again) {
    again = false
    const heads = new Map<string, StreamHead>()
    /** Accepted events of groups, by stream: none of them counts once one is refused. */
    const inGroup = new Map<number, string[]>()
    for (const [i, { stream, expected, group }] of headers.entries()) {
      if (stream === undefined || refused(i) || conflicts.has(i)) continue
      const head = heads.get(stream) ?? headOf(stream)
      if (expected === undefined || holds(expected, head)) {
        heads.set(stream, { revision: (head?.revision ?? 0) + 1, id: ids(i) })
        if (group === undefined) continue
        const own = inGroup.get(group)
        if (own) own.push(stream)
        else inGroup.set(group, [stream])
        continue
      }
      const own = group === undefined ? [] : (inGroup.get(group) ?? [])
      const revision = (head?.revision ?? 0) - own.filter((one) => one === stream).length
      conflicts.set(i, revision)
      if (group === undefined) continue
      for (const [k, other] of headers.entries())
        if (other.group === group && !refused(k)) conflicts.set(k, revision)
      // Who came after the first of them counted on it.
      if (own.length > 0) {
        again = true
        break
      }
    }
  }
  return conflicts
}

function holds(expected: Expected, head: StreamHead | undefined): boolean {
  if (expected === 'none') return head === undefined
  if (expected === 'exists') return head !== undefined
  return typeof expected === 'number'
    ? (head?.revision ?? 0) === expected
    : head?.id === expected.id
}

/** A header as the room keeps it, and as a line: with its revision, without what was expected. */
export function keptHeader(
  header: EventHeader,
  line: string,
  revision: number | undefined,
): { readonly header: EventHeader; readonly line: string } {
  const { expected, revision: said, ...rest } = header
  if (expected === undefined && said === undefined) {
    if (revision === undefined) return { header, line }
    return { header: { ...header, revision }, line: `${line.slice(0, -1)},"revision":${revision}}` }
  }
  const kept = revision === undefined ? rest : { ...rest, revision }
  return { header: kept, line: JSON.stringify(kept) }
}
