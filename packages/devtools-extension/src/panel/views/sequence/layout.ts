/**
 * Where everything of a sequence diagram stands. Time runs down and keeps its order everywhere: what
 * is lower happened later. Distances grow with the logarithm of time, and each message has a line of
 * its own, so that a microsecond can be read beside a minute.
 */
import type { Sequence } from '../../model/model.ts'

export interface Place {
  readonly index: number
  readonly fromX: number
  readonly toX: number
  readonly top: number
  readonly bottom: number
}

export interface Bar {
  readonly index: number
  readonly x: number
  readonly top: number
  readonly bottom: number
}

export interface Tick {
  readonly y: number
  /** Since the first message. */
  readonly ms: number
  /** Time that passed since the tick before, where it is long: drawn as a break. */
  readonly skipped?: number
}

export interface Placed {
  readonly width: number
  readonly height: number
  readonly lanes: readonly { readonly x: number; readonly width: number }[]
  /** Neighbouring lanes of one group. */
  readonly groups: readonly {
    readonly name: string
    readonly x: number
    readonly width: number
    readonly lanes: number
  }[]
  /** In the order of `top`. */
  readonly messages: readonly Place[]
  readonly bars: readonly Bar[]
  readonly ticks: readonly Tick[]
  /** The lowest `bottom` of all messages up to each: by it a window finds where to begin. */
  readonly reach: readonly number[]
}

export interface Scale {
  readonly laneWidth: number
  /** 1 as read best; less shows more. */
  readonly zoom: number
}

export const GUTTER = 72
const LINE = 22
const MIN_BAR = 5
/** A wait as long as this is drawn as a break. */
const BREAK_MS = 1_000
const MAX_GAP = 48

interface Moment {
  readonly ms: number
  readonly kind: 'arrived' | 'begun' | 'ended' | 'sent' | 'at once'
  readonly index: number
}

/** At one time what arrives comes before what it causes. */
const RANK = { arrived: 0, begun: 1, ended: 2, sent: 3, 'at once': 4 }
const STEP = { arrived: 5, begun: 2, ended: 4, sent: LINE, 'at once': 6 }

export function place(sequence: Sequence, { laneWidth, zoom }: Scale): Placed {
  const { lanes, messages, bars } = sequence
  const moments: Moment[] = []
  for (const [index, { sent, arrived }] of messages.entries()) {
    moments.push({ ms: sent, kind: 'sent', index })
    // By clocks that differ, an arrival may seem to be before its sending.
    if (arrived > sent) moments.push({ ms: arrived, kind: 'arrived', index })
    else moments.push({ ms: sent, kind: 'at once', index })
  }
  for (const [index, { from, to }] of bars.entries()) {
    moments.push({ ms: from, kind: 'begun', index })
    moments.push({ ms: Math.max(from, to), kind: 'ended', index })
  }
  moments.sort((a, b) => a.ms - b.ms || RANK[a.kind] - RANK[b.kind] || a.index - b.index)

  const y = { sent: [], arrived: [], begun: [], ended: [] } as { [kind: string]: number[] }
  const ticks: Tick[] = []
  const start = moments[0]?.ms ?? 0
  let before = start
  let down = 4
  for (const { ms, kind, index } of moments) {
    const gap = ms - before
    down += (STEP[kind] + Math.min(MAX_GAP, 6 * Math.log2(1 + gap))) * zoom
    const last = ticks.at(-1)
    if (kind === 'sent' && (!last || down - last.y >= 18))
      ticks.push({ y: down, ms: ms - start, ...(gap >= BREAK_MS && { skipped: gap }) })
    ;(y[kind === 'at once' ? 'arrived' : kind] as number[])[index] = down
    before = ms
  }

  const laneX = (lane: number) => GUTTER + (lane + 0.5) * laneWidth
  const placed = messages
    .map(({ from, to }, index): Place => {
      const top = y['sent']?.[index] as number
      const bottom = y['arrived']?.[index] as number
      return { index, fromX: laneX(from), toX: laneX(to), top, bottom }
    })
    .sort((a, b) => a.top - b.top)
  let lowest = 0
  const reach = placed.map(({ bottom }) => {
    lowest = Math.max(lowest, bottom)
    return lowest
  })
  return {
    width: GUTTER + lanes.length * laneWidth,
    height: down + LINE,
    lanes: lanes.map((_, lane) => ({ x: laneX(lane), width: laneWidth })),
    groups: groupsOf(sequence, laneWidth),
    messages: placed,
    bars: bars.map(({ lane }, index) => {
      const top = y['begun']?.[index] as number
      const bottom = Math.max(y['ended']?.[index] as number, top + MIN_BAR)
      return { index, x: laneX(lane), top, bottom }
    }),
    ticks,
    reach,
  }
}

function groupsOf({ lanes }: Sequence, laneWidth: number): Placed['groups'] {
  const groups: { name: string; x: number; width: number; lanes: number }[] = []
  for (const [lane, { group }] of lanes.entries()) {
    const last = groups.at(-1)
    if (last?.name === group) {
      last.width += laneWidth
      last.lanes++
    } else {
      groups.push({ name: group, x: GUTTER + lane * laneWidth, width: laneWidth, lanes: 1 })
    }
  }
  return groups
}

/** The messages of which a window shows any part, as a range of `placed.messages`. */
export function windowOf(placed: Placed, top: number, bottom: number): [from: number, to: number] {
  const { messages, reach } = placed
  const from = firstWhere(reach.length, (i) => (reach[i] as number) >= top)
  const to = firstWhere(messages.length, (i) => (messages[i] as Place).top > bottom)
  return [from, Math.max(from, to)]
}

/** The first index for which it holds, where it holds for all after it, too. */
function firstWhere(length: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
