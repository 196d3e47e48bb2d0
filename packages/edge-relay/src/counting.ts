/** What a commit adds to the counts of its relay. */
import type { Decision } from './commands.ts'
import type { Waiting } from './known.ts'
import type { Meter } from './metrics.ts'

/** Counts what was decided of these commands, once it is committed. */
export function countDecision(
  meter: Meter,
  commands: readonly Waiting[],
  { records, replies }: Decision,
): void {
  let events = 0
  let bytes = 0
  let again = 0
  const written = new Set<string>()
  for (const record of records) {
    events += record.headers.length
    bytes += record.bytes
    again += record.earlier?.length ?? 0
    if (record.device !== undefined) written.add(`${record.device} ${record.batch}`)
    for (const [, code] of record.refused ?? []) meter.count('reply_errors_total', 1, code)
  }
  for (const [i, command] of commands.entries()) {
    const reply = replies[i]
    if (!reply) continue
    if ('kind' in reply) {
      if (reply.kind === 'posted') again += reply.events.filter(({ existing }) => existing).length
    } else if (reply.frame === 'reject') meter.count('reply_errors_total', 1, reply.code)
    else if (command.kind === 'publish' && !written.has(`${command.device} ${reply.batch}`))
      again += command.frame.events.length
  }
  if (events > 0) {
    meter.count('events_total', events)
    meter.count('event_bytes_total', bytes)
  }
  if (again > 0) meter.count('dedupe_hits_total', again)
}
