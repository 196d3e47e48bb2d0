import { expect, test } from 'vitest'
import { Credits } from './credits.ts'
import type { RelayFrame, WelcomeFrame } from './frames.ts'
import { encodeFrame } from './text.ts'

const welcome = (creditBytes?: number): WelcomeFrame => ({
  frame: 'welcome',
  version: 1,
  subject: 'u',
  rights: { publish: ['*'], subscribe: ['*'] },
  epoch: 'e',
  head: 'e.0.0',
  first: 'e.0.0',
  from: 'e.0.0',
  recovered: true,
  limits: {
    frameBytes: 1_000,
    batchEvents: 10,
    heartbeatMs: 1_000,
    ...(creditBytes !== undefined && { creditBytes }),
  },
  durability: 'disk',
})
const cast: RelayFrame = { frame: 'cast', events: [] }

function take(credits: Credits, frame: RelayFrame, text = encodeFrame(frame)): number | undefined {
  return credits.took(frame, text)
}

test('says what it took, all together, each time that it is so much more', () => {
  const credits = new Credits()
  take(credits, welcome(100))
  const told = Array.from({ length: 8 }, () => take(credits, cast, 'x'.repeat(30)))
  expect(told).toEqual([undefined, undefined, undefined, 120, undefined, undefined, undefined, 240])
})

test('counts bytes, not characters', () => {
  const credits = new Credits()
  take(credits, welcome(10))
  expect(take(credits, cast, 'ü😀€')).toBeUndefined()
  expect(take(credits, cast, 'x')).toBe(10)
})

test('counts neither the welcome nor heartbeats: those the relay may not have sent itself', () => {
  const credits = new Credits()
  take(credits, welcome(1))
  expect(take(credits, { frame: 'heartbeat', head: 'e.0.0' })).toBeUndefined()
  expect(take(credits, cast, 'x')).toBe(1)
})

test('says nothing to a relay that does not ask', () => {
  const credits = new Credits()
  take(credits, welcome())
  expect(take(credits, cast, 'x'.repeat(1_000_000))).toBeUndefined()
})
