/**
 * Which events of some commands a room has already, by their ids. Asked only where an event can come
 * a second time under another name: with posts, whose ids are those of their publishers, and from
 * devices that share a log, since a copy of a device sends what the other one may have sent before.
 */
import { parsePosition } from '@crosstown/bus/protocol'
import type {
  Command,
  HelloCommand,
  Known,
  PostCommand,
  Posted,
  PublishCommand,
  RoomState,
} from './commands.ts'
import { positionIn } from './record.ts'
import type { Found, Store } from './stores/store.ts'

/** A command as it waits: when it is decided, it gets its time and what the room has of it. */
export type Waiting<C extends Command = Command> = C extends Command
  ? Omit<C, 'time' | 'known' | 'deleted'>
  : never

/** The commands, complete. */
export async function completeAll(
  store: Store,
  room: string,
  state: RoomState,
  time: number,
  commands: readonly Waiting[],
): Promise<Command[]> {
  const complete: Command[] = []
  for (const command of commands) {
    // Awaiting nothing for most keeps a busy room's append as short as it was.
    if (command.kind === 'hello') {
      const deleted = isForeign(state, command) && (await isOfDeleted(store, room, command))
      complete.push({ ...command, time, ...(deleted && { deleted }) })
    } else if (command.kind === 'post') {
      complete.push({ ...command, time, known: await knownPosts(store, room, state, command) })
    } else if (sharesLog(state, command.device)) {
      complete.push({ ...command, time, ...(await knownEvents(store, room, command)) })
    } else complete.push({ ...command, time })
  }
  return complete
}

/**
 * How many of those that wait may be decided together: all, up to a second post of an event that
 * one before it has; that one is answered with the first one's place in the store.
 */
export function decidable(waiting: readonly { readonly command: Waiting }[]): number {
  const ids = new Set<string>()
  const end = waiting.findIndex(({ command }) => {
    if (command.kind !== 'post') return false
    const own = command.events.flatMap(({ id }) => (id === undefined ? [] : [id]))
    if (own.some((id) => ids.has(id))) return true
    for (const id of own) ids.add(id)
    return false
  })
  return end < 0 ? waiting.length : end
}

/** Whether a device comes with what it sent to another log of this room. */
function isForeign(
  { devices, head }: RoomState,
  { confirmed, cursor, device }: Waiting<HelloCommand>,
): boolean {
  if (cursor === undefined || confirmed === undefined || devices.has(device)) return false
  const { epoch } = parsePosition(cursor) ?? {}
  return epoch !== undefined && epoch !== head.epoch
}

async function isOfDeleted(
  store: Store,
  room: string,
  { cursor = '' }: Waiting<HelloCommand>,
): Promise<boolean> {
  return store.wasDeleted(room, parsePosition(cursor)?.epoch ?? '')
}

function sharesLog({ devices, logs }: RoomState, device: string): boolean {
  const row = devices.get(device)
  return row !== undefined && (logs.get(row.log)?.devices ?? 0) > 1
}

async function knownPosts(
  store: Store,
  room: string,
  { head }: RoomState,
  { events }: Waiting<PostCommand>,
): Promise<Map<string, Posted>> {
  const known = new Map<string, Posted>()
  const take = (found: Found | undefined): void => {
    if (!found) return
    const { record } = found
    for (const [i, { id, revision }] of record.headers.entries()) {
      known.set(id, {
        position: positionIn(head.epoch, record, record.place + i),
        ...(revision !== undefined && { revision }),
      })
    }
  }
  const [first, ...rest] = events.flatMap(({ id }) => (id === undefined ? [] : [id]))
  if (first === undefined) return known
  // Of a post that comes again the record that has one has its neighbours, too.
  take(await store.find(room, first))
  const missing = rest.filter((id) => !known.has(id))
  for (const found of await Promise.all(missing.map((id) => store.find(room, id)))) take(found)
  return known
}

async function knownEvents(
  store: Store,
  room: string,
  { frame }: Waiting<PublishCommand>,
): Promise<Pick<PublishCommand, 'revisions'> & { known: Map<string, Known> }> {
  const known = new Map<string, Known>()
  const revisions = new Map<string, number>()
  const missing: string[] = []
  for (const { id } of frame.events) {
    if (known.has(id)) continue
    const found = await store.find(room, id)
    if (!found) {
      missing.push(id)
      continue
    }
    // A copy mostly sends the very same batch: the record that has one has its neighbours, too.
    const { headers, place } = found.record
    for (const [i, { id, revision }] of headers.entries()) {
      known.set(id, place + i)
      if (revision !== undefined) revisions.set(id, revision)
    }
  }
  // Asked after all were looked for: retention may take them away meanwhile.
  for (const id of missing) if (await store.wasTrimmed(room, id)) known.set(id, 'trimmed')
  return { known, revisions }
}
