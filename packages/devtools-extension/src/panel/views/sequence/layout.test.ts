import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Sequence } from '../../model/model.ts'
import { place, windowOf } from './layout.ts'

const SCALE = { laneWidth: 120, zoom: 1 }

const lanes = ['tab 1', 'tab 2', 'relay'].map((name, i) => ({
  peer: `p${i}`,
  name,
  group: i < 2 ? 'Browser' : 'Relay',
}))

function message(sent: number, arrived: number, from = 0, to = 1): Sequence['messages'][number] {
  const ms = arrived - sent
  return {
    event: 'e-1',
    type: 'cart.added',
    from,
    to,
    sent,
    arrived,
    via: 'tabs',
    ms,
    plusMinus: 0,
  }
}

const sequence = fc
  .record({
    messages: fc.array(
      fc.record({
        sent: fc.integer({ min: 0, max: 5_000 }),
        took: fc.double({ min: -5, max: 10_000, noNaN: true }),
        from: fc.nat(2),
        to: fc.nat(2),
      }),
      { maxLength: 60 },
    ),
    bars: fc.array(fc.record({ lane: fc.nat(2), from: fc.nat(5_000), took: fc.nat(500) }), {
      maxLength: 20,
    }),
  })
  .map(
    ({ messages, bars }): Sequence => ({
      lanes,
      messages: messages
        .sort((a, b) => a.sent - b.sent)
        .map(({ sent, took, from, to }) => message(sent, sent + took, from, to)),
      bars: bars.map(({ lane, from, took }) => ({
        event: 'e-1',
        type: 'order.placed',
        lane,
        from,
        to: from + took,
        failed: false,
      })),
    }),
  )

describe('where a sequence diagram has its parts', () => {
  it('keeps the order of time everywhere, and every arrow points down', () => {
    fc.assert(
      fc.property(sequence, (one) => {
        const placed = place(one, SCALE)
        const points = placed.messages.flatMap(({ index, top, bottom }) => {
          const { sent, arrived } = one.messages[index] as Sequence['messages'][number]
          expect(bottom).toBeGreaterThan(top)
          return arrived > sent
            ? [
                { ms: sent, y: top },
                { ms: arrived, y: bottom },
              ]
            : [{ ms: sent, y: top }]
        })
        for (const a of points)
          for (const b of points) if (a.ms < b.ms) expect(a.y).toBeLessThan(b.y)
      }),
      { numRuns: 60 },
    )
  })

  it('gives each message a line of its own, so that labels do not cover each other', () => {
    const one = {
      lanes,
      messages: [message(0, 9), message(0, 9, 0, 2), message(0.01, 9)],
      bars: [],
    }
    const tops = place(one, SCALE).messages.map(({ top }) => top)
    expect(tops[1]! - tops[0]!).toBeGreaterThanOrEqual(20)
    expect(tops[2]! - tops[1]!).toBeGreaterThanOrEqual(20)
  })

  it('shortens a long wait, and says how long it was', () => {
    const placed = place(
      { lanes, messages: [message(0, 1), message(60_000, 60_001)], bars: [] },
      SCALE,
    )
    expect(placed.height).toBeLessThan(200)
    expect(placed.ticks.at(-1)).toMatchObject({ ms: 60_000, skipped: 59_999 })
  })

  it('shows in a window what reaches into it, and nothing else', () => {
    fc.assert(
      fc.property(sequence, fc.nat(2_000), fc.integer({ min: 1, max: 600 }), (one, top, height) => {
        const placed = place(one, SCALE)
        const [from, to] = windowOf(placed, top, top + height)
        placed.messages.forEach((at, i) => {
          const inside = at.bottom >= top && at.top <= top + height
          if (inside) expect(i >= from && i < to).toBe(true)
        })
        expect(placed.messages[from - 1]?.bottom ?? 0).toBeLessThan(Math.max(top, 1))
        expect(placed.messages[to]?.top ?? Infinity).toBeGreaterThan(top + height)
      }),
      { numRuns: 60 },
    )
  })

  it('names neighbours of one device once', () => {
    expect(place({ lanes, messages: [], bars: [] }, SCALE).groups).toMatchObject([
      { name: 'Browser', lanes: 2, width: 240 },
      { name: 'Relay', lanes: 1, width: 120 },
    ])
  })

  it('has only some of 5,000 messages in a window', () => {
    const messages = Array.from({ length: 5_000 }, (_, i) => message(i, i + 30))
    const placed = place({ lanes, messages, bars: [] }, SCALE)
    const [from, to] = windowOf(placed, placed.height / 2, placed.height / 2 + 600)
    expect(to - from).toBeGreaterThan(5)
    expect(to - from).toBeLessThan(120)
  })
})
