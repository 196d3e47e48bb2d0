/** Reads the records of a tap. */

import type {
  EventColumns,
  InspectedEvent,
  InspectRecord,
  PeerStatus,
  SubscriptionInfo,
  ViewInfo,
} from '@crosstown/bus/inspect'
import { isErrorCode } from '@crosstown/bus/protocol'
import { commonText, eventType, headerText, readColumns, readEvents, readIds } from './events.ts'
import {
  Fault,
  type Fields,
  fail,
  fields,
  flag,
  listOf,
  number,
  oneOf,
  type Reader,
  shape,
  shownText,
  text,
  under,
  whole,
} from './reader.ts'

/** Times beyond this are no clock's: a thousand years in ms. */
export const monotonic: Reader<number> = number(-3.2e13, 3.2e13)
const duration = number(0, 1e12)
const message = shownText(500)
export const pattern: Reader<string> = text(256, 1)
const patterns = listOf(pattern, 256)

const via = oneOf('tabs', 'relay', 'log', 'link')
type Stage = Extract<InspectRecord, { is: 'error' }>['stage']
const STAGES: { readonly [S in Stage]: S } = {
  schema: 'schema',
  codec: 'codec',
  batch: 'batch',
  log: 'log',
  dispatch: 'dispatch',
  read: 'read',
  consume: 'consume',
  sync: 'sync',
  device: 'device',
  links: 'links',
  protocol: 'protocol',
  request: 'request',
}
const stage = oneOf(...Object.values(STAGES))
const code: Reader<InspectRecordCode> = (value) =>
  isErrorCode(value) ? value : fail('must be a code of an error')
type InspectRecordCode = Extract<InspectRecord, { is: 'error' }>['code']

const leader = shape({ self: flag, present: flag })
const rights = shape({ publish: patterns, subscribe: patterns })
export const readStatus: Reader<PeerStatus> = shape(
  {
    relay: oneOf('off', 'connecting', 'online', 'offline', 'refused'),
    leader: flag,
    log: shape({
      kind: oneOf('disk', 'memory', 'none'),
      state: oneOf('closed', 'opening', 'open'),
      bytes: number(0),
    }),
    outbox: shape({ pending: whole(), refused: whole() }),
    lead: leader,
    queued: whole(),
  },
  { rtt: number(0), error: shape({ code, message }), rights },
) as Reader<PeerStatus>

export const readSubscription: Reader<SubscriptionInfo> = shape(
  {
    sub: whole(0, 2 ** 31 - 1),
    patterns,
    kind: oneOf('handler', 'once', 'loop', 'view'),
    at: monotonic,
    calls: whole(),
    failures: whole(),
  },
  {
    where: (value: unknown): true => (value === true ? true : fail('must be true')),
    site: shownText(500),
    concurrency: whole(1),
  },
) as Reader<SubscriptionInfo>

export const readView: Reader<ViewInfo> = shape(
  { view: whole(0, 2 ** 31 - 1), patterns, version: whole() },
  { key: text(256) },
)

const gap = shape(
  {
    reason: text(64, 1),
    from: text(256),
  },
  { lost: text(256) },
)

/** What no reader knows: of a newer tap, which may say more in the same version. */
export const UNKNOWN: unique symbol = Symbol('unknown record')

type Kind = InspectRecord['is']
type HotKind =
  | 'published'
  | 'committed'
  | 'posted'
  | 'confirmed'
  | 'received'
  | 'matched'
  | 'handled'
type Others<K extends Kind> = Omit<Extract<InspectRecord, { is: K }>, 'is' | 'at'>
const sub = whole(0, 2 ** 31 - 1)
const subs = listOf(sub, 10_000)
const count = whole()
const readPublished: Reader<readonly InspectedEvent[] | EventColumns> = (value) =>
  Array.isArray(value) ? readEvents(value) : readColumns(value)
const origin = oneOf('device', 'room', 'past')
const moments: Reader<number[]> = (value) => {
  if (!Array.isArray(value)) fail('must be a list')
  for (const ms of value)
    if (typeof ms !== 'number' || !(ms >= 0 && ms < 1e12)) fail('must be of ms')
  return value as number[]
}

/** The field that is being checked: where a fault was, without a `try` around each of them. */
let checked = ''

function at(key: string, read: Reader<unknown>, given: Fields): void {
  checked = key
  read(given[key])
}

/**
 * The kinds that there are most of are checked in place, each by what is written out for it: several
 * times as fast as a list of fields does it. What else is in them is not kept by who takes them in.
 */
const hot: { readonly [K in HotKind]: (given: Fields) => void } = {
  published(given) {
    at('events', readPublished, given)
  },
  committed(given) {
    at('ids', readIds, given)
    at('batch', count, given)
    at('ms', duration, given)
  },
  posted(given) {
    at('ids', readIds, given)
    at('via', via, given)
    at('bytes', count, given)
    if (given['to'] !== undefined) at('to', commonText, given)
  },
  confirmed(given) {
    at('ids', readIds, given)
    if (given['epoch'] !== undefined) at('epoch', headerText, given)
    if (given['place'] !== undefined) at('place', count, given)
  },
  received(given) {
    at('ids', readIds, given)
    at('via', via, given)
    at('origin', origin, given)
    if (given['events'] !== undefined) at('events', readEvents, given)
    if (given['from'] !== undefined) at('from', commonText, given)
  },
  matched(given) {
    at('ids', readIds, given)
    at('subs', subs, given)
  },
  handled(given) {
    at('ids', readIds, given)
    at('sub', sub, given)
    at('ms', moments, given)
  },
}

const kinds: { readonly [K in Exclude<Kind, HotKind>]: Reader<Others<K>> } = {
  failed: shape({ ids: readIds, stage, code, message }, { sub, ms: duration }),
  retried: shape({ ids: readIds, attempt: whole() }, { sub }),
  refused: shape({ ids: readIds, code, final: flag }),
  dropped: shape(
    {
      ids: readIds,
      count: whole(),
      why: oneOf(
        'overflow',
        'offline',
        'no_right',
        'withdrawn',
        'closed',
        'fault',
        'duplicate',
        'unwanted',
      ),
    },
    { sub, to: headerText },
  ),
  filtered: shape({ sub, ids: readIds, why: oneOf('where', 'ended', 'known') }),
  gap: shape({ gap }, { device: headerText }) as unknown as Reader<Others<'gap'>>,
  leader: shape({ lead: leader }, { term: whole() }),
  status: shape({ status: readStatus }),
  subscribed: shape({ subscription: readSubscription }),
  unsubscribed: shape({ sub }),
  viewed: shape({ view: readView }),
  error: shape(
    { code, stage, message },
    { event: headerText, type: eventType, device: headerText },
  ),
  life: shape({ state: oneOf('visible', 'hidden', 'frozen', 'resumed', 'cleared') }),
  found: shape({ ids: readIds }, { session: text(300) }),
  device: shape(
    { device: headerText, online: flag },
    { subject: commonText, rights, queued: whole() },
  ),
}
const checks = new Map<unknown, (given: Fields) => void>(Object.entries(hot))
const readers = new Map<unknown, Reader<object>>(Object.entries(kinds))

/** A record; {@link UNKNOWN} where it is of a kind that this panel does not know. */
export function readRecord(value: unknown): InspectRecord | typeof UNKNOWN {
  const given: Fields = fields(value)
  const time = under('at', monotonic, given['at'])
  const is = given['is']
  const check = checks.get(is)
  if (check) {
    try {
      check(given)
    } catch (error) {
      if (error instanceof Fault) error.path.unshift(checked)
      throw error
    }
    return given as unknown as InspectRecord
  }
  const read = readers.get(is)
  if (!read) {
    if (typeof is !== 'string') throw new Fault('is must be the kind of a record')
    return UNKNOWN
  }
  const record = read(given) as { at: number; is: unknown }
  record.at = time
  record.is = is
  return record as unknown as InspectRecord
}
