/**
 * Chains: a running hash over the ids at all places of a room up to one. Two rooms with the same
 * chain at a place have the same history up to there, which the check of one event cannot tell: a
 * restored room that was fed again may have that event there again, and others before it. Devices
 * carry chains in their cursors and look into none.
 */

/** What a place holds: the id of an event, or that of a batch of which nothing was taken. */
export interface Places {
  readonly headers: readonly { readonly id: string }[]
  readonly lastId: string
}

/** Neither stands in an id: so no two histories are the same text. */
const EVENT_END = 10
const REFUSED_END = 21

/**
 * The chain after the first `count` places of what follows `chain`; the empty one is that of no
 * place. Two hashes of 32 bits each, both over the UTF-16 code units of the ids and an end behind
 * each: FNV-1a, and one that rotates by 13 before it multiplies. 14 characters of base 36.
 */
export function chainOver(chain: string, { headers, lastId }: Places, count: number): string {
  let a = chain === '' ? 0x811c9dc5 : numberAt(chain, 0)
  let b = chain === '' ? 0x9e3779b9 : numberAt(chain, DIGITS)
  for (let place = 0; place < count; place++) {
    const id = headers[place]?.id
    const text = id ?? lastId
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      a = Math.imul(a ^ unit, FNV_PRIME)
      b = Math.imul(((b << 13) | (b >>> 19)) ^ unit, MULTIPLIER)
    }
    const end = id === undefined ? REFUSED_END : EVENT_END
    a = Math.imul(a ^ end, FNV_PRIME)
    b = Math.imul(((b << 13) | (b >>> 19)) ^ end, MULTIPLIER)
  }
  return text36(a) + text36(b)
}

const FNV_PRIME = 0x01000193
const MULTIPLIER = 0x85ebca6b
/** Digits of 32 bits in base 36. */
const DIGITS = 7

// By hand, in small whole numbers, because a room does this for every batch: toString and parseInt
// take several times as long.

const ONES = '0123456789abcdefghijklmnopqrstuvwxyz'
const PAIRS = Array.from({ length: 36 * 36 }, (_, n) => n.toString(36).padStart(2, '0'))

function text36(hash: number): string {
  const number = hash >>> 0
  const high = (number / 36 ** 4) | 0
  const low = (number - high * 36 ** 4) | 0
  const first = (high / 36 ** 2) | 0
  const third = (low / 36 ** 2) | 0
  return (
    (ONES[first] as string) +
    PAIRS[high - first * 36 ** 2] +
    PAIRS[third] +
    PAIRS[low - third * 36 ** 2]
  )
}

function numberAt(chain: string, from: number): number {
  let number = 0
  for (let i = from; i < from + DIGITS; i++) {
    const unit = chain.charCodeAt(i)
    number = (Math.imul(number, 36) + (unit < 58 ? unit - 48 : unit - 87)) | 0
  }
  return number
}
