import { beforeEach, describe, expect, test } from 'vitest'
import { memoryLog } from './log/memory.ts'
import { relayLink } from './relay-link.ts'
import { VirtualPlatform } from './testing/virtual-platform.ts'
import { createBusOn } from './testing/whole-bus.ts'
import type { Bus, OutboxSnapshot } from './types.ts'

let bus: Bus<Record<string, unknown>>

/** A device that is offline: its link opens no socket. */
function offline(limits = {}): Bus<Record<string, unknown>> {
  const relay = relayLink({ url: 'ws://127.0.0.1:9', room: 'r' })
  relay.pause()
  return createBusOn(
    { name: 'offline', log: memoryLog(), tabs: false, relay, limits, onError: () => {} },
    new VirtualPlatform(),
  )
}

beforeEach(() => {
  bus = offline()
  return () => bus.close()
})

async function all<T>(events: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const event of events) list.push(event)
  return list
}

describe('the outbox', () => {
  test('counts what waits for the relay, and tells each change', async () => {
    const seen: OutboxSnapshot[] = []
    bus.outbox.subscribe((snapshot) => seen.push(snapshot))
    await bus.publish('a', 1)
    await bus.publishBatch([{ type: 'a', data: 2 }, { type: 'b' }])
    await bus.publish('mine', 1, { scope: 'device' })
    expect(bus.outbox.get()).toEqual({ pending: 3, refused: 0 })
    expect(seen.map(({ pending }) => pending)).toEqual([0, 1, 3])
    expect(bus.outbox.get()).toBe(seen.at(-1))
  })

  test('lists what waits, oldest first, without what stays on the device', async () => {
    await bus.publish('a', new Map([[1, 2]]))
    await bus.publishBatch([
      { type: 'mine', scope: 'device' },
      { type: 'b', data: 2 },
    ])
    const pending = await all(bus.outbox.pending())
    expect(pending.map(({ type, data }) => [type, data])).toEqual([
      ['a', new Map([[1, 2]])],
      ['b', 2],
    ])
    expect(await all(bus.outbox.refused())).toEqual([])
  })

  test('of a bus without a relay is empty', async () => {
    const alone = createBusOn({ name: 'alone', tabs: false }, new VirtualPlatform())
    await alone.publish('a', 1)
    expect(alone.outbox.get()).toEqual({ pending: 0, refused: 0 })
    expect(await all(alone.outbox.pending())).toEqual([])
    await alone.close()
  })
})

describe('an outbox that fills the log', () => {
  test('rejects what is for the room with outbox_full, and loses nothing', async () => {
    const full = offline({ logEvents: 3 })
    await full.publishBatch([{ type: 'a' }, { type: 'a' }, { type: 'a' }])
    await expect(full.publish('a')).rejects.toMatchObject({ code: 'outbox_full', retryable: true })
    await expect(full.publishBatch([{ type: 'b' }])).rejects.toMatchObject({ code: 'outbox_full' })
    await full.publish('mine', 1, { scope: 'device' })
    await full.publish('hint', 1, { persist: false })
    expect(await all(full.outbox.pending())).toHaveLength(3)
    await full.close()
  })

  test('counts bytes as well', async () => {
    const full = offline({ logBytes: 5_000 })
    await full.publish('a', 'x'.repeat(6_000))
    await expect(full.publish('a')).rejects.toMatchObject({ code: 'outbox_full' })
    await full.close()
  })
})
