import { parseId } from '../event.ts'
import type { Ids } from './frames.ts'

/** Packs ids: neighbours that count up become one run. */
export function packIds(ids: Iterable<string>): Ids {
  const packed: (string | [string, number, number])[] = []
  let run: [prefix: string, first: number, count: number] | undefined
  for (const id of ids) {
    const [prefix, counter] = parseId(id)
    if (counter === 0) {
      packed.push(id)
      run = undefined
    } else if (run && run[0] === prefix && run[1] + run[2] === counter) {
      run[2] += 1
    } else {
      run = [prefix, counter, 1]
      packed.push(run)
    }
  }
  return packed
}

/** The other way. A run that claims more than `limit` ids is cut there: a frame is anybody's. */
export function unpackIds(ids: Ids, limit = 10_000): string[] {
  const unpacked: string[] = []
  for (const entry of ids) {
    if (unpacked.length >= limit) break
    if (typeof entry === 'string') {
      unpacked.push(entry)
      continue
    }
    const [prefix, first, count] = entry
    for (let i = 0; i < count && unpacked.length < limit; i++)
      unpacked.push(`${prefix}-${first + i}`)
  }
  return unpacked
}
