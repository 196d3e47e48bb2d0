/** Quantities as people read them. */

const counts = new Intl.NumberFormat('en')

/** `12,345` */
export function count(n: number): string {
  return counts.format(n)
}

/** `1 event`, `12,345 events` */
export function plural(n: number, one: string, many: string = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`
}

/** `0.42 ms`, `12.3 ms`, `340 ms`, `1.24 s`, `2 min 03 s`: three digits that mean something. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return '?'
  const size = Math.abs(ms)
  if (size < 0.005) return '0 ms'
  if (size < 9.995) return `${ms.toFixed(2)} ms`
  if (size < 99.95) return `${ms.toFixed(1)} ms`
  if (size < 999.5) return `${ms.toFixed(0)} ms`
  if (size < 59_950) return `${(ms / 1000).toFixed(size < 9_995 ? 2 : 1)} s`
  const seconds = Math.round(size / 1000)
  const sign = ms < 0 ? '-' : ''
  if (seconds < 3600)
    return `${sign}${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
  const minutes = Math.round(seconds / 60)
  return `${sign}${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

/** `+12.3 ms`: since something else. */
export function since(ms: number): string {
  return `${ms < 0 ? '' : '+'}${duration(ms)}`
}

/** `12.3 ms`, and `12.3 ms ± 4.0 ms` where two clocks were compared. */
export function measured(ms: number, plusMinus: number): string {
  return plusMinus > 0 ? `${duration(ms)} ± ${duration(plusMinus)}` : duration(ms)
}

/** `312 B`, `1.2 kB`, `34 MB` */
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

/** `87 %`; nothing that is not whole is shown as 0 % or 100 %. */
export function share(part: number, whole: number): string {
  if (whole <= 0) return '0 %'
  const percent = (part / whole) * 100
  if (percent > 0 && percent < 1) return '< 1 %'
  if (percent > 99 && percent < 100) return '> 99 %'
  return `${Math.round(percent)} %`
}

/** `5,214/s`, `0.4/s` */
export function rate(perSecond: number): string {
  return `${perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond))}/s`
}

/** `14:03:22.123` */
export function clockTime(wall: number): string {
  const date = new Date(wall)
  if (Number.isNaN(date.getTime())) return '?'
  const two = (n: number) => String(n).padStart(2, '0')
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`
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
