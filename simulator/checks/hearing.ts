// Whether subscribers heard what they were to hear, and logs stand in the order of publishers.
import { type Instance, isOver } from '../ledger.ts'
import { type DeviceView, isForgetful, isPostedId, type Logged, type View } from './view.ts'

export function* live({ ledger, devices, room }: View): Iterable<string> {
  for (const instance of ledger.instances) {
    const { name, live, all } = instance
    const view = devices.find(({ device }) => device === instance.device)
    // A room that went back is read again, and a log that was trimmed does not know a post any more.
    const forgets = view?.trimmed === true && ledger.losses > 0
    const isKept = (id: string): boolean => !isForgetful(id, room) && !(forgets && isPostedId(id))
    yield* twice(live, `${name} live`, isKept)
    // Another log has another start.
    if (!view?.former.length && !instance.cleared)
      yield* twice(all, `${name} from the start`, isKept)
    yield* disorder(live, `${name} live`)
    if (isOver(instance) || instance.ready === undefined) continue
    const heard = new Set([...live.map(({ id }) => id), ...(view ? late(view, live) : [])])
    for (const event of view?.events ?? []) {
      if (event.header.type.startsWith('$')) continue
      if (isKnown(event.id, instance, view)) continue
      if (event.batch <= instance.ready || heard.has(event.id) || isPast(event, view)) continue
      yield `${event.id} came to the log of ${view?.name} and was not heard by ${name}`
    }
  }
}

/** An event that came into an earlier log of the device while this context lived is not new to it. */
function isKnown(id: string, { openedAt }: Instance, view: DeviceView | undefined): boolean {
  return view?.former.some(({ at, ids }) => openedAt < at && ids.has(id)) ?? false
}

/**
 * An event the room had before this log first joined it; of an epoch that is gone nobody knows. What
 * came to a place that the room had lost is new.
 */
function isPast({ said, batch }: Logged, view: View['devices'][number] | undefined): boolean {
  if (said === undefined || !view) return false
  const { epoch, place } = said
  if (epoch !== view.epoch) return true
  const isNew = view.cuts.some(
    (cut) => cut.epoch === epoch && batch > cut.record && place > cut.place,
  )
  return place <= view.liveAfter && !isNew
}

/**
 * Events that came to a log behind a later one of their publisher: a copied profile may bring what
 * its original lost, and a room that is made anew what it had trimmed away. Nobody hears them, as each
 * publisher's order holds. Of a log that was trimmed the later one may be gone, and was `heard`.
 */
function* late(
  { events, trimmed }: DeviceView,
  heard: readonly { readonly id: string }[] = [],
): Iterable<string> {
  const highest = new Map<string, number>()
  const kept = new Set(events.map(({ id }) => id))
  for (const { id } of trimmed ? heard : []) {
    const [prefix, counter] = partsOf(id)
    if (!kept.has(id)) highest.set(prefix, Math.max(counter, highest.get(prefix) ?? 0))
  }
  for (const { id } of events) {
    const [prefix, counter] = partsOf(id)
    if (counter < (highest.get(prefix) ?? 0)) yield id
    highest.set(prefix, Math.max(counter, highest.get(prefix) ?? 0))
  }
}

/** Only what was lost or copied comes late. */
export function* publishersOrder({ ledger, devices }: View): Iterable<string> {
  const lost = devices.some(({ gone, device }) => gone.size > 0 || device.origin !== device)
  if (lost || ledger.losses > 0) return
  for (const view of devices) {
    for (const id of late(view)) yield `${id} stands behind a later one in the log of ${view.name}`
  }
}

function partsOf(id: string): [prefix: string, counter: number] {
  const at = id.lastIndexOf('-')
  return [id.slice(0, at), Number(id.slice(at + 1))]
}

/** What is not kept nobody promises to hear once only. */
function* twice(
  heard: readonly { id: string; persist: boolean }[],
  who: string,
  isKept: (id: string) => boolean,
): Iterable<string> {
  const seen = new Set<string>()
  for (const { id, persist } of heard) {
    if (persist && seen.has(id) && isKept(id)) yield `${id} was heard twice by ${who}`
    seen.add(id)
  }
}

function* disorder(
  heard: readonly { id: string; persist: boolean }[],
  who: string,
): Iterable<string> {
  const highest = new Map<string, number>()
  for (const { id, persist } of heard) {
    if (!persist) continue
    const [prefix, counter] = partsOf(id)
    if (counter < (highest.get(prefix) ?? 0)) yield `${id} was heard out of order by ${who}`
    highest.set(prefix, Math.max(counter, highest.get(prefix) ?? 0))
  }
}

export function* fromStart({ ledger, devices }: View): Iterable<string> {
  for (const instance of ledger.instances) {
    const { name, all, device, ready } = instance
    if (isOver(instance) || ready === undefined) continue
    const view = devices.find((one) => one.device === device)
    const heard = new Set([...all.map(({ id }) => id), ...(view ? late(view, all) : [])])
    for (const { id, header } of view?.events ?? []) {
      if (!heard.has(id) && !header.type.startsWith('$'))
        yield `${id} is in the log of ${view?.name}, and ${name} did not hear it from the start`
    }
  }
}
