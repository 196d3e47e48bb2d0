/**
 * What the store in JetStream writes. One message on the subject of a room is one atomic write: it names
 * the message before it, and JetStream takes it only where that is the last one on the subject.
 *
 * | subject | holds |
 * |---|---|
 * | `S.log.ROOM` | what was written to the room, in order |
 * | `S.part.ROOM.EPOCH` | parts of what is longer than the server's `max_payload` |
 * | `S.snap.ROOM.EPOCH`, `S.chunk.ROOM.EPOCH` | the newest snapshot of the log, and its parts |
 * | `S.dead.ROOM.EPOCH` | that the log is to be removed, or was meant to be |
 * | `S.deleted.ROOM` | epochs that were deleted, in the stream `S_deleted` |
 * | `S.signals` | what relays tell each other, kept nowhere |
 */
import type { IdRange, Mark, RoomFirst, RoomHead, RoomRecord } from '../../record.ts'
import { type RecordRow, recordOf, rowOf } from '../record-rows.ts'
import type { StatePut } from '../store.ts'

/** What every message of a room's log begins with. */
export interface Meta {
  /** Of the message alone: a sequence may be given twice, where JetStream is restored from a backup. */
  readonly id: string
  readonly kind: 'append' | 'trim' | 'end'
  /** Sequence after which this log of the room began: that of the end of the one before, or 0. */
  readonly start: number
  /** Sequence of the message before it in this log, and its id; `start` and '' in the first one. */
  readonly before: number
  readonly beforeId: string
  /** Counts the messages of this log, from 1. */
  readonly number: number
  /** The room's head after it. */
  readonly head: RoomHead
  /** Sequences of the parts of its body; absent where the body is in the message. */
  readonly parts?: readonly number[]
}

export type Body = AppendBody | TrimBody | EndBody

export interface AppendBody {
  readonly kind: 'append'
  readonly records: readonly RoomRecord[]
  readonly state: readonly StatePut[]
}

export interface TrimBody {
  readonly kind: 'trim'
  readonly first: RoomFirst
  /** Ends of what was trimmed, and the ids that went. */
  readonly marks: readonly Mark[]
  readonly ranges: readonly IdRange[]
  readonly events: number
  readonly bytes: number
}

export interface EndBody {
  readonly kind: 'end'
}

export interface LogMessage {
  readonly seq: number
  readonly meta: Meta
  readonly body: Body
}

/** As it is sent, without the parts of its meta. */
export function bodyText(body: Body): string {
  return JSON.stringify(
    body.kind === 'append' ? { records: body.records.map(rowOf), state: body.state } : body,
  )
}

export function bodyOf(kind: Meta['kind'], text: string): Body {
  if (kind === 'end') return { kind }
  if (kind === 'trim') return JSON.parse(text) as TrimBody
  const { records, state } = JSON.parse(text) as {
    readonly records: readonly RecordRow[]
    readonly state: readonly StatePut[]
  }
  return { kind, records: records.map(recordOf), state }
}

/** The meta is one line of JSON, and the body what follows. */
export function messageText(meta: Meta, body: string): string {
  return `${JSON.stringify(meta)}\n${body}`
}

export function metaOf(text: string): { readonly meta: Meta; readonly rest: string } {
  const end = text.indexOf('\n')
  return { meta: JSON.parse(text.slice(0, end)) as Meta, rest: text.slice(end + 1) }
}

/** A token of a subject: the name itself where it can be one, so that operators find a room by name. */
export function tokenOf(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : `=${Buffer.from(name).toString('base64url')}`
}

export function nameIn(token: string): string {
  return token.startsWith('=') ? Buffer.from(token.slice(1), 'base64url').toString() : token
}
