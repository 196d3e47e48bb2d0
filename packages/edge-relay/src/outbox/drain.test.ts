/** When an outbox is looked at, and when it is tried again. */
import { BusError } from '@crosstown/bus/protocol'
import { expect, it, vi } from 'vitest'
import { createRelay } from '../relay.ts'
import { ManualPlatform } from '../testing/manual-platform.ts'
import type { Outbox, Step, Waiting } from './outbox.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A table that has no rows to read, and is seldom polled. */
class Table implements Outbox {
  readonly engine = 'test'
  readonly pollMs = 3_600_000
  steps = 0
  measures = 0
  isAway = false
  /** What steps and measures wait for. */
  stepping: Promise<void> = Promise.resolve()
  measuring: Promise<void> = Promise.resolve()
  hear = (): void => {}

  async step(): Promise<Step> {
    this.steps += 1
    await this.stepping
    if (this.isAway) throw new BusError('unavailable', 'the table is away')
    return { settled: 0, more: false }
  }

  async waiting(): Promise<Waiting> {
    this.measures += 1
    await this.measuring
    return { rows: 1 }
  }

  listen(heard: () => void): void {
    this.hear = heard
  }

  async close(): Promise<void> {}
}

function setup(table: Table) {
  const platform = new ManualPlatform()
  return { platform, relay: createRelay({ outbox: table, platform, onError: () => {} }) }
}

it('an outbox that failed twice in a row is tried again once, and not for ever', async () => {
  const table = new Table()
  table.isAway = true
  const { platform, relay } = setup(table)
  await turn()
  table.hear()
  await turn()
  expect(table.steps).toBe(2)
  table.isAway = false
  for (let ms = 0; ms < 10_000; ms += 50) {
    platform.advance(50)
    await turn()
  }
  expect(table.steps).toBe(3)
  await relay.close()
})

it('a step that fails as the relay closes leaves no timer behind', async () => {
  const table = new Table()
  const { promise, resolve } = Promise.withResolvers<void>()
  table.stepping = promise
  table.isAway = true
  const { platform, relay } = setup(table)
  const closed = relay.close()
  resolve()
  await closed
  expect(platform.timers).toBe(0)
})

it('rows that are told of while others are counted are looked for at once', async () => {
  const table = new Table()
  const { relay } = setup(table)
  await turn()
  const { promise, resolve } = Promise.withResolvers<void>()
  table.measuring = promise
  const { measures, steps } = table
  table.hear()
  await vi.waitFor(() => expect(table.measures).toBe(measures + 1))
  expect(table.steps).toBe(steps + 1)
  table.hear()
  resolve()
  await vi.waitFor(() => expect(table.steps).toBe(steps + 2))
  await relay.close()
})

it('an outbox that fails is left in peace for a while, though rows were told of meanwhile', async () => {
  const table = new Table()
  const { promise, resolve } = Promise.withResolvers<void>()
  table.stepping = promise
  table.isAway = true
  const { platform, relay } = setup(table)
  table.hear()
  resolve()
  for (let i = 0; i < 10; i++) await turn()
  expect(table.steps).toBe(1)
  platform.advance(250)
  expect(table.steps).toBe(2)
  await relay.close()
})
