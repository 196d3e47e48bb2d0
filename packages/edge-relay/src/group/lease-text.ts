/** Leases as frames, from the texts that the events have already. */
import { MAX_BATCH_BYTES, MAX_BATCH_EVENTS, utf8Length } from '@crosstown/bus/protocol'
import type { RoomRecord } from '../record.ts'
import type { Granted } from './core.ts'

/** A lease, and the record that its event is in. */
export interface Found {
  readonly lease: Granted
  readonly record: RoomRecord
}

/** The frames that tell one member of its leases. */
export function leaseTexts(group: string, member: string, found: readonly Found[]): string[] {
  const head = `{"frame":"lease","group":${JSON.stringify(group)},"member":"${member}","leases":[`
  const texts: string[] = []
  let leases: string[] = []
  let headers: string[] = []
  let data: string[] = []
  let bytes = 0
  const end = (): void => {
    if (leases.length === 0) return
    texts.push(`${head}${leases.join()}],"events":[${headers.join()}]}\n${data.join('\n')}`)
    leases = []
    headers = []
    data = []
    bytes = 0
  }
  for (const { lease, record } of found) {
    const { attempt, generation, place, waitMs } = lease
    const index = place - record.place
    const header = record.headerLines[index] as string
    const value = record.data[index] as string
    const size = utf8Length(header) + utf8Length(value)
    if (leases.length >= MAX_BATCH_EVENTS || bytes + size > MAX_BATCH_BYTES) end()
    leases.push(`[${place},${generation},${attempt},${record.time},${waitMs}]`)
    headers.push(header)
    data.push(value)
    bytes += size
  }
  end()
  return texts
}
