/** How much of which room is kept. */
import { BusError, isRoom } from '@crosstown/bus/protocol'
import type { Limits } from './limits.ts'

/** How much of a room is kept; what is left out is as in the limits of the relay. */
export interface RoomLimits {
  /** Events. */
  readonly roomEvents?: number
  /** UTF-8 bytes of headers and data. */
  readonly roomBytes?: number
  /** Days since an event was written. */
  readonly roomDays?: number
}

/**
 * Which rooms are kept how: by name, by the beginning of names with a `*` at the end, or by a function.
 * Of several names that fit, the longest says all; one without `*` is longer than any with.
 *
 * @example
 * createRelay({ retention: { 'audit-*': { roomDays: 3650 }, 'cursor-*': { roomEvents: 1000, roomDays: 1 } } })
 */
export type RoomRetention =
  | Readonly<Record<string, RoomLimits>>
  | ((room: string) => RoomLimits | undefined)

/** What holds of one room. */
export type Kept = Required<RoomLimits>

const KEYS = ['roomEvents', 'roomBytes', 'roomDays'] as const

/**
 * How each room is kept.
 *
 * @param report gets what a function threw, or is wrong with its answer: then the limits hold
 * @throws {BusError} invalid_options
 */
export function keeping(
  given: RoomRetention | undefined,
  limits: Limits,
  report: (error: unknown, room: string) => void,
): (room: string) => Kept {
  const { roomBytes, roomDays, roomEvents } = limits
  const all: Kept = { roomEvents, roomBytes, roomDays }
  if (given === undefined) return () => all
  if (
    typeof given !== 'function' &&
    (typeof given !== 'object' || given === null || Array.isArray(given))
  )
    throw invalid('retention must be a function, or an object of rooms')
  if (typeof given === 'function') {
    return (room) => {
      try {
        return kept(all, given(room) ?? {}, 'the answer of retention')
      } catch (error) {
        report(error, room)
        return all
      }
    }
  }
  const rules = Object.entries(given).map(([name, own]) =>
    ruleOf(name, kept(all, own, `retention[${JSON.stringify(name)}]`)),
  )
  rules.sort(
    (a, b) => Number(a.isBeginning) - Number(b.isBeginning) || b.text.length - a.text.length,
  )
  return (room) =>
    rules.find(({ isBeginning, text }) => (isBeginning ? room.startsWith(text) : room === text))
      ?.kept ?? all
}

function ruleOf(name: string, kept: Kept) {
  const isBeginning = name.endsWith('*')
  const text = isBeginning ? name.slice(0, -1) : name
  if (isRoom(isBeginning ? `${text}x` : text)) return { text, isBeginning, kept }
  throw invalid(`${JSON.stringify(name)} is no room, and no beginning of rooms with a * at its end`)
}

function kept(all: Kept, own: unknown, name: string): Kept {
  if (typeof own !== 'object' || own === null || Array.isArray(own))
    throw invalid(`${name} must be an object of ${KEYS.join(', ')}`)
  for (const [key, value] of Object.entries(own)) {
    if (!(KEYS as readonly string[]).includes(key))
      throw invalid(`${name}.${key} is no limit of rooms; use ${KEYS.join(', ')}`)
    if (!Number.isSafeInteger(value) || value < 1)
      throw invalid(`${name}.${key} must be a whole number from 1`)
  }
  return { ...all, ...own }
}

function invalid(message: string): BusError {
  return new BusError('invalid_options', message)
}
