/**
 * Captures of any size, the same for the same seed: what the taps of a shop would have sent. For
 * tests, benchmarks, pictures and the panel's demo page.
 */
import {
  columnsOf,
  INSPECT_VERSION,
  type InspectedEvent,
  type InspectRecord,
  packIds,
  type TapFrame,
} from '@crosstown/bus/inspect'
import { typeMatcher } from '@crosstown/bus/protocol'
import { Random } from './random.ts'
import { CASTS, type Cast, helloOf, LINES, type Line, RELAY, subscriptionsOf } from './shop.ts'

export interface CaptureOptions {
  /** Events in all. */
  readonly events: number
  /** @default 1 */
  readonly seed?: number
  /** When it begins, ms since 1970. @default 2026-01-15T09:00:00Z */
  readonly start?: number
  /** Errors, drops, gaps and lost records, or none. @default true */
  readonly trouble?: boolean
  /** Events a second, about. @default 200 */
  readonly rate?: number
  /** Events published at once, at most. @default 40 */
  readonly burst?: number
}

export interface Capture {
  readonly events: number
  readonly start: number
  /** When the last frame was written, ms since 1970. */
  readonly end: number
  /** Frames as texts in the order in which they were written, and when, ms after the start. */
  readonly frames: readonly { readonly at: number; readonly peer: string; readonly text: string }[]
  /** Ids of the events, in the order of publishing. */
  readonly ids: readonly string[]
}

interface Context {
  readonly cast: Cast
  /** Monotonic clock at the start. */
  readonly base: number
  readonly matchers: readonly {
    readonly sub: number
    readonly matches: (type: string) => boolean
  }[]
  records: InspectRecord[]
  next: number
  counter: number
  casts: number
  batch: number
  flushAt: number
}

interface Due {
  readonly at: number
  readonly line: Line
  readonly by: Context
  readonly cause?: InspectedEvent
}

const FLUSH_MS = 50
const START = Date.UTC(2026, 0, 15, 9)

export function makeCapture({
  events,
  seed = 1,
  start = START,
  trouble = true,
  rate = 200,
  burst = 40,
}: CaptureOptions): Capture {
  const random = new Random(seed)
  const relay = contextOf(RELAY, random)
  const contexts = CASTS.map((cast) => contextOf(cast, random))
  const all = [...contexts, relay]
  const frames: { at: number; peer: string; text: string }[] = []
  const ids: string[] = []
  let due: Due[] = []
  let now = 0
  let place = 1

  const write = (context: Context, at: number, frame: TapFrame) =>
    frames.push({ at, peer: context.cast.peer, text: JSON.stringify(frame) })
  const monotonic = (context: Context, at: number) => round(context.base + at)

  for (const context of all) {
    const { cast, base } = context
    write(context, 0, helloOf(cast, start + cast.skew, base))
  }

  const record = (context: Context, at: number, what: WithoutTime) => {
    if (context.records.length === 0) context.flushAt = at + FLUSH_MS
    context.records.push({ ...what, at: monotonic(context, at) } as InspectRecord)
  }
  const flush = (context: Context, at: number) => {
    const { records } = context
    if (records.length === 0) return
    records.sort((a, b) => a.at - b.at)
    let dropped = {}
    if (trouble && context.next > 200 && random.chance(0.0005)) {
      const count = random.whole(5, 40)
      const from = records[0]!.at
      dropped = { dropped: { count, from: from - 20, to: from } }
      context.next += count
    }
    write(context, at, {
      inspect: INSPECT_VERSION,
      frame: 'batch',
      peer: context.cast.peer,
      first: context.next,
      ...dropped,
      records,
    })
    context.next += records.length
    context.records = []
  }
  const flushDue = (until: number) => {
    for (const context of all) {
      if (context.records.length > 0 && (context.flushAt <= until || context.records.length >= 400))
        flush(context, Math.min(context.flushAt, until))
    }
  }

  const publish = (
    context: Context,
    line: Line,
    count: number,
    cause: InspectedEvent | undefined,
  ) => {
    const made: InspectedEvent[] = []
    for (let i = 0; i < count; i++) {
      const n = ids.length
      const event = eventOf(context, line, n, cause, start + context.cast.skew + now, random)
      made.push(event)
      ids.push(event.id)
    }
    const packed = packIds(made.map(({ id }) => id))
    const bytes = made.reduce((sum, event) => sum + event.bytes, 0)
    const events = made.length > 1 ? columnsOf(made) : made
    record(context, now, { is: 'published', events })
    hear(context, made, packed, now + 0.05)
    if (line.scope === 'context') return
    let at = now
    if (!line.cast) {
      const ms = random.latency(1.2)
      at += ms
      context.batch++
      record(context, at, { is: 'committed', batch: context.batch, ids: packed, ms: round(ms) })
    }
    const sent = now + 0.1
    record(context, sent, { is: 'posted', via: 'tabs', ids: packed, bytes })
    for (const other of contexts) {
      if (other === context || other.cast.device !== context.cast.device) continue
      const arrived = sent + random.latency(0.6)
      record(other, arrived, {
        is: 'received',
        via: 'tabs',
        origin: 'device',
        ids: packed,
        from: context.cast.peer,
      })
      hear(other, made, packed, arrived)
    }
    if (line.scope === undefined) overRelay(context, made, packed, bytes, at, line)
  }

  const overRelay = (
    context: Context,
    made: InspectedEvent[],
    packed: ReturnType<typeof packIds>,
    bytes: number,
    at: number,
    line: Line,
  ) => {
    const leader = contexts.find(({ cast }) => cast.leads && cast.device === context.cast.device)!
    const posted = at + 0.4
    record(leader, posted, { is: 'posted', via: 'relay', ids: packed, bytes })
    const there = posted + random.latency(context.cast.device === 'phone' ? 24 : 2)
    record(relay, there, {
      is: 'received',
      via: 'relay',
      origin: 'room',
      ids: packed,
      from: context.cast.device,
    })
    if (trouble && !line.cast && random.chance(0.003)) {
      record(relay, there + 0.1, { is: 'refused', ids: packed, code: 'forbidden', final: true })
      record(leader, there + 3, { is: 'refused', ids: packed, code: 'forbidden', final: true })
      return
    }
    const stored = there + random.latency(0.8)
    if (!line.cast) {
      record(relay, stored, { is: 'confirmed', ids: packed, epoch: 'e1', place })
      record(leader, stored + random.latency(2), {
        is: 'confirmed',
        ids: packed,
        epoch: 'e1',
        place,
      })
      place += made.length
    }
    const devices = new Set(contexts.map(({ cast }) => cast.device))
    for (const device of devices) {
      if (device === context.cast.device) continue
      const out = stored + 0.05
      record(relay, out, { is: 'posted', via: 'relay', ids: packed, bytes, to: device })
      const arrived = out + random.latency(device === 'phone' ? 30 : 2)
      for (const other of contexts) {
        if (other.cast.device !== device) continue
        const heard = other.cast.leads ? arrived : arrived + random.latency(0.6)
        record(other, heard, {
          is: 'received',
          via: other.cast.leads ? 'relay' : 'tabs',
          origin: 'room',
          ids: packed,
        })
        hear(other, made, packed, heard)
      }
    }
  }

  const hear = (
    context: Context,
    made: readonly InspectedEvent[],
    packed: ReturnType<typeof packIds>,
    at: number,
  ) => {
    const { type } = made[0]!
    const subs = context.matchers.filter(({ matches }) => matches(type)).map(({ sub }) => sub)
    record(context, at + 0.02, { is: 'matched', ids: packed, subs })
    for (const sub of subs) {
      const ms = made.map(() => round(random.latency(random.chance(0.01) ? 60 : 0.4)))
      const longest = Math.max(...ms)
      if (trouble && random.chance(0.006)) {
        record(context, at + longest, {
          is: 'failed',
          sub,
          ids: packed,
          stage: 'dispatch',
          code: 'handler_failed',
          message: random.pick([
            "Cannot read properties of undefined (reading 'sku')",
            'The order is not in the store',
            'NetworkError when attempting to fetch resource',
          ]),
          ms: longest,
        })
      } else if (trouble && random.chance(0.003)) {
        record(context, at + 0.1, {
          is: 'dropped',
          ids: packed,
          count: made.length,
          sub,
          why: 'overflow',
        })
      } else if (trouble && random.chance(0.01)) {
        record(context, at + 0.1, { is: 'filtered', sub, ids: packed, why: 'where' })
      } else record(context, at + 0.05 + longest, { is: 'handled', sub, ids: packed, ms })
    }
    // Sometimes a handler answers.
    const line = LINES.find((line) => line.type === type)
    if (
      line?.leadsTo &&
      context.cast.source === line.leadsTo.by &&
      random.chance(line.leadsTo.chance)
    ) {
      const answer = LINES.find((other) => other.type === line.leadsTo!.type)!
      due.push({ at: at + random.latency(6), line: answer, by: context, cause: made[0]! })
    }
  }

  const upset = () => {
    const context = random.pick(contexts)
    switch (random.whole(0, 3)) {
      case 0:
        return record(context, now, {
          is: 'gap',
          gap: { reason: 'trimmed', from: `e1.${place}.x`, lost: `e1.${place - 20}.x` },
        })
      case 1:
        return record(context, now, {
          is: 'error',
          code: 'log_failed',
          stage: 'log',
          message: 'The transaction was aborted',
        })
      case 2: {
        const { status } = helloOf(context.cast, 0, 0)
        record(context, now, { is: 'status', status: { ...status, relay: 'offline' } })
        return record(context, now + 900, { is: 'status', status })
      }
      default:
        return record(context, now, {
          is: 'life',
          state:
            context.cast.kind === 'page' ? random.pick(['hidden', 'visible'] as const) : 'visible',
        })
    }
  }

  while (ids.length < events) {
    due.sort((a, b) => a.at - b.at)
    const first = due[0]
    if (first && first.at <= now) {
      due = due.slice(1)
      publish(first.by, first.line, 1, first.cause)
      continue
    }
    flushDue(now)
    const line = pickLine(random)
    const by = random.pick(
      contexts.filter(({ cast }) => line.by.includes(cast.kind) || line.by.includes(cast.source)),
    )
    const left = events - ids.length
    const count = random.chance(0.3) ? random.whole(2, burst) : 1
    publish(by, line, Math.min(count, left), undefined)
    if (trouble && random.chance(0.002)) upset()
    now += ((random.latency(1) * count) / rate) * 1_000
  }
  now += 2_000
  flushDue(now)
  for (const context of all) flush(context, now)
  frames.sort((a, b) => a.at - b.at)
  return { events: ids.length, start, end: start + now, frames, ids }
}

type WithoutTime = InspectRecord extends infer R
  ? R extends unknown
    ? Omit<R, 'at'>
    : never
  : never

function contextOf(cast: Cast, random: Random): Context {
  const matchers = subscriptionsOf(cast).map(({ sub, patterns }) => ({
    sub,
    matches: typeMatcher(patterns),
  }))
  const base = round(1_000 + random.next() * 50_000)
  return { cast, base, matchers, records: [], next: 0, counter: 0, casts: 0, batch: 0, flushAt: 0 }
}

function eventOf(
  context: Context,
  line: Line,
  n: number,
  cause: InspectedEvent | undefined,
  time: number,
  random: Random,
): InspectedEvent {
  const counted = !line.cast && line.scope !== 'context'
  const id = counted
    ? `${context.cast.peer}-${++context.counter}`
    : `${context.cast.peer}x-${++context.casts}`
  const stream = cause?.stream ?? line.stream?.(n)
  return {
    id,
    type: line.type,
    source: context.cast.source,
    time: Math.floor(time),
    bytes: 150 + random.whole(20, 900),
    ...(line.scope === undefined ? {} : { scope: line.scope }),
    ...(line.cast ? { persist: false as const } : {}),
    ...(stream === undefined ? {} : { stream }),
    ...(cause === undefined
      ? {}
      : { causationId: cause.id, correlationId: cause.correlationId ?? cause.id }),
  }
}

function pickLine(random: Random): Line {
  const total = LINES.reduce((sum, { share }) => sum + share, 0)
  let at = random.next() * total
  for (const line of LINES) {
    at -= line.share
    if (at < 0) return line
  }
  return LINES[0]!
}

/** To the µs, as clocks of contexts are. */
function round(ms: number): number {
  return Math.round(ms * 1_000) / 1_000
}
