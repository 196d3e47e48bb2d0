import { deleteDB, openDB } from 'idb'
import { expect, it } from 'vitest'
import { createBus } from '../bus.ts'
import type { BusError } from '../errors.ts'

it('loadStream reads the copies of a stream, and passes damaged ones over', async () => {
  const name = `stream-${Date.now()}`
  const reported: BusError[] = []
  const bus = createBus({ name, tabs: false, onError: (error) => reported.push(error) })
  for (let n = 0; n < 4; n++) {
    const streams = ['s', ...Array.from({ length: 40 }, (_, i) => `other-${i}`)]
    await bus.publishBatch(streams.map((stream) => ({ type: 'a', data: n, stream })))
  }
  expect((await bus.loadStream('s')).map(({ data }) => data)).toEqual([0, 1, 2, 3])
  const database = await openDB(`crosstown:${name}:`)
  const [first, second] = await database.getAllKeysFromIndex('streams', 'streams', 's')
  await database.put('streams', { streams: ['s'], parts: 7 }, first)
  await database.put('streams', { streams: ['s'], parts: [{ headers: '[]', data: '' }] }, second)
  database.close()
  expect((await bus.loadStream('s')).map(({ data }) => data)).toEqual([2, 3])
  expect(reported.map(({ code }) => code)).toEqual(['log_damaged', 'log_damaged'])
  await bus.close()
  await deleteDB(`crosstown:${name}:`)
})
