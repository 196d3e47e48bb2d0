import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Log } from '../log/log.ts'
import { MemoryLog } from '../log/memory.ts'
import { sqliteLog } from '../log/sqlite.ts'
import { runtimePlatform } from '../platform.ts'
import { idsOf } from '../testing/read-contract.ts'
import { RoomModel, STREAM, steps, take } from '../testing/room-model.ts'
import { streamEvents } from './stream.ts'

const platform = runtimePlatform()

describe.each<[string, () => Log]>([
  ['memory', () => new MemoryLog(platform)],
  ['sqlite', () => sqliteLog(':memory:').create('a', '', platform)],
])('the order of the room, over %s', (_, create) => {
  it('is that of the room, then what it lost, then what is pending, whatever happened', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 30 }), async (script) => {
        const log = create()
        await log.open()
        const model = new RoomModel(log)
        await model.join()
        for (const step of script) await take(model, step)
        expect(await idsOf(log, { order: 'room' }, true)).toEqual(model.order)
        const stream = await streamEvents(log, STREAM, true, () => {})
        const inRoom = stream.filter(({ header }) => header.scope !== 'device')
        expect(inRoom.map(({ header }) => header.id)).toEqual(model.order)
        await log.close()
      }),
      { numRuns: 300 },
    )
  })

  it('is the same where own events were confirmed long after they were written', async () => {
    const log = create()
    await log.open()
    const model = new RoomModel(log)
    await model.join()
    for (let n = 0; n < 400; n++) await model.publish([true, true])
    for (let n = 0; n < 390; n++) await model.hear(1, 1, n % 7 === 0)
    expect(await idsOf(log, { order: 'room' }, true)).toEqual(model.order)
    await log.close()
  })
})
