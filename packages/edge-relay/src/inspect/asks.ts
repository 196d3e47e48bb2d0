/**
 * What a relay answers inspectors: what its room holds. Data of events only to those who may read
 * them anyway; what a device hides from inspectors is no secret to the relay, but need not be told.
 */
import {
  type Answers,
  type Ask,
  AskError,
  decodeValue,
  type Ids,
  type InspectedEvent,
  openTree,
  packIds,
  type StoreInfo,
  unpackIds,
} from '@crosstown/bus/inspect'
import { utf8Length } from '@crosstown/bus/protocol'
import type { InspectedGroups } from '../group/inspected.ts'
import type { Limits } from '../limits.ts'
import { positionIn, type RoomRecord } from '../record.ts'
import type { Found, Store } from '../stores/store.ts'

export interface AsksContext {
  readonly room: string
  readonly store: Store
  readonly limits: Limits
  readonly groups: InspectedGroups
}

/** What the inspector's token allows beside inspecting. */
export interface AskRights {
  /** Whether it may read events of a type. */
  mayRead(type: string): boolean
  /** Whether it may do something to groups. */
  readonly mayOperate: boolean
}

type Of<What extends Ask['what']> = Extract<Ask, { what: What }>

const MAX_EVENTS = 1_000
const MAX_PATH = 100
const MAX_ID_LENGTH = 256

/** @throws {AskError} where it cannot be answered */
export async function answer(
  context: AsksContext,
  ask: Ask,
  rights: AskRights,
): Promise<Answers[keyof Answers]> {
  const mayRead = (type: string): boolean => rights.mayRead(type)
  switch (ask.what) {
    case 'payload':
      return payload(context, ask, mayRead)
    case 'text': {
      const { data, header } = eventIn(await find(context, ask.event, mayRead))
      const { encoding } = header
      return data === '' ? {} : { text: data, ...(encoding && { encoding }) }
    }
    case 'headers':
      return headers(context, ask)
    case 'log':
      return page(context, ask)
    case 'store':
      return storeInfo(context)
    case 'consumers':
      return { consumers: [], groups: await context.groups.all(), handlers: [] }
    case 'dead':
      check(isNumber(ask.limit) && ask.limit > 0)
      return context.groups.dead(ask.limit)
    case 'redrive':
    case 'discard':
      return settle(context, ask, rights)
    default:
      throw new AskError('unknown_ask', 'a relay does not answer this')
  }
}

async function settle(
  { groups }: AsksContext,
  { letters, what }: Of<'redrive' | 'discard'>,
  { mayOperate }: AskRights,
): Promise<Answers['redrive']> {
  const isLetter = (id: unknown): boolean =>
    typeof id === 'string' && id.length <= 2 * MAX_ID_LENGTH
  check(Array.isArray(letters) && letters.length <= MAX_EVENTS && letters.every(isLetter))
  if (!mayOperate) throw new AskError('forbidden', 'the token does not allow to operate groups')
  return { letters: await groups.settle(what, letters) }
}

async function payload(
  context: AsksContext,
  { event, path = [], depth, from }: Of<'payload'>,
  mayRead: (type: string) => boolean,
): Promise<Answers['payload']> {
  check(Array.isArray(path) && path.length <= MAX_PATH && isNumber(depth) && isNumber(from))
  const { data, header } = eventIn(await find(context, event, mayRead))
  const value = data === '' ? undefined : decodeValue(data, header.encoding, header)
  const tree = openTree(value, { path, depth, from })
  if (path.length > 0) return tree
  return { ...tree, bytes: utf8Length(data), encoding: header.encoding ?? 'json' }
}

async function find(
  { room, store }: AsksContext,
  id: string,
  mayRead: (type: string) => boolean,
): Promise<Found> {
  check(typeof id === 'string' && id.length <= MAX_ID_LENGTH)
  const found = await store.find(room, id)
  if (!found) throw new AskError('not_found', 'the room does not have this event')
  if (!mayRead(eventIn(found).header.type))
    throw new AskError('forbidden', 'the token may not read events of this type')
  return found
}

async function headers(
  { room, store }: AsksContext,
  { ids }: Of<'headers'>,
): Promise<Answers['headers']> {
  check(isIds(ids))
  const events: InspectedEvent[] = []
  const missing: string[] = []
  for (const id of unpackIds(ids, MAX_EVENTS)) {
    const found = await store.find(room, id)
    if (found) events.push(inspected(found))
    else missing.push(id)
  }
  return { events, missing: packIds(missing) }
}

/** Of a room's log an event's place is its offset. */
async function page(
  { limits, room, store }: AsksContext,
  { from = 0, limit }: Of<'log'>,
): Promise<Answers['log']> {
  check(isNumber(from) && isNumber(limit) && limit > 0)
  const most = Math.min(limit, MAX_EVENTS)
  const head = await store.head(room)
  const limited = { events: most, bytes: limits.streamBytes }
  const records = await store.read(room, Math.max(0, from - 1), limited)
  const events: (InspectedEvent & { offset: number })[] = []
  for (const record of records) {
    for (let index = 0; index < record.headers.length; index++) {
      const offset = record.place + index
      if (offset < from) continue
      if (events.length >= most) return { events, next: offset }
      const position = head && positionIn(head.epoch, record, offset)
      events.push({ ...inspected({ record, index }), offset, ...(position && { position }) })
    }
  }
  const last = records.at(-1)
  const next = last && last.place + last.count
  return { events, ...(next !== undefined && head && next <= head.place && { next }) }
}

async function storeInfo({ limits, room, store }: AsksContext): Promise<StoreInfo> {
  const [stats, first] = await Promise.all([store.stats(room), store.first(room)])
  const { roomBytes: bytes, roomDays: days, roomEvents: events } = limits
  return {
    kind: store.durability,
    head: stats?.head.place ?? 0,
    first: first.place + 1,
    events: stats?.events ?? 0,
    bytes: stats?.bytes ?? 0,
    limits: { events, bytes, days },
    outbox: { pending: 0, bytes: 0, refused: 0 },
    ...(stats && { room: { epoch: stats.head.epoch, gaps: [] } }),
    snapshots: [],
  }
}

function inspected(found: Found): InspectedEvent {
  const { data, header, line } = eventIn(found)
  const { scope: _, ...rest } = header
  return { ...rest, bytes: utf8Length(line) + utf8Length(data) }
}

function eventIn({ record, index }: Found): {
  readonly header: RoomRecord['headers'][number]
  readonly line: string
  readonly data: string
} {
  const { headers, headerLines, data } = record
  return {
    header: headers[index] as (typeof headers)[number],
    line: headerLines[index] as string,
    data: data[index] as string,
  }
}

function isNumber(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)
}

function isIds(ids: unknown): ids is Ids {
  const isId = (id: unknown): boolean => typeof id === 'string' && id.length <= MAX_ID_LENGTH
  const isRun = (run: unknown): boolean =>
    Array.isArray(run) &&
    isId(run[0]) &&
    Number.isSafeInteger(run[1]) &&
    isNumber(run[2] ?? Number.NaN)
  return (
    Array.isArray(ids) && ids.length <= MAX_EVENTS && ids.every((one) => isId(one) || isRun(one))
  )
}

function check(holds: boolean): void {
  if (!holds) throw new AskError('invalid_ask', 'the question is not of the form it must have')
}
