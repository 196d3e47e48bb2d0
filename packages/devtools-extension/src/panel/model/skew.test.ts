import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Skew } from './skew.ts'

const T0 = Date.UTC(2026, 0, 15, 9)

test('contexts of one machine agree, whatever their monotonic clocks say', () => {
  const skew = new Skew()
  skew.hello(1, 'laptop', [T0, 1_000.123], true)
  skew.hello(2, 'laptop', [T0 + 500, 9_000.123], true)
  expect(skew.msOf(1, 1_500.123)).toBeCloseTo(T0 + 500, 3)
  expect(skew.msOf(2, 9_000.123)).toBeCloseTo(T0 + 500, 3)
  expect(skew.of(2).ms).toBe(0)
  expect(skew.of(2).uncertainty).toBeCloseTo(1.002, 6)
  expect(skew.atOf(1, T0 + 500)).toBeCloseTo(1_500.123, 3)
})

test('a tab and its service worker seemed to disagree: neither clock says more than its grain', () => {
  // The wall clock is in whole ms; the other one is coarse, up or down; at 1 ms so are both.
  const clock = fc.record({
    origin: fc.double({ min: 0, max: 100_000, noNaN: true }),
    grain: fc.constantFrom(1, 0.1, 0.02, 0.005, 0.001),
    hello: fc.double({ min: 0, max: 5_000, noNaN: true }),
    up: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()),
  })
  fc.assert(
    fc.property(clock, clock, fc.double({ min: 5_000, max: 9_000, noNaN: true }), (a, b, real) => {
      const skew = new Skew()
      const shown = ({ origin, grain }: typeof a, time: number, up: boolean) =>
        grain * (Math.floor((origin + time) / grain) + (up ? 1 : 0))
      for (const [peer, one] of [a, b].entries()) {
        const wall = Math.floor(T0 + one.hello) + (one.grain === 1 && one.up[3] ? 1 : 0)
        const now = [wall, shown(one, one.hello, one.up[0])] as const
        skew.hello(peer + 1, 'laptop', now, true)
        skew.written(peer + 1, shown(one, one.hello, one.up[1]))
      }
      const apart = skew.msOf(1, shown(a, real, a.up[2])) - skew.msOf(2, shown(b, real, b.up[2]))
      expect(Math.abs(apart)).toBeLessThanOrEqual(skew.between(1, 2) + 1e-6)
    }),
    { numRuns: 1_000 },
  )
})

test('how fine a clock is shows in what it says: the bound is no wider than it must be', () => {
  const skew = new Skew()
  skew.hello(1, 'laptop', [T0, 1_000], true)
  skew.hello(2, 'laptop', [T0, 2_000.3], true)
  // In whole ms, as far as is known.
  expect(skew.between(1, 2)).toBeCloseTo(4.2, 6)
  skew.written(1, 1_007.6)
  expect(skew.between(1, 2)).toBeCloseTo(1.4, 6)
})

test('a wall clock that is set is read anew; its grain is no new time', () => {
  const skew = new Skew()
  skew.hello(1, 'laptop', [T0, 1_000.1], true)
  skew.hello(1, 'laptop', [T0 + 1_000, 2_001.2], true)
  expect(skew.readings(1)).toHaveLength(1)
  skew.hello(1, 'laptop', [T0 + 2_000, 3_001.6], true)
  expect(skew.readings(1)).toHaveLength(2)
})

test('nothing that was written comes before it was written', () => {
  const skew = new Skew()
  skew.hello(1, 'laptop', [T0, 0], true)
  skew.arrived(1, 100.7, T0 + 100)
  expect(skew.msOf(1, 100.7)).toBeCloseTo(T0 + 100, 3)
})

test('a machine that slept is read anew; what was before keeps its time', () => {
  const skew = new Skew()
  skew.hello(1, 'laptop', [T0, 0], true)
  skew.hello(1, 'laptop', [T0 + 3_600_000, 1_000], true)
  expect(skew.msOf(1, 500)).toBe(T0 + 500)
  expect(skew.msOf(1, 1_500)).toBe(T0 + 3_600_500)
})

test('a device of which nothing was exchanged is as sure as nothing', () => {
  const skew = new Skew()
  skew.hello(1, 'laptop', [T0, 0], true)
  skew.hello(2, 'phone', [T0 + 9_000, 0], false)
  expect(skew.of(2).uncertainty).toBe(Number.POSITIVE_INFINITY)
  expect(skew.between(1, 2)).toBe(Number.POSITIVE_INFINITY)
  // A frame that came before it was written says at least how much it is ahead.
  skew.arrived(2, 0, T0 + 20)
  expect(skew.of(2).ms).toBe(8_980)
})

test('what is found of clocks is true, and no effect comes before its cause by more than it says', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -100_000, max: 100_000 }),
      fc.integer({ min: -100_000, max: 100_000 }),
      fc.array(
        fc.record({
          from: fc.constantFrom(1, 2, 3),
          to: fc.constantFrom(1, 2, 3),
          at: fc.integer({ min: 0, max: 250_000 }),
          takes: fc.integer({ min: 1, max: 400 }),
        }),
        { minLength: 1, maxLength: 40 },
      ),
      (phone, service, messages) => {
        // Peer 1 is here; the others' wall clocks are off by so much.
        const off = [0, 0, phone, service]
        const base = [0, 1_000, 77_000, 3]
        const skew = new Skew()
        for (const peer of [1, 2, 3])
          skew.hello(peer, `device ${peer}`, [T0 + off[peer]!, base[peer]!], peer === 1)
        const at = (peer: number, real: number) => base[peer]! + real
        for (const { from, to, at: sent, takes } of messages) {
          if (from === to) continue
          skew.message(from, at(from, sent), to, at(to, sent + takes), T0 + sent + takes)
        }
        for (const peer of [2, 3]) {
          const { ms, uncertainty } = skew.of(peer)
          expect(Math.abs(ms - off[peer]!)).toBeLessThanOrEqual(uncertainty + 1e-6)
        }
        for (const { from, to, at: sent, takes } of messages) {
          if (from === to) continue
          const left = skew.msOf(from, at(from, sent))
          const came = skew.msOf(to, at(to, sent + takes))
          expect(came).toBeGreaterThanOrEqual(left - 1e-3)
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('bounds of long ago are forgotten: clocks drift', () => {
  const skew = new Skew()
  skew.hello(1, 'laptop', [T0, 0], true)
  skew.hello(2, 'phone', [T0, 0], false)
  const exchange = (now: number, ahead: number) => {
    skew.message(1, now, 2, now + ahead + 5, T0 + now)
    skew.message(2, now + ahead, 1, now + 5, T0 + now)
  }
  exchange(0, 100)
  expect(skew.of(2).ms).toBeCloseTo(100, 0)
  for (let now = 0; now < 2_000_000; now += 100_000) exchange(now, 160)
  expect(skew.of(2).ms).toBeCloseTo(160, 0)
})
