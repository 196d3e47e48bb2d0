import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Skew } from './skew.ts'

const T0 = Date.UTC(2026, 0, 15, 9)

test('contexts of one machine agree to a millisecond, whatever their monotonic clocks say', () => {
  const skew = new Skew()
  skew.hello(1, 'laptop', [T0, 1_000], true)
  skew.hello(2, 'laptop', [T0 + 500, 9_000], true)
  expect(skew.msOf(1, 1_500)).toBe(T0 + 500)
  expect(skew.msOf(2, 9_000)).toBe(T0 + 500)
  expect(skew.of(2)).toEqual({ ms: 0, uncertainty: 1 })
  expect(skew.atOf(1, T0 + 500)).toBe(1_500)
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
