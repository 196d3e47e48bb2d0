/**
 * Positions: where an event stands in a room. To everyone but this file and the relay they are
 * opaque text, compared only for equality.
 */

/** Where a reader starts that was not there before: `time` in milliseconds since 1970, `last` in events. */
export type From = 'start' | 'now' | { position: string } | { time: number } | { last: number }

/** What stands inside a position. */
export interface Place {
  readonly epoch: string
  /** Counts the places of the room from 1; 0 is before the first. */
  readonly place: number
  readonly check: string
  /** The relay's mark of all that stands up to there; absent in a position of one event. */
  readonly chain?: string
}

/**
 * FNV-1a, 32 bits, of the UTF-8 bytes of an event id, in base 36: the check in a position, which
 * tells whether a room still has the same event there.
 */
export function checkOf(id: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i)
    if (unit > 127) {
      // From here on its characters are not its bytes, as those of most ids are.
      const rest = new TextEncoder().encode(id.slice(i))
      for (const byte of rest) hash = Math.imul(hash ^ byte, 0x01000193)
      break
    }
    hash = Math.imul(hash ^ unit, 0x01000193)
  }
  return (hash >>> 0).toString(36)
}

/** The position of an event; with a chain, that of a relay's stream. An empty chain is none. */
export function positionOf(epoch: string, place: number, check: string, chain = ''): string {
  const position = `${epoch}.${place}.${check}`
  return chain === '' ? position : `${position}.${chain}`
}

/** The position before a room's first place. */
export function startOf(epoch: string): string {
  return positionOf(epoch, 0, '0')
}

/** What stands in a position, or `undefined` for a text that is none. */
export function parsePosition(position: string): Place | undefined {
  const match = /^([A-Za-z0-9_-]{1,64})\.(\d{1,15})\.([0-9a-z]{1,7})(?:\.([0-9a-z]{1,32}))?$/.exec(
    position,
  )
  if (!match) return undefined
  const [, epoch = '', place, check = '', chain] = match
  return { epoch, place: Number(place), check, ...(chain !== undefined && { chain }) }
}

/**
 * Positions that a room has lost: what records of a log up to `record` say of places of `epoch`
 * above `place` is true no longer.
 */
export interface Cut {
  readonly record: number
  readonly epoch: string
  /** 0 where the whole epoch is gone. */
  readonly place: number
}

/** Whether what record `record` says of a place is true no longer. */
export function isCut(cuts: readonly Cut[], record: number, epoch: string, place: number): boolean {
  return cuts.some((cut) => cut.epoch === epoch && record <= cut.record && place > cut.place)
}

/**
 * Up to which place of `epoch` record `record` brings what the room had before this log joined it. What
 * the room gets again at places it lost is new.
 *
 * @param liveAfter the place of the room's head when the log joined
 */
export function pastThrough(
  { liveAfter, cuts }: { readonly liveAfter: number; readonly cuts: readonly Cut[] },
  epoch: string,
  record: number,
): number {
  const anew = cuts.filter((cut) => cut.epoch === epoch && record > cut.record)
  return Math.min(liveAfter, ...anew.map(({ place }) => place))
}
