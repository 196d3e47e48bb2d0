// What holds of durable consumers: nothing is skipped, one context at a time, streams in order.
import { CONSUMERS, type DurableCall, type ForConsumers } from '../durable.ts'
import { isOver } from '../ledger.ts'
import type { View } from './view.ts'

export function* durable({ ledger, devices, durable: workers }: View): Iterable<string> {
  if (!workers) return
  for (const { name, device, events, former } of devices) {
    const here = ledger.instances.filter((one) => one.device === device && one.disk)
    const consumed = here.some((one) => !isOver(one))
    for (const consumer of CONSUMERS) {
      const { durable, orderBy } = consumer
      const calls = workers.calls.filter(
        (call) => call.consumer === durable && call.by.device === device,
      )
      for (const id of consumed ? workers.left(consumer, device, events) : [])
        yield `${id} was not handled by consumer ${durable} of ${name}`
      yield* together(calls, (call) => workers.disturbed.has(call.by))
      // What a log lost comes back in the order of the room.
      const lost = ledger.cut.has(device) || former.length > 0
      if (orderBy === 'stream' && !lost) yield* order(calls, events)
    }
  }
}

/** Two contexts handle at once, neither of which stood still. */
function* together(
  calls: readonly DurableCall[],
  isDisturbed: (call: DurableCall) => boolean,
): Iterable<string> {
  for (const [nth, call] of calls.entries()) {
    const { by, ended, id, consumer } = call
    if (ended === undefined || isDisturbed(call)) continue
    for (const other of calls.slice(nth + 1)) {
      if (other.begun > ended) break
      if (other.by !== by && !isDisturbed(other))
        yield `${other.id} was begun by ${other.by.name} while ${by.name} had ${id}, both of ${consumer}`
    }
  }
}

/** An event of a stream begins when what stands before it in the log is done. */
function* order(calls: readonly DurableCall[], events: readonly ForConsumers[]): Iterable<string> {
  const done = new Map<string, number>()
  for (const { id, ended = Number.POSITIVE_INFINITY, outcome } of calls)
    if (outcome === 'acked') done.set(id, Math.min(ended, done.get(id) ?? ended))
  const begun = new Map<string, number>()
  for (const call of calls) if (!begun.has(call.id)) begun.set(call.id, call.begun)
  const last = new Map<string, string>()
  for (const { id, header } of events) {
    const { stream, type } = header
    if (stream === undefined || !type.startsWith('fact.')) continue
    const before = last.get(stream)
    const first = begun.get(id)
    if (before !== undefined && first !== undefined && (done.get(before) ?? first) >= first)
      yield `${id} was begun before ${before} of its stream was done`
    last.set(stream, id)
  }
}
