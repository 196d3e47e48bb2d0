// What holds of streams, and of those who expected a revision of one.
import type { Expected } from '@crosstown/bus/protocol'
import { keyOf, type View } from './view.ts'

export function* streams({ ledger, devices, room }: View): Iterable<string> {
  const published = new Map(ledger.publications.map((one) => [one.key, one]))
  const expectations = new Map<string, Expected>()
  for (const { id, own, header } of devices.flatMap(({ events }) => events))
    if (own && header.expected !== undefined) expectations.set(id, header.expected)
  const newest = new Map<string, { readonly id: string; readonly revision: number }>()
  const revisions = new Map<string, number | undefined>()
  const keys = new Set<string>()
  for (const { id, data, stream, revision } of room.events) {
    const key = keyOf(data)
    keys.add(key)
    revisions.set(id, revision)
    if (stream === undefined || revision === undefined) {
      if (stream !== revision) yield `${id} of stream ${stream} is revision ${revision}`
      continue
    }
    const before = newest.get(stream)
    newest.set(stream, { id, revision })
    if (before === undefined && room.trimmed > 0) continue
    if (revision !== (before?.revision ?? 0) + 1)
      yield `${id} is revision ${revision} of ${stream}, after ${before?.revision}`
    // What comes again to a room that lost it was judged by what the room had been.
    const expected = expectations.get(id)
    if (expected === undefined || published.get(key)?.losses !== ledger.losses) continue
    const holds =
      expected === 'none'
        ? before === undefined
        : expected === 'exists'
          ? before !== undefined
          : typeof expected === 'number'
            ? (before?.revision ?? 0) === expected
            : before?.id === expected.id
    if (!holds)
      yield `${id} expected ${JSON.stringify(expected)}, and came after ${JSON.stringify(before)}`
  }
  for (const { name, device, events } of devices) {
    // Of a log that nobody has open nobody has learned what became of the room.
    if (!device.contexts.some(({ hasDisk }) => hasDisk)) continue
    for (const { id, position, revision } of events) {
      if (position === undefined || !revisions.has(id)) continue
      if (revisions.get(id) !== revision)
        yield `${id} is revision ${revisions.get(id)}, and in the log of ${name} ${revision}`
    }
  }
  // With its last commits a device may have lost that its event was refused. Where it forked as well, the
  // room tells it no more, and it sends the event again, as one that was never judged.
  const forgetful = new Set(
    devices.flatMap(({ device, forked }) => (forked && ledger.cut.has(device) ? [device] : [])),
  )
  for (const { key, state, code, event, by } of ledger.publications) {
    if (state === 'rejected' && code === 'conflict' && keys.has(key) && !forgetful.has(by.device))
      yield `${key} of ${by.name} was refused by a conflict and is in the room`
    const told = event?.revision
    const revision = event && revisions.get(event.id)
    if (ledger.losses > 0 || told === undefined || revision === undefined) continue
    if (told !== revision) yield `${key} of ${by.name} was told ${told}, and is ${revision}`
  }
}
