import { expect, it } from 'vitest'
import { createBus } from '../bus.ts'
import { memoryLog } from '../log/memory.ts'

type Chain = { 'chain.step': { n: number } }

it('a handler that publishes what it hears goes on, whenever its write has just ended', async () => {
  for (let delay = 0; delay < 30; delay++) {
    await using bus = createBus<Chain>({ name: `chain-${delay}`, log: memoryLog(), tabs: false })
    const { promise, resolve } = Promise.withResolvers<void>()
    let reached = 0
    bus.subscribe(
      'chain.step',
      async ({ data: { n } }, ctx) => {
        reached = n
        if (n === 3) return resolve()
        for (let turn = 0; turn < delay; turn++) await undefined
        await ctx.publish('chain.step', { n: n + 1 })
        for (let turn = 0; turn < delay; turn++) await undefined
      },
      { durable: 'chain' },
    )
    await bus.publish('chain.step', { n: 0 })
    await expect.poll(() => reached, { timeout: 5_000, message: `${delay} turns` }).toBe(3)
    await promise
  }
})
