/** Rows of an outbox, published: each room takes its own together, in their order. */
import { type BusError, type BusErrorCode, isBusError } from '@crosstown/bus/protocol'
import type { Identity } from '../auth.ts'
import { type Authorizing, refusedTypes } from '../authorize.ts'
import type { PostedEvent } from '../commands.ts'
import { TooMuch } from '../guard/too-much.ts'
import type { Platform } from '../platform.ts'
import type { RoomHost } from '../room-host.ts'
import type { OutboxRow, Verdict } from './outbox.ts'
import { eventOf } from './row-event.ts'

/** What publishing needs of the relay. */
export interface Publishing {
  readonly authorizing: Authorizing
  /** How deep data may be nested. */
  readonly nesting: number
  readonly platform: Platform
  readonly host: (room: string) => RoomHost
  readonly report: (error: unknown, room: string) => void
  /** Whether rows can go with the append of their events, and not after it. */
  readonly together: boolean
  /** Hears that a room takes nothing for so long. */
  readonly wait: (room: string, ms: number) => void
}

/** Who publishes: whoever may insert into the table may publish, where the hook does not say no. */
const IDENTITY: Identity = { subject: 'outbox', rights: { publish: ['**'], subscribe: [] } }
const RETRY_AFTER_MS = 1_000

/** A row that can be asked for, and where in the step it stands. */
interface Candidate {
  readonly index: number
  readonly event: PostedEvent
  readonly bytes: number
}

/** What becomes of each row; never rejects. */
export async function publishRows(
  rows: readonly OutboxRow[],
  publishing: Publishing,
): Promise<Verdict[]> {
  const verdicts = new Array<Verdict>(rows.length).fill('later')
  const rooms = new Map<string, number[]>()
  for (const [index, { room }] of rows.entries()) {
    const indexes = rooms.get(room)
    if (indexes) indexes.push(index)
    else rooms.set(room, [index])
  }
  await Promise.all(
    [...rooms].map(async ([room, indexes]) => {
      try {
        await publishRoom(room, indexes, rows, verdicts, publishing)
      } catch (error) {
        publishing.wait(room, error instanceof TooMuch ? error.retryAfterMs : RETRY_AFTER_MS)
        if (!isBusError(error)) publishing.report(error, room)
      }
    }),
  )
  return verdicts
}

/** @throws what says that the rest is to be tried later */
async function publishRoom(
  room: string,
  indexes: readonly number[],
  rows: readonly OutboxRow[],
  verdicts: Verdict[],
  { authorizing, host, nesting, platform, together }: Publishing,
): Promise<void> {
  const candidates: Candidate[] = []
  for (const index of indexes) {
    const row = rows[index] as OutboxRow
    try {
      const event = await eventOf(row, nesting, (text) => platform.sha256(text))
      candidates.push({ index, event, bytes: row.bytes })
    } catch (error) {
      verdicts[index] = refusal(error)
    }
  }
  if (candidates.length === 0) return
  const types = candidates.map(({ event }) => event.header.type)
  const refused = await refusedTypes(authorizing, { identity: IDENTITY, room }, types, () => true)
  const post = async (some: readonly Candidate[], paid = false): Promise<void> => {
    const events = some.map(({ event }) => event)
    const bytes = some.reduce((sum, { bytes }) => sum + bytes, 0)
    // Asked for anew each time: a room that nobody was in may have gone out of memory meanwhile.
    const seqs = together ? some.map(({ index }) => (rows[index] as OutboxRow).seq) : undefined
    const command = { mayPublish: (type: string): boolean => !refused.has(type), events }
    await host(room).post(command, bytes, seqs, paid)
    for (const { index } of some) verdicts[index] = 'taken'
  }
  try {
    await post(candidates)
  } catch (error) {
    if (isPassing(error)) throw error
    // One of them is refused, and the room says so of all: each has to be asked for by itself. Its rate
    // has counted all of them already; counted again, they would never get through.
    for (const candidate of candidates) {
      try {
        await post([candidate], true)
      } catch (one) {
        verdicts[candidate.index] = refusal(one)
      }
    }
  }
}

function isPassing(error: unknown): boolean {
  return !isBusError(error) || error.retryable
}

/** @throws the error, where it says nothing of the row */
function refusal(error: unknown): { readonly code: BusErrorCode; readonly message: string } {
  if (isPassing(error)) throw error
  const { code, message } = error as BusError
  return { code, message }
}
