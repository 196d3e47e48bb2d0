/** Rooms that are deleted: their end is one message, and what they left goes in steps. */
import type { ReadLimit } from '../store.ts'
import { DELETED_EPOCHS } from '../store.ts'
import { type Journal, metaIn, textIn } from './journal.ts'
import { nameIn } from './messages.ts'
import type { Room } from './room.ts'

/** Lost races for one end. */
const TRIES = 20
/** Ends that were announced and not written, of as many rooms, before purging looks again. */
const MOST_PENDING = 100

/**
 * Only with the lock of the room; whether it had a log.
 *
 * That it was deleted is noted before its end, and that there is something to purge: one who ends between
 * the two leaves a note that nobody asks for as long as the log is there.
 */
export async function deleteRoom(journal: Journal, room: Room): Promise<boolean> {
  let view = await room.refresh(journal)
  let noted = ''
  for (let tries = 0; view && tries < TRIES; tries++) {
    const { epoch } = view.head
    await Promise.all([
      epoch !== noted && journal.put(journal.subject('deleted', room.name), epoch),
      journal.put(journal.subject('dead', room.name, epoch), ''),
    ])
    noted = epoch
    if (await room.write(journal, { kind: 'end' }, view.head)) return true
    view = room.view
  }
  return false
}

export async function wasDeleted(journal: Journal, room: string, epoch: string): Promise<boolean> {
  const subject = journal.subject('deleted', room)
  for (let seq = 1, looked = 0; looked < DELETED_EPOCHS; looked++) {
    const noted = await journal.next(subject, seq, journal.deletions)
    if (!noted) return false
    if (textIn(noted.bytes) === epoch) return true
    seq = noted.seq + 1
  }
  return false
}

/** Whether there was something to remove, and so may be more. */
export async function purgeStep(journal: Journal, { events }: ReadLimit): Promise<boolean> {
  let seq = 1
  for (let looked = 0; looked < MOST_PENDING; looked++) {
    const dead = await journal.next(`${journal.stream}.dead.*.*`, seq)
    if (!dead) return false
    const [name = '', epoch = ''] = dead.subject.split('.').slice(2).map(nameIn)
    const log = journal.subject('log', name)
    const last = await journal.last(log)
    const meta = last && metaIn(last).meta
    if (meta && meta.kind !== 'end' && meta.head.epoch === epoch) {
      // Somebody is deleting it right now; or did not, where it was written to since.
      if (last.seq > dead.seq) {
        await journal.purge(dead.subject, dead.seq + 1)
        return true
      }
      seq = dead.seq + 1
      continue
    }
    // Of a log that began since, `start` is where the one before it ended.
    const end = last && (meta?.kind === 'end' ? last.seq : meta?.start)
    const first = end && (await journal.next(log, 1))
    if (first && first.seq <= end) {
      await journal.purge(log, Math.min(first.seq + Math.max(events, 1), end + 1))
      return true
    }
    for (const kind of ['part', 'snap', 'chunk', 'dead'])
      await journal.purge(journal.subject(kind, name, epoch))
    return true
  }
  return false
}
