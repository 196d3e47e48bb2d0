/** What a frame must be, field by field: whoever is on the other side may send anything. */
import { isErrorCode } from '../errors.ts'
import {
  BATCH_SLOTS,
  headerFault,
  isEventType,
  isHeaderText,
  isTime,
  MAX_BATCH_EVENTS,
} from '../event.ts'
import {
  type Earlier,
  type Frame,
  type GapReason,
  type GroupFrames,
  MAX_INSPECT_LENGTH,
  type OwnRun,
  type Refusal,
  type Term,
} from './frames.ts'
import { isPattern } from './pattern.ts'
import { parsePosition } from './position.ts'
import { MAX_MESSAGE_LENGTH, MAX_PRESENT, MAX_RESPONDS } from './presence.ts'

export type Fields = Record<string, unknown>

/** What is wrong with a frame of each name, or `undefined` if nothing is. */
export const FRAME_FAULTS: {
  [F in Exclude<Frame['frame'], GroupFrames['frame']>]: (frame: Fields) => string | undefined
} = {
  hello: (f) =>
    first(
      optional(f, 'token', isToken),
      need(f, 'log', isName),
      optional(f, 'subject', (v) => typeof v === 'string'),
      need(f, 'device', (v) => isObject(v) && isName(v['id']) && isName(v['secret'])),
      need(f, 'terms', (v) => isList(v, 1_000) && v.length > 0 && v.every(isTerm)),
      optional(f, 'confirmed', isBatchRef),
      optional(f, 'outbox', (v) => isObject(v) && isCount(v['first']) && isCount(v['last'])),
      optional(f, 'cursor', isPositionText),
      optional(f, 'older', (v) => isList(v, 32) && v.every(isPositionText)),
      optional(f, 'from', isFrom),
      optional(f, 'types', isPatternList),
    ),
  welcome: (f) =>
    first(
      need(f, 'subject', (v) => typeof v === 'string'),
      need(
        f,
        'rights',
        (v) => isObject(v) && arePatterns(v['publish']) && arePatterns(v['subscribe']),
      ),
      optional(f, 'taken', isBatchRef),
      optional(f, 'term', isTerm),
      need(f, 'epoch', isName),
      need(f, 'head', isPosition),
      need(f, 'first', isPosition),
      need(f, 'from', isPosition),
      need(f, 'recovered', (v) => typeof v === 'boolean'),
      optional(f, 'reason', (v) => typeof v === 'string' && GAP_REASONS.has(v)),
      optional(f, 'common', isPosition),
      need(
        f,
        'limits',
        (v) =>
          isObject(v) &&
          isCount(v['frameBytes']) &&
          isCount(v['batchEvents']) &&
          isCount(v['heartbeatMs']) &&
          (v['creditBytes'] === undefined || isCount(v['creditBytes'])),
      ),
      need(f, 'durability', (v) => v === 'memory' || v === 'disk'),
      optional(f, 'expiresInMs', isAmount),
      optional(f, 'groups', (v) => v === true),
    ),
  token: (f) => need(f, 'token', isToken),
  renewed: (f) => optional(f, 'expiresInMs', isAmount),
  publish: (f) =>
    first(
      need(f, 'batch', isCount),
      optional(f, 'prev', isCount),
      need(f, 'term', isTerm),
      optional(f, 'indexes', isIndexList),
      headersFault(f['events']),
      Array.isArray(f['indexes']) &&
        f['indexes'].length !== (f['events'] as unknown[] | undefined)?.length
        ? 'as many indexes as events'
        : undefined,
    ),
  ack: (f) => first(need(f, 'batch', isCount), optional(f, 'refused', isRefusals)),
  reject: (f) =>
    first(
      need(f, 'batch', isCount),
      need(f, 'code', isErrorCode),
      optional(f, 'taken', isCount),
      optional(f, 'term', isTerm),
      need(f, 'retryAfterMs', isAmount),
    ),
  stream: (f) =>
    first(need(f, 'prev', isPosition), need(f, 'position', isPosition), runsFault(f['runs'])),
  cast: (f) => headersFault(f['events']),
  request: (f) =>
    first(
      headersFault(f['events']),
      isList(f['events'], 1) ? undefined : 'events must be one header',
      need(f, 'timeoutMs', isAmount),
      optional(f, 'waitMs', isAmount),
      optional(f, 'device', isName),
    ),
  reply: (f) =>
    first(
      need(f, 'id', isHeaderText),
      optional(f, 'device', isName),
      optional(f, 'code', isErrorCode),
      optional(f, 'message', isMessage),
      optional(f, 'encoding', (v) => v === 'devalue'),
    ),
  cancel: (f) => first(need(f, 'id', isHeaderText), optional(f, 'device', isName)),
  presence: (f) =>
    first(
      optional(f, 'whole', (v) => v === true),
      need(f, 'devices', (v) => isList(v, 1_000) && v.every(isPresentDevice)),
    ),
  inspect: (f) => need(f, 'text', (v) => typeof v === 'string' && v.length <= MAX_INSPECT_LENGTH),
  credit: (f) => need(f, 'bytes', isCount),
  ping: () => undefined,
  heartbeat: (f) => need(f, 'head', isPosition),
  goaway: (f) => first(need(f, 'afterMs', isAmount), need(f, 'jitterMs', isAmount)),
  error: (f) =>
    first(
      need(f, 'code', isErrorCode),
      need(f, 'message', (v) => typeof v === 'string'),
    ),
}

export const GAP_REASONS: ReadonlySet<string> = new Set<GapReason>([
  'unknown_position',
  'trimmed',
  'new_epoch',
  'restored',
])

export function first(...faults: (string | undefined)[]): string | undefined {
  return faults.find((fault) => fault !== undefined)
}

export function need(
  frame: Fields,
  key: string,
  is: (value: unknown) => boolean,
): string | undefined {
  return is(frame[key]) ? undefined : `${key} is missing or wrong`
}

export function optional(
  frame: Fields,
  key: string,
  is: (value: unknown) => boolean,
): string | undefined {
  return frame[key] === undefined ? undefined : need(frame, key, is)
}

export function headersFault(events: unknown): string | undefined {
  if (!isList(events, MAX_BATCH_EVENTS) || events.length === 0) {
    return `events must be 1 to ${MAX_BATCH_EVENTS} headers`
  }
  for (let i = 0; i < events.length; i++) {
    const fault = headerFault(events[i])
    if (fault) return `events[${i}]: ${fault}`
  }
  return undefined
}

export function runsFault(runs: unknown): string | undefined {
  if (!isList(runs, MAX_BATCH_EVENTS)) return `runs must be at most ${MAX_BATCH_EVENTS}`
  let slots = 0
  for (let i = 0; i < runs.length; i++) {
    const run: unknown = runs[i]
    if (!isObject(run) || !isCount(run['place']) || !isTime(run['time'])) {
      return `runs[${i}] needs a place and a time`
    }
    const { own, events } = run
    if ((own === undefined) === (events === undefined)) {
      return `runs[${i}] must have either events or own`
    }
    const fault = isOwn(own)
      ? undefined
      : own === undefined
        ? headersFault(events)
        : 'own is not { batch, indexes }'
    if (fault) return `runs[${i}]: ${fault}`
    slots += isOwn(own) ? own.indexes.length : (events as unknown[]).length
    // They become one record, whose offsets must not run into the next one's.
    if (slots >= BATCH_SLOTS) return `runs must have fewer than ${BATCH_SLOTS} events`
  }
  return undefined
}

/** The runs of a record: counts in place of headers, and events that other records have. */
export function storedRunsFault(runs: unknown, headers: number): string | undefined {
  if (!isList(runs, MAX_BATCH_EVENTS)) return 'its runs are no list'
  let [slots, events] = [0, 0]
  for (const run of runs) {
    if (!isObject(run) || !isCount(run['place']) || !isTime(run['time']))
      return 'a run has no place'
    const { own, held, events: count } = run
    if (isOwn(own)) slots += own.indexes.length
    else if (isHeld(held)) slots += held.indexes.length
    else if (isIndex(count)) events += count
    else return 'a run has no events'
  }
  if (events !== headers) return `${headers} headers, but runs of ${events} events`
  return slots + events < BATCH_SLOTS ? undefined : 'it has too many events'
}

function isHeld(held: unknown): held is { batch: number; indexes: number[] } {
  return (
    isObject(held) &&
    isCount(held['batch']) &&
    isIndexList(held['indexes']) &&
    areRevisions(held['revisions'], held['indexes'])
  )
}

/** Revisions of the events at these indexes, where there are any. */
export function areRevisions(revisions: unknown, indexes: unknown): boolean {
  return (
    revisions === undefined ||
    (isIndexList(revisions) &&
      (revisions as unknown[]).length === (indexes as readonly unknown[]).length)
  )
}

function isOwn(own: unknown): own is OwnRun['own'] {
  return (
    isObject(own) &&
    isCount(own['batch']) &&
    isIndexList(own['indexes']) &&
    areRevisions(own['revisions'], own['indexes']) &&
    (own['refused'] === undefined || isRefusals(own['refused'])) &&
    (own['earlier'] === undefined || isEarlier(own['earlier']))
  )
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isList(value: unknown, most: number): value is unknown[] {
  return Array.isArray(value) && value.length <= most
}

/** A whole number from 1. */
export function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

/** A finite number from 0. */
export function isAmount(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) >= 0
}

export function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value)
}

export function isTerm(value: unknown): value is Term {
  return Array.isArray(value) && value.length === 2 && isCount(value[0]) && isName(value[1])
}

/** Of the relay's own making: a device keeps it as its cursor, and must not keep nonsense. */
export function isPosition(value: unknown): boolean {
  return typeof value === 'string' && parsePosition(value) !== undefined
}

/** As a device gives it back: the relay says which ones it does not know. */
export function isPositionText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 128
}

export function isIndexList(value: unknown): boolean {
  return isList(value, MAX_BATCH_EVENTS) && value.every(isIndex)
}

export function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isEarlier(value: unknown): value is Earlier[] {
  return (
    isList(value, MAX_BATCH_EVENTS) &&
    value.every(
      (entry) =>
        Array.isArray(entry) &&
        (entry.length === 2 || (entry.length === 3 && isCount(entry[2]))) &&
        isIndex(entry[0]) &&
        isCount(entry[1]),
    )
  )
}

/** Whether it says where neighbouring events of a record stand in the room. */
export function isPlacedPart(part: unknown): boolean {
  return (
    isObject(part) &&
    isCount(part['record']) &&
    isName(part['epoch']) &&
    isCount(part['place']) &&
    isIndexList(part['indexes']) &&
    areRevisions(part['revisions'], part['indexes']) &&
    (part['refused'] === undefined || isRefusals(part['refused']))
  )
}

export function isRefusals(value: unknown): value is Refusal[] {
  return (
    isList(value, MAX_BATCH_EVENTS) &&
    value.every(
      (entry) =>
        Array.isArray(entry) &&
        (entry.length === 2 || (entry.length === 3 && isIndex(entry[2]))) &&
        isIndex(entry[0]) &&
        isErrorCode(entry[1]),
    )
  )
}

const KINDS: ReadonlySet<unknown> = new Set(['page', 'worker', 'service-worker', 'process'])

export function isPresent(value: unknown): value is Record<string, unknown> {
  return (
    isObject(value) &&
    isName(value['id']) &&
    KINDS.has(value['kind']) &&
    isHeaderText(value['source']) &&
    (value['leader'] === undefined || value['leader'] === true)
  )
}

/** Whether the fields that name a device, and whom it belongs to, are well-formed where they are. */
export function namesDevice({ device, subject }: Record<string, unknown>): boolean {
  return (
    (device === undefined || isName(device)) && (subject === undefined || isHeaderText(subject))
  )
}

/** What a responder says of what went wrong. */
export function isMessage(value: unknown): boolean {
  return typeof value === 'string' && value.length <= MAX_MESSAGE_LENGTH
}

/** Whether it is a list of types that are responded to, or there is none. */
export function areResponds(value: unknown): boolean {
  return value === undefined || (isList(value, MAX_RESPONDS) && value.every(isEventType))
}

function isPresentDevice(value: unknown): boolean {
  return (
    isObject(value) &&
    namesDevice(value) &&
    areResponds(value['responds']) &&
    isList(value['members'], MAX_PRESENT) &&
    value['members'].every(isPresent)
  )
}

function isToken(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 16_384
}

function isBatchRef(value: unknown): boolean {
  return isObject(value) && isCount(value['batch']) && typeof value['id'] === 'string'
}

function arePatterns(value: unknown): boolean {
  return isList(value, 1_000) && value.every(isPattern)
}

/** Patterns as a device asks for; the relay answers those that are none with a code of their own. */
export function isPatternList(value: unknown): boolean {
  return (
    isList(value, 1_000) &&
    value.every((pattern) => typeof pattern === 'string' && pattern.length <= 256)
  )
}

export function isFrom(value: unknown): boolean {
  if (value === 'start' || value === 'now') return true
  if (!isObject(value)) return false
  return isPositionText(value['position']) || isAmount(value['time']) || isAmount(value['last'])
}
