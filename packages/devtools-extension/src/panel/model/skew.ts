/**
 * Turns a peer's monotonic clock into the inspector's: ms since 1970 by the wall clock of the machine
 * the panel is on. Peers say their wall clock and their monotonic one together, so that those of one
 * machine agree. How far another device's wall clock is off is bounded by messages: none is received
 * before it is sent. Of the bounds in both directions the middle is taken, half their distance is the
 * uncertainty.
 */

/** Both clocks of a peer were read together here; a machine that slept is read anew. */
export interface Reading {
  readonly monotonic: number
  readonly offset: number
}

interface Clock {
  readonly readings: Reading[]
  device: number
  /** A wall clock counts whole ms: it may say up to one too few, or be set. */
  early: number
  /** Which of `GRAINS` its monotonic clock has: as fine as what it said until now. */
  grain: number
}

interface Bound {
  /** The wall clock of the receiver is ahead of the sender's by at least this, ms. */
  now: number
  before: number
  since: number
}

interface Device {
  readonly name: string
  /** Clocks of the machine the panel is on need no messages. */
  local: boolean
  /** No more than this is added to its clock, by when its frames arrived. */
  arrived: number
  offset: number
  low: number
  high: number
}

/** Bounds of before are forgotten after so long: clocks drift apart. */
const WINDOW_MS = 300_000
/** Wall clocks count whole ms. */
const WALL_MS = 1
/**
 * Browsers make monotonic clocks coarse, so that nobody can tell what took how long: to 1 ms (Firefox,
 * Safari) or 0.1 ms (Chromium); in isolated pages to 0.02 and 0.005 ms. Servers have more than records
 * say.
 */
const GRAINS = [1, 0.1, 0.02, 0.005, 0.001]
const MAX_READINGS = 64
/** A sleep or a new time of day, rather than the grain of the clock. */
const STEP_MS = 5

export class Skew {
  readonly #clocks: (Clock | undefined)[] = []
  readonly #devices: Device[] = []
  readonly #bounds = new Map<number, Bound>()
  #stale = false
  #version = 0

  /** Grows when times that were given before would be others now. */
  get version(): number {
    this.#solve()
    return this.#version
  }

  /** A `hello`: both clocks, and whether it is of the machine the panel is on. */
  hello(
    peer: number,
    device: string,
    [wall, monotonic]: readonly [number, number],
    local: boolean,
  ): void {
    const index = this.#deviceOf(device, local)
    const offset = wall - monotonic
    const clock = this.#clocks[peer]
    if (!clock) {
      this.#clocks[peer] = {
        readings: [{ monotonic, offset }],
        device: index,
        early: 0,
        grain: finer(0, monotonic),
      }
      return
    }
    if (clock.device !== index) {
      clock.device = index
      this.#version++
    }
    const last = clock.readings.at(-1)!
    clock.grain = finer(clock.grain, monotonic)
    if (monotonic <= last.monotonic || Math.abs(offset - last.offset) <= errorOf(clock)) return
    clock.readings.push({ monotonic, offset })
    clock.early = 0
    if (clock.readings.length > MAX_READINGS) clock.readings.shift()
  }

  /** A peer wrote something: how fine its clock is shows in the times it gives. */
  written(peer: number, at: number): void {
    const clock = this.#clocks[peer]
    if (clock) clock.grain = finer(clock.grain, at)
  }

  /** Something that a peer wrote at `at` was here at `now`. */
  arrived(peer: number, at: number, now: number): void {
    const clock = this.#clocks[peer]
    if (!clock) return
    const wall = this.#wall(clock, at)
    const device = this.#devices[clock.device]!
    const late = now - wall
    if (device.local) {
      if (late < 0) {
        clock.early += late
        if (late < -STEP_MS) this.#version++
      }
    } else if (late < device.arrived) {
      device.arrived = late
      this.#stale = true
    }
  }

  /** A message left one peer and reached another. */
  message(from: number, sent: number, to: number, received: number, now: number): void {
    const sender = this.#clocks[from]
    const receiver = this.#clocks[to]
    if (!sender || !receiver || sender.device === receiver.device) return
    const ahead = this.#wall(sender, sent) - this.#wall(receiver, received)
    const key = sender.device * 65_536 + receiver.device
    const bound = this.#bounds.get(key)
    if (!bound) {
      this.#bounds.set(key, { now: ahead, before: Number.NEGATIVE_INFINITY, since: now })
      this.#stale = true
      return
    }
    if (now - bound.since > WINDOW_MS) {
      bound.before = bound.now
      bound.now = ahead
      bound.since = now
      this.#stale = true
    } else if (ahead > bound.now) {
      bound.now = ahead
      this.#stale = true
    }
  }

  /** A time of a peer's, on the inspector's clock; NaN of a peer that never said its clocks. */
  msOf(peer: number, at: number): number {
    const clock = this.#clocks[peer]
    return clock ? this.#wall(clock, at) + this.#devices[clock.device]!.offset : Number.NaN
  }

  /** What its clocks said: wall minus monotonic, from a monotonic time on. */
  readings(peer: number): readonly Reading[] {
    return this.#clocks[peer]?.readings ?? []
  }

  /** The other way, by its newest reading. */
  atOf(peer: number, ms: number): number {
    const clock = this.#clocks[peer]
    if (!clock) return Number.NaN
    const { offset } = clock.readings.at(-1)!
    return ms - this.#devices[clock.device]!.offset - offset - clock.early
  }

  /** Its wall clock minus the inspector's, ms; `uncertainty` is Infinity while nothing bounds it. */
  of(peer: number): { readonly ms: number; readonly uncertainty: number } {
    this.#solve()
    const clock = this.#clocks[peer]
    if (!clock) return { ms: 0, uncertainty: Number.POSITIVE_INFINITY }
    const device = this.#devices[clock.device]!
    // `+ 0` so that no skew is not -0.
    return {
      ms: -device.offset + 0,
      uncertainty: Math.max(
        errorOf(clock),
        Math.abs(device.high - device.offset),
        Math.abs(device.offset - device.low),
      ),
    }
  }

  /** How far a hop between two peers may be off, ms. */
  between(one: number, other: number): number {
    const first = this.#clocks[one]
    const second = this.#clocks[other]
    if (!first || !second) return Number.POSITIVE_INFINITY
    if (first.device === second.device) {
      const coarser = first.grain < second.grain ? first : second
      return wallError(coarser) + 2 * (GRAINS[first.grain]! + GRAINS[second.grain]!)
    }
    return this.of(one).uncertainty + this.of(other).uncertainty
  }

  #wall(clock: Clock, at: number): number {
    const { readings } = clock
    let i = readings.length - 1
    while (i > 0 && readings[i]!.monotonic > at) i--
    return at + readings[i]!.offset + clock.early
  }

  #deviceOf(name: string, local: boolean): number {
    const known = this.#devices.findIndex((device) => device.name === name)
    if (known >= 0) {
      const device = this.#devices[known]!
      if (local && !device.local) {
        device.local = true
        this.#stale = true
      }
      return known
    }
    const far = Number.POSITIVE_INFINITY
    this.#devices.push({
      name,
      local,
      arrived: far,
      offset: 0,
      low: local ? 0 : -far,
      high: local ? 0 : far,
    })
    return this.#devices.length - 1
  }

  /**
   * Each device's interval by what bounds it, over one or more hops; then one time after the other is
   * settled within what the ones before leave of it, so that all bounds hold together. Where bounds
   * contradict each other a clock was set or drifts: the middle is as good as it gets.
   */
  #solve(): void {
    if (!this.#stale) return
    this.#stale = false
    const devices = this.#devices
    const ranges: Range[] = devices.map(({ local, arrived }) => ({
      low: local ? 0 : Number.NEGATIVE_INFINITY,
      high: local ? 0 : arrived,
      settled: local,
    }))
    this.#narrow(ranges)
    for (const [index, device] of devices.entries()) {
      device.low = ranges[index]!.low
      device.high = ranges[index]!.high
    }
    for (const [index, device] of devices.entries()) {
      const range = ranges[index]!
      if (range.settled) continue
      const offset = settle(range, device.offset)
      ranges[index] = { low: offset, high: offset, settled: true }
      this.#narrow(ranges)
      if (offset === device.offset) continue
      device.offset = offset
      this.#version++
    }
  }

  #narrow(ranges: readonly Range[]): void {
    for (let round = 0; round < ranges.length; round++) {
      let moved = false
      for (const [key, bound] of this.#bounds) {
        const from = ranges[Math.floor(key / 65_536)]!
        const to = ranges[key % 65_536]!
        const ahead = Math.max(bound.now, bound.before)
        if (!to.settled && from.low + ahead > to.low) {
          to.low = from.low + ahead
          moved = true
        }
        if (!from.settled && to.high - ahead < from.high) {
          from.high = to.high - ahead
          moved = true
        }
      }
      if (!moved) return
    }
  }
}

/** The first grain that a time is a multiple of; what records say is rounded to 1 µs. */
function finer(grain: number, at: number): number {
  let index = grain
  for (; index < GRAINS.length - 1; index++) {
    const steps = at / GRAINS[index]!
    if (Math.abs(steps - Math.round(steps)) * GRAINS[index]! < 6e-4) break
  }
  return index
}

/** Where the monotonic clock is coarser than half a ms, the wall clock is made as coarse. */
function wallError({ grain }: Clock): number {
  return Math.max(WALL_MS, 2 * GRAINS[grain]!)
}

/**
 * How far a time of a peer may be off from its machine's, ms. Browsers show one of the two steps that
 * a time lies between, by chance: so it is off by a grain either way. Measured, all `Date.now()` minus
 * `performance.now()` of a page lie within 1.1 ms in Chromium, 1.005 ms where it is isolated, and 3 ms
 * in Firefox: just within this.
 */
function errorOf(clock: Clock): number {
  return wallError(clock) + 2 * GRAINS[clock.grain]!
}

interface Range {
  low: number
  high: number
  settled: boolean
}

/** Times that were given stay as long as they can be true, and are not far from the best guess. */
function settle({ low, high }: Range, before: number): number {
  const both = Number.isFinite(low) && Number.isFinite(high)
  const best = both ? (low + high) / 2 : Math.min(Math.max(0, low), high)
  const near = both ? Math.max(1, (high - low) / 4) : 1
  const holds = low <= before && before <= high
  return holds && Math.abs(best - before) < near ? before : best
}
