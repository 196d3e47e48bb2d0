/** What came from an inspector: anybody on the origin can post it, so every field is looked at. */
import { isPattern } from '../protocol/pattern.ts'
import { type Ask, type Fault, INSPECT_VERSION, type InspectorFrame, isTapFrame } from './frames.ts'

/** Characters of a frame at most: an event that is published has 256 KiB at most. */
const MAX_LENGTH = 1024 * 1024
/** The frame of an inspector; `mismatch` for one that attaches in another version. */
export function readInspectorFrame(text: unknown): InspectorFrame | 'mismatch' | undefined {
  if (typeof text !== 'string' || text.length > MAX_LENGTH || isTapFrame(text)) return undefined
  let frame: Fields
  try {
    frame = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isObject(frame) || !isName(frame['session'])) return undefined
  if (frame['inspect'] !== INSPECT_VERSION) {
    return Number.isSafeInteger(frame['inspect']) && frame['frame'] === 'attach'
      ? 'mismatch'
      : undefined
  }
  return isWhole(frame) ? (frame as unknown as InspectorFrame) : undefined
}

type Fields = Record<string, unknown>

function isWhole({ frame, to, credit, resume, id, ask }: Fields): boolean {
  if (to !== undefined && !isName(to)) return false
  switch (frame) {
    case 'attach':
      return (
        isCount(credit) &&
        (resume === undefined || (isObject(resume) && Object.values(resume).every(isCount)))
      )
    case 'grant':
      return isCount(credit)
    case 'detach':
      return true
    case 'ask':
      return (
        isName(to) && isCount(id) && isObject(ask) && typeof (ask as Partial<Ask>).what === 'string'
      )
    default:
      return false
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A whole number from 0. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 256
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 256
}

function isListOf(value: unknown, is: (one: unknown) => boolean, limit: number): boolean {
  return Array.isArray(value) && value.length <= limit && value.every(is)
}

/** A whole number from 0, or none. */
export function isNumber(value: unknown): boolean {
  return value === undefined || isCount(value)
}

export function isLimit(value: unknown): boolean {
  return isCount(value) && value > 0
}

export function isTexts(value: unknown): boolean {
  return value === undefined || isListOf(value, isText, 100)
}

export function isPath(path: unknown): boolean {
  return (
    path === undefined || isListOf(path, (step) => typeof step === 'string' || isCount(step), 100)
  )
}

export function isIds(ids: unknown): boolean {
  const isRun = (one: unknown): boolean =>
    Array.isArray(one) && isText(one[0]) && isCount(one[1]) && isCount(one[2])
  return isListOf(ids, (one) => isText(one) || isRun(one), 10_000)
}

const OPS: ReadonlySet<unknown> = new Set([':', '=', '>', '>=', '<', '<='])

export function areTerms(terms: unknown): boolean {
  return isListOf(
    terms,
    (term) =>
      isObject(term) &&
      isListOf(term['path'], isText, 100) &&
      OPS.has(term['op']) &&
      isText(term['value']),
    20,
  )
}

/** What of it is an event is for `publish` to check. */
export function isPublish({
  type,
  data,
  encoding,
  options,
}: Extract<Ask, { what: 'publish' }>): boolean {
  return (
    isText(type) &&
    (data === undefined || typeof data === 'string') &&
    (encoding === undefined || encoding === 'devalue') &&
    (options === undefined || isObject(options))
  )
}

const FAULTS: ReadonlySet<unknown> = new Set(['drop', 'delay', 'duplicate', 'cut'])
/** Ten minutes. */
const MAX_FAULT_MS = 600_000

export function isFault(fault: unknown): fault is Fault {
  if (!isObject(fault)) return false
  const { link, do: what, patterns, delayMs, share = 1, forMs } = fault
  return (
    (link === 'tabs' || link === 'relay') &&
    FAULTS.has(what) &&
    (patterns === undefined || isListOf(patterns, isPattern, 100)) &&
    (delayMs === undefined || isWithin(delayMs, MAX_FAULT_MS)) &&
    isWithin(share, 1) &&
    isWithin(forMs, MAX_FAULT_MS)
  )
}

function isWithin(value: unknown, limit: number): boolean {
  return typeof value === 'number' && value >= 0 && value <= limit
}
