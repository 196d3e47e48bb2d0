import { afterEach, describe, expect, test } from 'vitest'
import { createBus } from '../bus.ts'
import type { BusError } from '../errors.ts'
import { offsetOf } from '../event.ts'
import type { LogSource } from '../log/log.ts'
import { MemoryLog, memoryLog } from '../log/memory.ts'
import { MemoryRows } from '../log/memory-rows.ts'
import { sqliteLog } from '../log/sqlite.ts'
import { runtimePlatform } from '../platform.ts'
import { header, joined, own, room } from '../testing/log-records.ts'
import type { Bus } from '../types.ts'
import { streamEvents } from './stream.ts'

const onError = (): void => {}
let bus: Bus<Record<string, unknown>>
afterEach(() => bus?.close())

describe.each<[string, () => LogSource]>([
  ['memory', memoryLog],
  ['sqlite', () => sqliteLog(':memory:')],
])('loadStream over %s', (_, log) => {
  test('gives the events of one stream, in order, with data and offset', async () => {
    bus = createBus({ name: 'streams', log: log(), tabs: false, onError })
    await bus.publish('order.created', new Map([[1, 2]]), { stream: 'order-1' })
    await bus.publishBatch([
      { type: 'order.created', stream: 'order-2' },
      { type: 'order.paid', data: 7, stream: 'order-1' },
      { type: 'order.paid' },
    ])
    const events = await bus.loadStream('order-1')
    expect(events.map(({ type, data, offset, stream }) => [type, data, offset, stream])).toEqual([
      ['order.created', new Map([[1, 2]]), offsetOf(1, 0), 'order-1'],
      ['order.paid', 7, offsetOf(2, 1), 'order-1'],
    ])
    expect(await bus.loadStream('order-9')).toEqual([])
  })
})

describe('loadStream', () => {
  test('is refused for what is no stream, and without a log', async () => {
    bus = createBus({ name: 'streams', log: memoryLog(), tabs: false, onError })
    for (const stream of ['', 'a'.repeat(257), 7 as unknown as string]) {
      await expect(bus.loadStream(stream)).rejects.toMatchObject({ code: 'invalid_options' })
    }
    await bus.close()
    await expect(bus.loadStream('s')).rejects.toMatchObject({ code: 'closed' })
    bus = createBus({ name: 'none', log: false, tabs: false, onError })
    await expect(bus.loadStream('s')).rejects.toMatchObject({ code: 'unreachable' })
  })

  test('gives positions, and leaves out what the room refused', async () => {
    const log = new MemoryLog(runtimePlatform())
    await log.open()
    const term = await joined(log)
    const stream = 's'
    const mine = await log.append(own(['a-1', 'a-2', 'a-3'].map((id) => [id, { stream }])))
    await log.append(own([['a-4', { stream, scope: 'device' }]]))
    const runs = [
      { place: 1, time: 5, events: [header('z-1', { stream })] },
      {
        place: 2,
        time: 5,
        own: { batch: mine, indexes: [0, 2], refused: [[1, 'conflict'] as const] },
      },
      { place: 4, time: 5, events: [header('z-2', { stream })] },
    ]
    await log.appendRoom(room('E.0.0', 'E.4.x', runs), term)
    const events = await streamEvents(log, stream, true, () => {})
    expect(events.map(({ header, position }) => [header.id, position?.split('.')[1]])).toEqual([
      ['z-1', '1'],
      ['a-1', '2'],
      ['a-3', '3'],
      ['z-2', '4'],
      ['a-4', undefined],
    ])
  })

  test('reports a damaged record, and gives the rest', async () => {
    const rows = new MemoryRows(runtimePlatform())
    const log = new MemoryLog(runtimePlatform(), rows)
    await log.open()
    for (const id of ['a-1', 'a-2', 'a-3']) await log.append(own([[id, { stream: 's' }]]))
    Object.assign(rows.batches[1] ?? {}, { headers: '[' })
    const reported: BusError[] = []
    const events = await streamEvents(log, 's', false, (error) => reported.push(error))
    expect(events.map(({ header }) => header.id)).toEqual(['a-1', 'a-3'])
    expect(reported.map(({ code }) => code)).toEqual(['log_damaged'])
  })
})
