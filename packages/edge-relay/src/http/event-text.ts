/** An event as readers over HTTP get it. */
import type { EventHeader } from '@crosstown/bus/protocol'
import { positionIn, type RoomRecord } from '../record.ts'
import { isJson, UNDEFINED_TEXT } from './value-text.ts'

/**
 * One event as JSON. Its data is a value text and goes in as it is: JSON, or with `encoding` the
 * JSON that devalue reads; `undefined` is left out, and so is what is no JSON, as `unreadable`.
 */
export function eventText(epoch: string, record: RoomRecord, index: number): string {
  const { group: _, encoding, ...header } = record.headers[index] as EventHeader
  const data = record.data[index] as string
  const unreadable = !isJson(data)
  const nothing = unreadable || (encoding === 'devalue' && data === UNDEFINED_TEXT)
  const shown = {
    ...header,
    version: header.version ?? 1,
    correlationId: header.correlationId ?? header.id,
    position: positionIn(epoch, record, record.place + index),
    ...(encoding && !nothing && { encoding }),
    ...(unreadable && { unreadable }),
  }
  const text = JSON.stringify(shown)
  return nothing ? text : `${text.slice(0, -1)},"data":${data}}`
}
