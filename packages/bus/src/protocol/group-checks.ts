/** What the frames of groups must be, field by field. */
import { isErrorCode } from '../errors.ts'
import { isHeaderText, isTime, MAX_BATCH_EVENTS } from '../event.ts'
import {
  type Fields,
  first,
  headersFault,
  isAmount,
  isCount,
  isFrom,
  isList,
  isName,
  isObject,
  isPatternList,
  need,
  optional,
} from './checks.ts'
import type { GroupFrames } from './frames.ts'
import {
  MAX_BACKOFF,
  MAX_GROUP_CREDIT,
  MAX_REASON_LENGTH,
  MAX_SETTLEMENTS,
  type SettleOutcome,
} from './group-frames.ts'

const OUTCOMES: ReadonlySet<unknown> = new Set<SettleOutcome>([
  'ack',
  'nak',
  'term',
  'progress',
  'release',
])

/** What is wrong with a frame of each name, or `undefined` if nothing is. */
export const GROUP_FAULTS: { [N in GroupFrames['frame']]: (frame: Fields) => string | undefined } =
  {
    group: (f) =>
      first(
        ...who(f),
        optional(
          f,
          'join',
          (v) =>
            isObject(v) &&
            optionsFault(v) === undefined &&
            isCount(v['credit']) &&
            (v['credit'] as number) <= MAX_GROUP_CREDIT &&
            (v['from'] === undefined || isFrom(v['from'])) &&
            (v['holds'] === undefined || areRefs(v['holds'])),
        ),
      ),
    grouped: (f) =>
      first(
        ...who(f),
        optional(
          f,
          'options',
          (v) =>
            isObject(v) &&
            ['ackWait', 'maxDeliver', 'maxAckPending'].every((key) => v[key] !== undefined) &&
            optionsFault(v) === undefined,
        ),
        optional(f, 'lapsed', areRefs),
        ...failure(f),
        optional(f, 'message', (v) => typeof v === 'string'),
      ),
    lease: (f) =>
      first(
        ...who(f),
        need(f, 'leases', (v) => isList(v, MAX_BATCH_EVENTS) && v.every(isLease)),
        headersFault(f['events']),
        sameLength(f['leases'], f['events']) ? undefined : 'as many leases as events',
      ),
    settle: (f) =>
      first(
        ...who(f),
        need(f, 'number', isCount),
        need(
          f,
          'settlements',
          (v) => isList(v, MAX_SETTLEMENTS) && v.length > 0 && v.every(isSettlement),
        ),
      ),
    settled: (f) =>
      first(...who(f), need(f, 'number', isCount), optional(f, 'lapsed', areRefs), ...failure(f)),
  }

function sameLength(a: unknown, b: unknown): boolean {
  return Array.isArray(a) && Array.isArray(b) && a.length === b.length
}

function who(f: Fields): (string | undefined)[] {
  return [need(f, 'group', isHeaderText), need(f, 'member', isName)]
}

function failure(f: Fields): (string | undefined)[] {
  return [optional(f, 'code', isErrorCode), optional(f, 'retryAfterMs', isAmount)]
}

function optionsFault(o: Fields): string | undefined {
  return first(
    need(o, 'types', (v) => isPatternList(v) && (v as unknown[]).length > 0),
    optional(o, 'ackWait', isCount),
    optional(o, 'backoff', (v) => isList(v, MAX_BACKOFF) && v.length > 0 && v.every(isCount)),
    optional(o, 'maxDeliver', isCount),
    optional(o, 'maxAckPending', isCount),
    optional(o, 'orderBy', (v) => v === 'stream'),
  )
}

function isRef(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(isCount)
}

function areRefs(value: unknown): boolean {
  return isList(value, MAX_GROUP_CREDIT) && value.every(isRef)
}

function isLease(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 5) return false
  const [place, generation, attempt, time, waitMs] = value as unknown[]
  return isRef([place, generation]) && isCount(attempt) && isTime(time) && isAmount(waitMs)
}

function isSettlement(value: unknown): boolean {
  if (!Array.isArray(value) || value.length < 3 || value.length > 5) return false
  const [place, generation, outcome, delayMs, reason] = value as unknown[]
  return (
    isRef([place, generation]) &&
    OUTCOMES.has(outcome) &&
    (delayMs === undefined || isAmount(delayMs)) &&
    (reason === undefined || (typeof reason === 'string' && reason.length <= MAX_REASON_LENGTH))
  )
}
