/** What came from an inspector: anybody on the origin can post it, so every field is looked at. */
import { type Ask, INSPECT_VERSION, type InspectorFrame } from './frames.ts'

/** Characters of a frame at most: an event that is published has 256 KiB at most. */
const MAX_LENGTH = 1024 * 1024
const OWN = /^\{"inspect":\d+,"frame":"(?:hello|batch|bye|answer|mismatch)"/

/** Whether a text is a frame of a tap: all of them begin so. */
export function isTapFrame(text: string): boolean {
  return OWN.test(text)
}

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
