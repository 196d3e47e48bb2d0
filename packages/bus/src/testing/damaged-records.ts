/** What every log must do with records that something else has written over. */
import type { BusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { Log, StoredBatch } from '../log/log.ts'
import { ownBatch, roomBatch } from '../log/record.ts'
import { LogWriter } from '../log/writer.ts'
import { runtimePlatform } from '../platform.ts'
import { walk } from '../read/walk.ts'
import { must, mustEqual, type Runner } from './suite.ts'

/** A field of a record, under the name that it has in the log's own interface. */
export type RecordField =
  | 'kind'
  | 'time'
  | 'headers'
  | 'data'
  | 'roomEvents'
  | 'epoch'
  | 'prev'
  | 'position'
  | 'runs'

const FIELDS: readonly RecordField[] = [
  'kind',
  'time',
  'headers',
  'data',
  'roomEvents',
  'epoch',
  'prev',
  'position',
  'runs',
]

const VALUES: readonly unknown[] = [
  '',
  'x',
  '[{]',
  '[null]',
  '[]',
  '[{"id":"p-2","type":"a..b","source":"x","time":1}]',
  -1,
  0.5,
  1e300,
  7,
  true,
  [],
  [null],
  [{}],
  [{ place: 1, time: 1, events: 9 }],
  [{ place: 1, time: 1, events: -1 }],
  [{ place: 1, time: 1, own: { batch: 0, indexes: 'x' } }],
  [{ place: 1, time: 1, held: { batch: 1, indexes: [null] } }],
  { length: 2 },
]

export interface DamagedRecordsOptions {
  /** An empty log, not open yet. */
  create(): Log | Promise<Log>
  /** Writes another value into a record, behind the log's back. */
  damage(log: Log, record: number, field: RecordField, value: unknown): void | Promise<void>
  /** The same for what the log knows of the record's places; absent where nothing is written. */
  damagePlacement?(log: Log, record: number, value: unknown): void | Promise<void>
}

export function damagedRecords(
  name: string,
  { describe, it }: Runner,
  { create, damage, damagePlacement }: DamagedRecordsOptions,
): void {
  /** Two own records, one of the room, which places the first, and one more. */
  const filled = async (): Promise<Log> => {
    const log = await create()
    await log.open()
    for (const n of [1, 2]) await log.append(own(n))
    const term = await log.takeTerm('nonce')
    await log.welcomed({ term, cursor: 'e.0.0', liveAfter: 0, subject: 'u', reads: '*' })
    const events = [headerOf('far-1'), headerOf('far-2')]
    const runs = [
      { place: 1, time: 1, own: { batch: 1, indexes: [0] } },
      { place: 2, time: 1, events },
    ]
    await log.appendRoom(
      roomBatch({ prev: 'e.0.0', position: 'e.3.x', runs }, ['8', '9'], 'e', 5),
      term,
    )
    await log.append(own(4))
    return log
  }

  describe(`damaged records: ${name}`, () => {
    for (const record of [2, 3, 4]) {
      for (const field of FIELDS) {
        it(`record ${record} with another ${field} is whole or refused by name, the others are read`, async () => {
          const log = await filled()
          for (const value of VALUES) {
            await damage(log, record, field, value)
            await judge(log, record, `${field} ${JSON.stringify(value)}`)
          }
          await goesOn(log, `record ${record} with another ${field}`)
          await log.close()
        })
      }
    }

    if (!damagePlacement) return
    it('what is not a placement is none: the event is read without its position', async () => {
      for (const value of [...VALUES, { parts: 1 }, { parts: [null] }, { parts: [{ place: 1 }] }]) {
        const log = await filled()
        await damagePlacement(log, 1, value)
        const what = `placement ${JSON.stringify(value)}`
        mustEqual(await log.placement(1), undefined, what)
        mustEqual(await log.placements(1, 9), [], what)
        mustEqual(await ids(log), ['p-1', 'p-2', 'far-1', 'far-2', 'p-4'], what)
        await log.state()
        await log.close()
      }
    })
  })
}

const ALL = ['p-1', 'p-2', 'far-1', 'far-2', 'p-4']
const IDS: readonly (readonly string[])[] = [[], ['p-1'], ['p-2'], ['far-1', 'far-2'], ['p-4']]

async function judge(log: Log, record: number, what: string): Promise<void> {
  const read = await log.read(0, 9)
  mustEqual(
    read.map(({ batch }) => batch),
    [1, 2, 3, 4],
    `${what}: all records are there`,
  )
  for (const one of read) mustBeWhole(one, what)
  const back = await log.readBack(9, 9)
  mustEqual(JSON.stringify(back.reverse()), JSON.stringify(read), `${what}: backward the same`)
  const damaged: BusError[] = []
  const walked = await ids(log, damaged)
  const others = ALL.filter((id) => !IDS[record]?.includes(id))
  mustEqual(
    walked.filter((id) => others.includes(id)),
    others,
    `${what}: the others are read`,
  )
  mustEqual(
    damaged.map(({ code }) => code),
    read.filter((one) => one.damaged).map(() => 'log_damaged'),
    `${what}: what is damaged is told`,
  )
  for (const id of others) must((await log.find(id)) !== undefined, `${what}: ${id} is found`)
  for (const id of IDS[record] ?? []) await log.find(id)
  const { room } = await log.state()
  must(Number.isFinite(room.pending + room.pendingBytes), `${what}: the outbox is counted`)
}

/** New records are written after it, and retention removes it as any other. */
async function goesOn(log: Log, what: string): Promise<void> {
  const state = await log.state()
  const writer = new LogWriter(log, runtimePlatform())
  writer.sawTime(state.head.time)
  const next = writer.record([entry(headerOf('p-5'))])
  must(next.time < 1e15, `${what}: the times of later records are those of dates`)
  const number = await writer.write(next)
  mustEqual((await log.read(number, 1))[0]?.headers, [headerOf('p-5')], `${what}: it goes on`)
  const none = { events: 0, bytes: 0, before: 0 }
  while ((await log.trim(none, false)).more);
  const left = await log.read(0, 9)
  mustEqual(
    left.map(({ batch }) => batch),
    [1, number],
    `${what}: retention leaves the newest and the confirmed one`,
  )
}

function mustBeWhole(record: StoredBatch, what: string): void {
  if (record.damaged) {
    must(record.damaged.code === 'log_damaged', `${what}: it says log_damaged`)
    mustEqual(record.headers, [], `${what}: what is damaged has no events`)
  }
  must(Number.isFinite(new Date(record.time).getTime()), `${what}: the time is a date's`)
  mustEqual(record.headers.length, record.data.length, `${what}: as many texts as headers`)
}

async function ids(log: Log, damaged: BusError[] = []): Promise<string[]> {
  const found: string[] = []
  for await (const events of walk(log, 0, (error) => damaged.push(error))) {
    for (const { header } of events) found.push(header.id)
  }
  return found
}

function headerOf(id: string): EventHeader {
  return { id, type: 'a', source: 'x', time: 1 }
}

function entry(header: EventHeader): Parameters<typeof ownBatch>[0][number] {
  return { event: header, headerText: JSON.stringify(header), dataText: '1' }
}

function own(n: number): ReturnType<typeof ownBatch> {
  return ownBatch([entry(headerOf(`p-${n}`))], n)
}
