/** What can be asked for, and how it is said in completions. */

export interface Key {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly detail: string
  /** What kind of value it takes. */
  readonly takes:
    | 'type'
    | 'peer'
    | 'via'
    | 'text'
    | 'event'
    | 'ms'
    | 'bytes'
    | 'scope'
    | 'state'
    | 'is'
    | 'why'
    | 'time'
    | 'count'
    | 'nothing'
    | 'data'
}

export const KEYS: readonly Key[] = [
  { name: 'type', aliases: ['topic'], takes: 'type', detail: 'type or pattern: order.*, order.**' },
  { name: 'from', takes: 'peer', detail: 'who published it' },
  { name: 'to', takes: 'peer', detail: 'who received or handled it' },
  { name: 'peer', takes: 'peer', detail: 'who published, received or handled it' },
  { name: 'via', takes: 'via', detail: 'over which link it went' },
  { name: 'source', takes: 'text', detail: 'the source of the event' },
  { name: 'stream', takes: 'text', detail: 'the stream of the event' },
  { name: 'id', takes: 'event', detail: 'one event' },
  { name: 'corr', aliases: ['correlation'], takes: 'event', detail: 'the correlation id' },
  {
    name: 'causedby',
    aliases: ['caused-by', 'cause'],
    takes: 'event',
    detail: 'direct effects of an event',
  },
  { name: 'chain', takes: 'event', detail: 'the conversation of an event' },
  { name: 'dur', aliases: ['duration'], takes: 'ms', detail: 'the longest handler: >50ms' },
  { name: 'latency', takes: 'ms', detail: 'until the last peer handled it: >1s' },
  { name: 'size', aliases: ['bytes'], takes: 'bytes', detail: 'header and data: >10kB' },
  { name: 'scope', takes: 'scope', detail: 'context, device or room' },
  { name: 'state', takes: 'state', detail: 'how far it got' },
  { name: 'error', aliases: ['err'], takes: 'text', detail: 'failures, by code or message' },
  { name: 'drop', aliases: ['dropped'], takes: 'why', detail: 'dropped or filtered, and why' },
  { name: 'gap', takes: 'nothing', detail: 'holes and lost records' },
  { name: 'delivered', takes: 'count', detail: 'peers that handled it' },
  { name: 'is', takes: 'is', detail: 'in, out, missing, cast, note...' },
  { name: 'after', takes: 'time', detail: 'from a time on: 12:30:15, -5m' },
  { name: 'before', takes: 'time', detail: 'up to a time: 12:30:15, -5m' },
  { name: 'data', takes: 'data', detail: 'data.path:value, looked up in the pages' },
]

const BY_NAME: ReadonlyMap<string, string> = new Map(
  KEYS.flatMap(({ name, aliases = [] }) => [name, ...aliases].map((one) => [one, name] as const)),
)

/** The key that a name stands for; `data.a.b` stands for `data`. */
export function keyFor(name: string): string | undefined {
  const lower = name.toLowerCase()
  if (lower.startsWith('data.') && name.length > 5) return 'data'
  return lower === 'data' ? undefined : BY_NAME.get(lower)
}

/** A key that was meant, perhaps. */
export function nearestKey(name: string): string | undefined {
  if (name.toLowerCase() === 'data') return 'data.path'
  let nearest: string | undefined
  let least = 3
  for (const known of BY_NAME.keys()) {
    const apart = distance(name.toLowerCase().slice(0, 32), known)
    if (apart < least && apart < known.length) {
      least = apart
      nearest = BY_NAME.get(known)
    }
  }
  return nearest
}

/** How many letters to put in, take out or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
