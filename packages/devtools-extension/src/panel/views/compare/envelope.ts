/** What two events have in common beside their data, and what not. */
import type { EventRow } from '../../model/model.ts'
import { bytes, duration } from '../shared/format.ts'
import { gotWords } from '../shared/got.ts'

export interface Field {
  readonly name: string
  readonly marked: string
  readonly other: string
}

export interface EnvelopeDifference {
  readonly fields: readonly Field[]
  /** Names of fields that are the same. */
  readonly same: readonly string[]
}

/** Ids and times of events always differ, and are not told. */
const FIELDS: readonly (readonly [name: string, of: (row: EventRow) => string | undefined])[] = [
  ['type', ({ event }) => event.type],
  ['source', ({ event }) => event.source],
  ['scope', ({ event }) => event.scope ?? 'room'],
  ['kept in the log', ({ event }) => (event.persist === false ? 'no' : 'yes')],
  ['stream', ({ event }) => event.stream],
  ['revision', ({ event }) => event.revision?.toString()],
  ['version', ({ event }) => String(event.version ?? 1)],
  ['conversation', ({ event, id }) => event.correlationId ?? id],
  ['cause', ({ event }) => event.causationId],
  ['metadata', ({ event }) => event.metadata && JSON.stringify(event.metadata)],
  ['size', ({ event }) => bytes(event.bytes)],
  ['state', ({ state }) => state],
  ['delivered', gotWords],
  ['failures', ({ failures }) => String(failures)],
  ['longest handler', (row) => (row.duration === undefined ? undefined : duration(row.duration))],
  ['latency', ({ latency }) => (latency === undefined ? undefined : duration(latency))],
]

export function envelopeDifference(marked: EventRow, other: EventRow): EnvelopeDifference {
  const fields: Field[] = []
  const same: string[] = []
  for (const [name, of] of FIELDS) {
    const [a, b] = [of(marked), of(other)]
    if (a === b) {
      if (a !== undefined) same.push(name)
    } else fields.push({ name, marked: a ?? 'none', other: b ?? 'none' })
  }
  return { fields, same }
}
