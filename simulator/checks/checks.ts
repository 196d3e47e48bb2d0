// Section by section what always holds, checked at the end of a run. Each gives sentences about
// what does not.
import { isOver, type Publication } from '../ledger.ts'
import { NAME, PRISTINE, QUEUE_EVENTS, ROOM } from '../place.ts'
import { durable } from './durable.ts'
import { groups } from './groups.ts'
import { fromStart, live, publishersOrder } from './hearing.ts'
import { posts } from './posts.ts'
import { requests } from './requests.ts'
import { streams } from './streams.ts'
import { type DeviceView, isForgetful, keyOf, sameOrigin, type View } from './view.ts'

/** The type that the relay refuses. */
const REFUSED = 'secret.told'

export interface Check {
  readonly name: string
  readonly find: (view: View) => Iterable<string>
}

export const CHECKS: readonly Check[] = [
  { name: 'promises are kept', find: promises },
  { name: 'each log has each event once, and only published ones', find: logs },
  { name: 'nobody hears what is not meant for him', find: scopes },
  { name: 'the room has each event once', find: roomOnce },
  { name: 'the room has what was posted', find: posts },
  { name: 'nobody sends from a log of another user', find: users },
  { name: 'all devices have the room, and the room all of theirs', find: convergence },
  { name: 'cursors stand at the head, outboxes are empty', find: cursors },
  { name: "live subscribers hear each event once, in each publisher's order", find: live },
  { name: 'subscribers from the start hear the whole log', find: fromStart },
  { name: 'views are the order of the room', find: views },
  { name: 'cause stands before effect', find: causes },
  { name: "each log keeps each publisher's order", find: publishersOrder },
  { name: 'nothing leaves the relay before its commit', find: early },
  { name: 'what was lost is told', find: gaps },
  { name: 'one socket a device', find: sockets },
  { name: 'nobody is refused who may join', find: admission },
  { name: 'everyone sees who is there', find: presence },
  {
    name: 'each stream has its revisions, and nobody got one that he did not expect',
    find: streams,
  },
  { name: 'durable consumers skip nothing, one context at a time', find: durable },
  { name: 'groups are done with the room, each event by one member', find: groups },
  { name: 'requests are replied to, by one context of a device', find: requests },
  {
    name: 'what clients of streams were told could have been one after the other',
    // Where too many clients never heard what became of what they asked, nobody can say.
    find: ({ history }) => history.faults() ?? [],
  },
  { name: 'no more waits than may', find: bounds },
  { name: 'nothing was reported that nobody caused', find: reports },
]

function* promises({ ledger, devices, room }: View): Iterable<string> {
  const placed = new Map(room.events.map(({ id, position }) => [id, position]))
  for (const one of ledger.publications) {
    const { key, by, state, until, event, code, losses, persist, scope, type } = one
    const log = devices.find(({ device }) => device === by.device)
    if (state === 'pending' && !isOver(by) && !isStranded(one, log))
      yield `${key} of ${by.name} was never settled (${until})`
    if (state === 'rejected' && (code === 'log_failed' || code === 'quota_exceeded')) {
      const kept = log?.events.find(({ data }) => keyOf(data) === key)
      if (kept) yield `${key} of ${by.name} was rejected (${code}) and is in the log`
    }
    if (state !== 'resolved' || !event || !persist || until === 'accepted') continue
    const { id } = event
    // In memory keep their events those who found nobody with a log.
    if (by.memory) continue
    const found = log?.events.find((one) => one.id === id)
    const logged = found !== undefined
    // What was trimmed away must have reached the room before.
    const kept =
      logged ||
      (log?.trimmed &&
        (room.came.has(id) || room.lost.has(id) || scope === 'device' || type === REFUSED))
    if (!kept && !log?.gone.has(id)) yield `${id} (${key}) was ${until} and is not in its log`
    if (until !== 'relayed' || scope !== 'room') continue
    if (type === REFUSED) yield `${id} (${key}) was relayed, and the relay refuses its type`
    const position = placed.get(id)
    // It was trimmed away since.
    if (position === undefined && room.came.has(id)) continue
    if (position === undefined) {
      // What a room lost it gets again from a device that is there and has it as its own.
      // One that lost its last commits does not know that the room had taken it, and it is judged again,
      // where the room does not know it either, or not from this device.
      const isForgotten =
        found?.refused === 'conflict' &&
        ledger.cut.has(by.device) &&
        (log?.forked || losses !== ledger.losses)
      const isThere = found?.own && isLogOpen(by.device) && !isForgotten
      if (losses === ledger.losses || isThere)
        yield `${id} (${key}) was relayed and is not in the room`
    } else if (losses === ledger.losses && event.position !== position) {
      yield `${id} (${key}) was relayed at ${event.position} and stands at ${position}`
    }
  }
}

/**
 * Whether a host took the event of a context without a log, and nobody is left who has that log: until
 * somebody opens it, nobody here can know what becomes of it. It waits as one does who is offline.
 */
function isStranded({ key, by, until }: Publication, log: DeviceView | undefined): boolean {
  if (until !== 'relayed' || by.disk || by.memory || isLogOpen(by.device)) return false
  return log?.events.some(({ data }) => keyOf(data) === key) ?? false
}

function* logs({ ledger, devices, room }: View): Iterable<string> {
  const published = new Map(ledger.publications.map((one) => [one.key, one]))
  const idOfKey = new Map<string, string>()
  for (const { name, events, device } of devices) {
    const seen = new Set<string>()
    for (const { id, data, header } of events) {
      if (seen.has(id) && !isForgetful(id, room)) yield `${id} is twice in the log of ${name}`
      seen.add(id)
      if (header.type.startsWith('$')) continue
      if (!data.includes(`"mark":"${PRISTINE}"`))
        yield `${id} in the log of ${name} is not what was published`
      if (ledger.isPosted(keyOf(data))) continue
      const publication = published.get(keyOf(data))
      if (!publication) {
        yield `${id} in the log of ${name} was never published`
        continue
      }
      if (!publication.persist) yield `${id} in the log of ${name} was not to be kept`
      const known = idOfKey.get(publication.key) ?? publication.event?.id ?? id
      idOfKey.set(publication.key, known)
      if (known !== id) yield `${publication.key} has two ids, ${known} and ${id}`
      if (publication.scope === 'device' && !sameOrigin(publication.by.device, device))
        yield `${id} of scope device is in the log of ${name}`
    }
  }
}

function* scopes({ ledger }: View): Iterable<string> {
  const published = new Map(ledger.publications.map((one) => [one.key, one]))
  for (const instance of ledger.instances) {
    for (const { id, key, pristine } of instance.live) {
      if (!pristine) yield `${id} was heard by ${instance.name} otherwise than it was published`
      const publication = published.get(key)
      if (!publication) continue
      const { by, scope } = publication
      if (scope === 'context' && by !== instance)
        yield `${id} of scope context was heard by ${instance.name}`
      if (scope === 'device' && !sameOrigin(by.device, instance.device))
        yield `${id} of scope device was heard by ${instance.name}`
    }
  }
}

function* roomOnce({ ledger, room }: View): Iterable<string> {
  const published = new Map(ledger.publications.map((one) => [one.key, one]))
  for (const [id, times] of room.came)
    if (times > 1 && !isForgetful(id, room)) yield `${id} came into the room ${times} times`
  const seen = new Set<string>()
  for (const { id, data } of room.events) {
    if (seen.has(id)) yield `${id} is twice in the room`
    seen.add(id)
    if (ledger.isPosted(keyOf(data))) continue
    const publication = published.get(keyOf(data))
    if (!publication) yield `${id} in the room was never published`
    else if (publication.type === REFUSED) yield `${id} in the room was to be refused`
    else if (publication.scope !== 'room') yield `${id} in the room has scope ${publication.scope}`
  }
}

/**
 * Where the room lost whose log it is, and the log does not know it either, nobody does: a power cut took
 * it, or the first welcome never came. What it holds is from before it joined: the rest was written later,
 * and went first.
 */
function* users({ network, devices }: View): Iterable<string> {
  const of = new Map<string, { readonly subject: string; readonly lost: boolean }>()
  const isKnown = (log: string, subject: string): boolean => {
    const owners = devices.flatMap(({ device }) => device.disk(NAME, ROOM).owners.get(log) ?? [])
    return owners.length > 0 && owners.every((known) => known.has(subject))
  }
  for (const one of network.relay.joined) {
    const { log, subject } = one
    const first = of.get(log)
    if (!first || (first.lost && !isKnown(log, first.subject))) of.set(log, one)
    else if (first.subject !== subject)
      yield `the log ${log} of ${first.subject} joined as that of ${subject}`
  }
}

function* convergence({ devices, room }: View): Iterable<string> {
  for (const { name, events, device, cursor, reads, trimmed } of devices) {
    if (!isLogOpen(device) || cursor === undefined) continue
    const byId = new Map(events.map((event) => [event.id, event]))
    for (const { id, position, type } of room.events) {
      const found = byId.get(id)
      // Whoever joined, or came back, while it was trimmed away went on behind it.
      if (!found && (trimmed || !reads(type) || room.returned.has(id))) continue
      if (!found) yield `${id} of the room is not in the log of ${name}`
      else if (found.position !== position)
        yield `${id} stands at ${position}, and in the log of ${name} at ${found.position}`
    }
    for (const { id, header, own, position, refused } of events) {
      if (header.scope === 'device' || header.type === REFUSED || room.came.has(id)) continue
      if (refused === 'conflict' && header.expected !== undefined) continue
      if (own) yield `${id} of ${name} never reached the room`
      else if (position !== undefined)
        yield `${id} in the log of ${name} stands at ${position}, where the room has it not`
    }
  }
}

/** Whether somebody is there who has the device's log. */
function isLogOpen({ contexts }: View['devices'][number]['device']): boolean {
  return contexts.some(({ hasDisk }) => hasDisk)
}

function* cursors({ devices, room }: View): Iterable<string> {
  for (const { name, device, cursor, pending } of devices) {
    if (!isLogOpen(device)) continue
    if (cursor !== room.head)
      yield `the cursor of ${name} stands at ${cursor}, the room at ${room.head}`
    if (pending > 0) yield `the outbox of ${name} still has ${pending}`
  }
}

/**
 * A view that was folded bit by bit is what it would be if it were folded now; and of a room that
 * has all it ever had, it has the same as the room, on every device.
 */
function* views({ shown, room, devices }: View): Iterable<string> {
  for (const { instance, name, lines, trimmed } of shown) {
    const of = devices.find(({ device }) => device === instance.device)
    const whole = room.trimmed === 0 && !trimmed && room.events.every(({ type }) => of?.reads(type))
    if (!whole || name !== '**') continue
    const expected = room.events.map(({ id, position }) => `${id} at ${position}`)
    const placed = lines.filter((line) => !line.endsWith(' nowhere'))
    const nth = placed.findIndex((line, at) => line !== expected[at])
    if (nth < 0 && placed.length === expected.length) continue
    yield `${name} of ${instance.name} has not what the room has, ${placed[nth]} for ${expected[nth]}`
  }
  for (const { instance, name, lines, expected, trimmed } of shown) {
    const there = new Set(expected)
    const kept = trimmed ? lines.filter((line) => there.has(line)) : lines
    const at = expected.findIndex((line, nth) => line !== kept[nth])
    const nth = at < 0 && kept.length > expected.length ? expected.length : at
    if (nth < 0) continue
    yield `${name} of ${instance.name} has ${kept[nth]} as number ${nth} of ${kept.length}, not ${expected[nth]}`
  }
}

function* causes({ devices, ledger }: View): Iterable<string> {
  // A room that lost a cause gets it again when it comes, after the effect perhaps; so does a log that was
  // cleared when the cause had been heard.
  if (ledger.losses > 0) return
  for (const { name, events, former } of devices) {
    const seen = new Set<string>()
    const ids = new Set(events.map(({ id }) => id))
    for (const { id, header } of events) {
      const cause = header.causationId
      seen.add(id)
      if (cause === undefined || !ids.has(cause) || seen.has(cause)) continue
      if (!former.some((log) => log.ids.has(cause)))
        yield `${id} stands before its cause ${cause} in the log of ${name}`
    }
  }
}

function early({ network }: View): Iterable<string> {
  return network.relay.violations
}

function* sockets({ network, ledger }: View): Iterable<string> {
  for (const device of network.devices) {
    const present = ledger.instances.filter((one) => one.device === device && !isOver(one))
    // Contexts that found nobody with a log are devices of their own.
    const alone = present.filter(({ memory }) => memory).length
    const able = present.some(
      ({ context, disk, memory }) => disk && !memory && context.kind !== 'service-worker',
    )
    const open = network.relay.socketsOf(device)
    const most = network.relay.mostSocketsOf(device)
    const memories = ledger.instances.filter((one) => one.device === device && one.memory).length
    if (most > 1 + memories) yield `${device.name} had ${most} sockets at once`
    if (able && open !== 1 + alone) yield `${device.name} has ${open} sockets`
  }
}

function* admission({ refused }: View): Iterable<string> {
  for (const { name, code } of refused) yield `${name} is refused: ${code}`
}

/**
 * Who is there is seen by all, unless a socket may have fallen silent that nobody took for dead yet.
 * Who is gone, or is there under another device now, may be seen until its silence is found out.
 */
function* presence({ present, rested, silent }: View): Iterable<string> {
  const names = new Map(present.map(({ name, sees }) => [sees[0], name]))
  for (const { name, sees } of present) {
    for (const [id, other] of names) {
      if (id !== undefined && (sees.includes(id) || (silent && !rested))) continue
      yield `${name} does not see ${other}`
    }
    for (const id of rested ? sees : [])
      if (!names.has(id)) yield `${name} sees ${id}, which is not there`
    if (rested && new Set(sees).size < sees.length) yield `${name} sees one twice`
  }
}

/**
 * Of what is published in one task, no more than may wait is taken; and of a log, only the newest
 * record and that of the last confirmed batch stay beyond its limit.
 */
function* bounds({
  ledger,
  devices,
  logEvents = Number.POSITIVE_INFINITY,
}: View): Iterable<string> {
  for (const { name, events, device } of devices) {
    const sizes = new Map<number, number>()
    for (const { batch } of events) sizes.set(batch, (sizes.get(batch) ?? 0) + 1)
    const stays = [...sizes.values()].at(-1) ?? 0
    const beyond = stays + Math.max(0, ...sizes.values())
    if (!isLogOpen(device) || events.length <= logEvents + beyond) continue
    yield `the log of ${name} holds ${events.length} events, and may hold ${logEvents}`
  }
  const taken = new Map<number, number>()
  for (const { burst, state, persist, by } of ledger.publications) {
    if (state !== 'resolved' || !persist) continue
    const count = (taken.get(burst) ?? 0) + 1
    taken.set(burst, count)
    if (count === QUEUE_EVENTS + 1) yield `${by.name} took more than ${QUEUE_EVENTS} events at once`
  }
}

/** A context that is gone may have taken the news along; a copied log has the news of the other. */
function* gaps({ ledger, devices }: View): Iterable<string> {
  for (const { name, device, gaps } of devices) {
    const instances = ledger.instances.filter((one) => sameOrigin(one.device, device))
    if (instances.some(isOver)) continue
    const told = new Set(instances.flatMap((one) => one.gaps.map(({ from }) => from)))
    for (const { from, reason } of gaps) {
      if (!told.has(from)) yield `${name} told nobody that it goes on from ${from} (${reason})`
    }
  }
}

/** Errors that need somebody who caused them. */
const NEVER = new Set(['bad_frame', 'stale_cursor', 'bad_device', 'log_damaged', 'handler_failed'])

/** Types of which some handlers and responders throw. */
const THROWN: ReadonlySet<string> = new Set(['fact.cursed', 'fact.perhaps'])

function* reports({ ledger, groups: workers }: View): Iterable<string> {
  for (const { name, errors } of ledger.instances) {
    for (const { code, message, eventId = '', eventType } of errors) {
      if (code === 'handler_failed' && workers?.gaveUp(eventId)) continue
      if (NEVER.has(code) && !THROWN.has(eventType ?? ''))
        yield `${name} reported ${code}: ${message}`
    }
  }
}
