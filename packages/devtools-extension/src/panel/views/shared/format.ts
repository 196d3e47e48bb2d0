/** Quantities as people read them: what `ui/format.ts` has, and what only these views need. */
import { count, duration } from '../../ui/format.ts'

export { clockTime, count, duration, plural, signedDuration as since } from '../../ui/format.ts'

/** `12.3 ms`, and `12.3 ms ± 4.0 ms` where two clocks were compared. */
export function measured(ms: number, plusMinus: number): string {
  return plusMinus > 0 ? `${duration(ms)} ± ${duration(plusMinus)}` : duration(ms)
}

/** `312 B`, `1.2 kB`, `34 MB`, `60 GB`: also what disks have. */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let value = n
  let unit = -1
  do {
    value /= 1000
    unit++
  } while (value >= 999.5 && unit < units.length - 1)
  return `${value.toFixed(value < 9.95 ? 1 : 0)} ${units[unit]}`
}

/** `87 %`; what is not whole is never shown as 0 % or 100 %. */
export function share(part: number, whole: number): string {
  if (whole <= 0) return '0 %'
  const percent = (part / whole) * 100
  if (percent > 0 && percent < 1) return '< 1 %'
  if (percent > 99 && percent < 100) return '> 99 %'
  return `${Math.round(percent)} %`
}

/** `5,214/s`, `0.4/s` */
export function rate(perSecond: number): string {
  return `${perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : count(Math.round(perSecond))}/s`
}

/** At most `length` characters, cut in the middle: both ends of a type tell something. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text
  if (length < 3) return text.slice(0, Math.max(0, length - 1)) + (length > 0 ? '…' : '')
  const tail = Math.floor((length - 1) / 2)
  return `${text.slice(0, length - 1 - tail)}…${text.slice(text.length - tail)}`
}

/** `a`, `a and b`, `a, b and c` */
export function list(words: readonly string[], joint = 'and'): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} ${joint} ${words.at(-1)}`
}
