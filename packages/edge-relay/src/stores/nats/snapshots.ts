/** The newest snapshot of a room's log, so that opening it does not read all of it. */
import { type Journal, textIn } from './journal.ts'
import { RoomView, type ViewData } from './view.ts'

export interface Snapshot {
  /** Sequence of the message that names it. */
  readonly at: number
  /** Sequence and number of the newest message of the log that is in it. */
  readonly seq: number
  readonly number: number
  readonly bytes: number
}

/** What stands on the subject: the snapshot itself is in the parts. */
interface Manifest {
  readonly seq: number
  readonly number: number
  readonly bytes: number
  readonly parts: readonly number[]
}

export const NO_SNAPSHOT: Snapshot = { at: 0, seq: 0, number: 0, bytes: 0 }

/** What is known of the newest one. */
export async function newestSnapshot(
  journal: Journal,
  room: string,
  epoch: string,
): Promise<Snapshot | undefined> {
  const named = await journal.last(journal.subject('snap', room, epoch))
  return named && { at: named.seq, ...(JSON.parse(textIn(named.bytes)) as Manifest) }
}

/** `undefined` where there is none; 'removed' where a newer one replaced it while it was read. */
export async function readSnapshot(
  journal: Journal,
  room: string,
  epoch: string,
): Promise<{ readonly view: RoomView; readonly snapshot: Snapshot } | undefined | 'removed'> {
  const named = await journal.last(journal.subject('snap', room, epoch))
  if (!named) return undefined
  const { parts, ...manifest } = JSON.parse(textIn(named.bytes)) as Manifest
  const bytes = await journal.parts(parts)
  if (!bytes) return 'removed'
  const view = RoomView.from(JSON.parse(textIn(bytes)) as ViewData)
  return { view, snapshot: { at: named.seq, ...manifest } }
}

/**
 * Takes one, and removes what nobody needs then: older snapshots, and messages whose events were trimmed.
 * `undefined` where another relay was first.
 *
 * The parts come after the snapshot before them was read, and the message that names them only where that
 * one is still the last: so no snapshot goes back, and no parts are removed that are still to be named.
 */
export async function takeSnapshot(
  journal: Journal,
  room: string,
  view: RoomView,
): Promise<Snapshot | undefined> {
  const { seq, number, head, spent } = view
  const text = Buffer.from(JSON.stringify(view.data()))
  const removable = removableIn(view)
  const bare = view.bare.filter((each) => each < seq && each >= removable.messages)
  const subject = journal.subject('snap', room, head.epoch)
  const before = await journal.last(subject)
  if (before && (JSON.parse(textIn(before.bytes)) as Manifest).number >= number) return undefined
  const chunks = journal.subject('chunk', room, head.epoch)
  const parts = await journal.putParts(chunks, text)
  const manifest: Manifest = { seq, number, bytes: text.length, parts }
  const at = await journal.put(subject, JSON.stringify(manifest), before?.seq ?? 0)
  if (at === undefined) return undefined
  await Promise.all([
    journal.purge(subject, at),
    journal.purge(chunks, parts[0] as number),
    ...(spent > 0
      ? [
          journal.purge(journal.subject('log', room), removable.messages),
          journal.purge(journal.subject('part', room, head.epoch), removable.parts),
        ]
      : []),
  ])
  for (const each of bare) await journal.remove(each)
  return { at, seq, number, bytes: text.length }
}

export async function removeSnapshots(
  journal: Journal,
  room: string,
  epoch: string,
): Promise<void> {
  for (const kind of ['snap', 'chunk']) await journal.purge(journal.subject(kind, room, epoch))
}

/**
 * Up to where all is trimmed. The newest message stays: what is appended next names it. Parts of appends
 * that are on their way come after it, and stay too.
 */
function removableIn({ entries, seq }: RoomView): {
  readonly messages: number
  readonly parts: number
} {
  const messages = Math.min(entries[0]?.seq ?? seq, seq)
  const parts = entries.reduce(
    (least, { part }) => (part > 0 ? Math.min(least, part) : least),
    messages,
  )
  return { messages, parts }
}
