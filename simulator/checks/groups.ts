// What holds of groups: nothing is lost, nothing is done twice unless its lease ended, streams in order.
import { ACK_WAIT_MS, GROUPS, type GroupCall } from '../groups.ts'
import { isOver } from '../ledger.ts'
import type { View } from './view.ts'

export function* groups({ ledger, room, groups: workers }: View): Iterable<string> {
  if (!workers) return
  const anybody = ledger.instances.some((instance) => !isOver(instance))
  const places = new Map(room.events.map(({ id }, place) => [id, place]))
  for (const group of GROUPS) {
    const calls = workers.calls.filter((call) => call.group === group.group)
    for (const id of anybody ? workers.left(group, room.events) : [])
      yield `${id} was not handled by group ${group.group}`
    for (const { id } of calls)
      if (!places.has(id)) yield `${id}, which is not in the room, was handled by ${group.group}`
    for (const { id, attempt } of calls)
      if (attempt > group.maxDeliver) yield `${id} was tried ${attempt} times by ${group.group}`
    for (const again of twice(calls))
      yield `${again.id} was handled again by ${again.by.name} in group ${group.group}`
    if (group.orderBy === 'stream') yield* order(calls, room.events)
  }
}

/**
 * What was done once more, though the lease of whoever did it before had not lapsed, and he is there, and
 * did not leave: then he is told.
 */
function* twice(calls: readonly GroupCall[]): Iterable<GroupCall> {
  const acked = new Map<string, GroupCall[]>()
  for (const call of calls) {
    const before = acked.get(call.id) ?? []
    const mayBe = ({ at, by, disturbed, id, place }: GroupCall): boolean =>
      isOver(by) ||
      // It left with its page, and what it had said was lost on the way.
      place.disturbed > disturbed ||
      // What waited for its turn for half of its time was given back.
      call.at - at >= ACK_WAIT_MS / 2 ||
      by.errors.some(({ code, eventId }) => code === 'timeout' && eventId === id)
    if (!before.every(mayBe)) yield call
    if (call.outcome === 'acked') acked.set(call.id, [...before, call])
  }
}

/** An event of a stream begins when what stands before it in the room is done. */
function* order(calls: readonly GroupCall[], events: View['room']['events']): Iterable<string> {
  const done = new Map<string, number>()
  for (const { id, ended, outcome } of calls)
    if (outcome === 'acked' && ended !== undefined)
      done.set(id, Math.min(ended, done.get(id) ?? Number.POSITIVE_INFINITY))
  const last = new Map<string, string>()
  const before = new Map<string, string>()
  for (const { id, stream } of events) {
    if (stream === undefined) continue
    const known = last.get(stream)
    if (known !== undefined) before.set(id, known)
    last.set(stream, id)
  }
  for (const { id, begun, by } of calls) {
    const cause = before.get(id)
    if (cause !== undefined && (done.get(cause) ?? Number.POSITIVE_INFINITY) > begun)
      yield `${id} was begun by ${by.name} before ${cause} of its stream was done`
  }
}
