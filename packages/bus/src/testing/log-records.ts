/** Records for tests of logs. */
import type { EventHeader } from '../event.ts'
import type { Encoded, HeldRun, Log, OwnBatch, RoomBatch } from '../log/log.ts'
import { ownBatch, roomBatch } from '../log/record.ts'
import type { Run, Term } from '../protocol/frames.ts'

/** Registers a test that gets an open log, which is closed after it. */
export type LogTest = (title: string, body: (log: Log) => Promise<void>) => void

/** A log that was welcomed in epoch `E`, at its start. */
export async function joined(log: Log): Promise<Term> {
  const term = await log.takeTerm('term')
  await log.welcomed({ term, cursor: 'E.0.0', liveAfter: 0, subject: 'u', reads: '[]' })
  return term
}

export function header(id: string, more: Partial<EventHeader> = {}): EventHeader {
  return { id, type: 'cart.item_added', source: 'test', time: 1_000, ...more }
}

export function own(
  events: [id: string, more?: Partial<EventHeader>][],
  texts?: readonly string[],
  time = 1_000,
): OwnBatch {
  const entries = events.map(([id, more], i): Encoded => {
    const one = header(id, more)
    return { event: one, headerText: JSON.stringify(one), dataText: texts?.[i] ?? `{"n":${i}}` }
  })
  return ownBatch(entries, time)
}

export function room(
  prev: string,
  position: string,
  runs: readonly (Run | HeldRun)[],
  epoch = 'E',
): RoomBatch {
  const data = runs.flatMap((run) => ('events' in run ? run.events.map((_, i) => `${i}`) : []))
  return roomBatch({ prev, position, runs }, data, epoch, 2_000)
}

export async function promised<T>(run: () => T | Promise<T>): Promise<T> {
  return run()
}
