/** Times, durations and sizes as people write them. */

const MS_UNITS: { readonly [unit: string]: number } = {
  '': 1,
  us: 0.001,
  µs: 0.001,
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
}
const BYTE_UNITS: { readonly [unit: string]: number } = {
  '': 1,
  b: 1,
  k: 1_000,
  kb: 1_000,
  kib: 1_024,
  m: 1_000_000,
  mb: 1_000_000,
  mib: 1_048_576,
}
const QUANTITY = /^(\d+(?:\.\d*)?|\.\d+)\s*([a-zµ]*)$/i

function quantity(text: string, units: { readonly [unit: string]: number }): number | undefined {
  const found = QUANTITY.exec(text)
  if (!found) return undefined
  const unit = found[2]!.toLowerCase()
  return Object.hasOwn(units, unit) ? Number(found[1]) * units[unit]! : undefined
}

/** `50ms`, `1.5s`, `50` (ms). */
export function msOf(text: string): number | undefined {
  return quantity(text, MS_UNITS)
}

/** `512`, `1kB`, `1KiB`, `2MB`. */
export function bytesOf(text: string): number | undefined {
  return quantity(text, BYTE_UNITS)
}

/**
 * `12:30`, `12:30:15.250` (of the day of `now`, local time), an ISO date, ms since 1970, or so much
 * before `now`: `-5m`.
 */
export function timeOf(text: string, now: number): number | undefined {
  if (text.startsWith('-')) {
    const ago = msOf(text.slice(1))
    return ago === undefined ? undefined : now - ago
  }
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?$/.exec(text)
  if (clock) {
    const [, hours, minutes, seconds = '0'] = clock
    if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) >= 60) return undefined
    const day = new Date(now)
    day.setHours(Number(hours), Number(minutes), 0, 0)
    return day.getTime() + Number(seconds) * 1_000
  }
  if (/^\d{11,14}(?:\.\d+)?$/.test(text)) return Number(text)
  if (!/^\d{4}-\d{2}/.test(text)) return undefined
  const parsed = Date.parse(text)
  return Number.isNaN(parsed) ? undefined : parsed
}
