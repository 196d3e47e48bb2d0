import type { EventColumns, InspectedEvent } from './frames.ts'
import { packIds, unpackIds } from './ids.ts'

/** Envelopes by column: of events that were published together most fields are the same. */
export function columnsOf(events: readonly InspectedEvent[]): EventColumns {
  const keys = new Set(events.flatMap((event) => Object.keys(event)))
  keys.delete('id')
  const columns = [...keys].map((key): [string, unknown] => {
    const values = events.map((event) => (event as unknown as { [key: string]: unknown })[key])
    const [first] = values
    const text = typeof first === 'object' ? JSON.stringify(first) : undefined
    const isSame = (value: unknown): boolean =>
      value === first || (text !== undefined && JSON.stringify(value) === text)
    return [key, values.every(isSame) ? first : values.map((value) => value ?? null)]
  })
  return {
    ids: packIds(events.map(({ id }) => id)),
    ...Object.fromEntries(columns),
  } as unknown as EventColumns
}

/** The other way; a list is given as it is. */
export function eventsOf(
  events: readonly InspectedEvent[] | EventColumns,
): readonly InspectedEvent[] {
  if (!('ids' in events)) return events
  const { ids, ...columns } = events
  const entries = Object.entries(columns)
  return unpackIds(ids).map((id, index) => {
    const fields = entries.map(([key, column]) => [
      key,
      Array.isArray(column) ? (column[index] ?? undefined) : column,
    ])
    const given = fields.filter(([, value]) => value !== undefined)
    return { id, ...Object.fromEntries(given) } as InspectedEvent
  })
}
