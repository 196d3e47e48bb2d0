// What holds of groups: nothing is lost, nothing is done twice unless its lease ended, streams in order.
import { GROUPS, type GroupCall } from '../groups.ts'
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
    for (const again of twice(calls))
      yield `${again.id} was handled again by ${again.by.name} in group ${group.group}`
    if (group.orderBy === 'stream') yield* order(calls, room.events)
  }
}

/** What was done once more, though whoever did it before is there and was not told that it came too late. */
function* twice(calls: readonly GroupCall[]): Iterable<GroupCall> {
  const acked = new Map<string, GroupCall[]>()
  for (const call of calls) {
    const before = acked.get(call.id) ?? []
    const isTold = ({ by, id }: GroupCall): boolean =>
      isOver(by) || by.errors.some(({ code, eventId }) => code === 'timeout' && eventId === id)
    if (before.some((one) => !isTold(one))) yield call
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
