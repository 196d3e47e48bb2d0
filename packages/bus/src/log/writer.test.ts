import { beforeEach, expect, test } from 'vitest'
import { EntryMaker } from '../testing/entries.ts'
import { MemoryLog } from './memory.ts'
import { LogWriter } from './writer.ts'

let maker: EntryMaker
let log: MemoryLog
let writer: LogWriter

beforeEach(async () => {
  maker = new EntryMaker()
  maker.platform.wall = 1_000
  log = new MemoryLog(maker.platform)
  await log.open()
  writer = new LogWriter(log, maker.platform)
})

const write = () => writer.write(writer.record([maker.entry('a')]))
const times = async () => (await log.read(1, 100)).map((batch) => batch.time)

test('the time of writing never decreases when the clock steps back', async () => {
  await write()
  maker.platform.wall = 400
  await write()
  maker.platform.wall = 1_001
  await write()
  expect(await times()).toEqual([1_000, 1_000, 1_001])
})

test('nor does it fall behind what another context wrote', async () => {
  writer.sawTime(5_000)
  writer.sawTime(10)
  await write()
  expect(await times()).toEqual([5_000])
})

test('a batch of the room is under the same rule, and the record says what was written', async () => {
  const term = await log.takeTerm('n')
  await log.welcomed({ term, cursor: 'e.0.0', liveAfter: 0, subject: 'u', reads: '[]' })
  await write()
  maker.platform.wall = 1
  const header = { id: 'r-1', type: 'a', source: 'x', time: 1 }
  const runs = [{ place: 1, time: 1, events: [header] }]
  const frame = { frame: 'stream', prev: 'e.0.0', position: 'e.1.x', runs } as const
  const { number, record } = await writer.writeRoom(frame, ['"data"'], 'e', term)
  expect(number).toBe(2)
  expect(record.time).toBe(1_000)
  const [stored] = await log.read(2, 1)
  expect(stored).toMatchObject({ kind: 'room', time: 1_000, headers: [header], data: ['"data"'] })
})

test('the event’s own time is the publisher’s clock, whatever that says', async () => {
  writer.sawTime(5_000)
  await write()
  const [stored] = await log.read(1, 1)
  expect(stored?.headers[0]?.time).toBe(1_000)
})

test('it counts the bytes it wrote', async () => {
  const record = writer.record([maker.entry('a', 'text')])
  await writer.write(record)
  expect(writer.bytes).toBe(Buffer.byteLength(record.headers) + Buffer.byteLength(record.data))
})
