/** How numbers and times are written: short, and of even width where they stand in columns. */

/** `14:03:07.123`, in the zone of the reader. */
export function clockTime(ms: number): string {
  const date = new Date(ms)
  if (Number.isNaN(date.getTime())) return '?'
  const two = (value: number): string => String(value).padStart(2, '0')
  const thousandth = String(date.getMilliseconds()).padStart(3, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${thousandth}`
}

/** `0.08 ms`, `12.1 ms`, `540 ms`, `2.31 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  const size = Math.abs(ms)
  if (size >= 60_000) {
    const seconds = Math.round(ms / 1000)
    const minutes = Math.trunc(seconds / 60)
    const hours = Math.trunc(minutes / 60)
    if (Math.abs(hours) >= 48) return `${Math.trunc(hours / 24)} d ${Math.abs(hours % 24)} h`
    if (Math.abs(hours) >= 2) return `${hours} h ${Math.abs(minutes % 60)} min`
    return `${Math.trunc(seconds / 60)} min ${Math.abs(seconds % 60)} s`
  }
  if (size >= 999.5) return `${(ms / 1000).toFixed(2)} s`
  if (size >= 99.95) return `${ms.toFixed(0)} ms`
  if (size >= 9.995) return `${ms.toFixed(1)} ms`
  return `${ms.toFixed(2)} ms`
}

/** The same with its sign: `+12.1 ms`. */
export function signedDuration(ms: number): string {
  return ms < 0 ? `−${duration(-ms)}` : `+${duration(ms)}`
}

/** Time since another row, in milliseconds up to a second: `+12.1`, `+2.31 s`. */
export function delta(ms: number): string {
  return signedDuration(ms).replace(/ ms$/, '')
}

/** `312 B`, `1.2 kB`, `3.40 MB`: thousands, as the network panel has them. */
export function bytes(count: number): string {
  if (count < 1000) return `${Math.round(count)} B`
  if (count < 999_500) return `${(count / 1000).toFixed(count < 99_950 ? 1 : 0)} kB`
  return `${(count / 1_000_000).toFixed(2)} MB`
}

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `98,330`. */
export function count(value: number): string {
  return whole.format(value)
}

/** `1 event`, `2,000 events`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** A number of times a second, for people: `0`, `0.4`, `12`, `5,214`. */
export function rate(value: number): string {
  return value > 0 && value < 9.95 ? value.toFixed(1) : count(value)
}
