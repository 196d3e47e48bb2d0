import { expect, it } from 'vitest'
import { CreditMeter } from './credits.ts'

it('has on its way what was sent and not taken, in bytes', () => {
  const meter = new CreditMeter()
  meter.sent('ü😀')
  meter.sent('x')
  expect(meter.outstanding).toBe(7)
  meter.took(6)
  expect(meter.outstanding).toBe(1)
})

it('counts from the welcome on, and no heartbeats', () => {
  const meter = new CreditMeter()
  meter.sent('{"frame":"welcome"}')
  meter.begin()
  meter.sent('{"frame":"heartbeat","head":"e.0.0"}')
  expect(meter.outstanding).toBe(0)
})

it('believes nobody who took more than was sent, or less than before', () => {
  const meter = new CreditMeter()
  meter.sent('x'.repeat(10))
  meter.took(1_000)
  meter.sent('x'.repeat(10))
  expect(meter.outstanding).toBe(10)
  meter.took(5)
  expect(meter.outstanding).toBe(10)
})

it('goes on from its counts', () => {
  const meter = new CreditMeter()
  meter.sent('x'.repeat(10))
  meter.took(4)
  const next = new CreditMeter(meter.counts)
  expect(next.outstanding).toBe(6)
  next.took(10)
  expect(next.outstanding).toBe(0)
})
