/**
 * A context that stands still must not keep others waiting: a transaction of it that waits for an
 * answer would be open until it moves again.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { indexedDbLog } from '../indexed-db-log.ts'
import { runtimePlatform } from '../platform.ts'
import { EntryMaker } from '../testing/entries.ts'
import type { Log } from './log.ts'
import { ownBatch } from './record.ts'

const platform = runtimePlatform()
let name: string
let maker: EntryMaker
let one: Log
let two: Log

async function open(): Promise<Log> {
  const log = indexedDbLog({ required: true }).create(name, '', platform)
  await log.open()
  return log
}

const batch = (stream?: string) =>
  ownBatch([maker.entry('a', 1, stream === undefined ? {} : { stream })], 1)

beforeEach(async () => {
  name = `halt-${platform.randomText(8)}`
  maker = new EntryMaker()
  one = await open()
  two = await open()
})

afterEach(async () => {
  await one.close()
  await two.clear()
})

test('what waits is rolled back and rejects; what does not wait is committed', async () => {
  const plain = one.append(batch())
  const waiting = Promise.allSettled([one.takeTerm('n'), one.append(batch('s'))])
  const goOn = one.halt?.()
  await expect(plain).resolves.toBe(1)
  for (const write of await waiting) expect(write).toMatchObject({ reason: { code: 'log_lost' } })
  goOn?.()
  await expect(one.append(batch('s'))).resolves.toBe(2)
})

test('nothing that would wait begins until it goes on; reads are done then', async () => {
  const first = batch()
  const before = one.find(first.lastId)
  const goOn = one.halt?.()
  const [read, term] = [one.read(1, 10), one.takeTerm('n')]
  // Of what may begin now, all is over when its own write is.
  await one.append(first)
  await expect(one.append(batch('s'))).rejects.toMatchObject({ code: 'log_lost' })
  await expect(two.takeTerm('m')).resolves.toEqual([1, 'm'])
  goOn?.()
  await expect(before).resolves.toMatchObject({ index: 0 })
  await expect(read).resolves.toHaveLength(1)
  await expect(term).resolves.toEqual([2, 'n'])
})

test('a log that is closed while it stands still rejects what waits to begin', async () => {
  one.halt?.()
  const read = one.read(1, 10)
  await one.close()
  await expect(read).rejects.toMatchObject({ code: 'closed' })
})
