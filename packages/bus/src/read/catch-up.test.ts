import { beforeEach, describe, expect, test } from 'vitest'
import { decodeValue } from '../codec/codec.ts'
import type { Delivery } from '../dispatch/dispatch.ts'
import { Dispatcher } from '../dispatch/dispatcher.ts'
import { Handlers } from '../dispatch/handlers.ts'
import { BusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import { MemoryLog } from '../log/memory.ts'
import { ownBatch } from '../log/record.ts'
import { typeMatcher } from '../protocol/pattern.ts'
import { EntryMaker } from '../testing/entries.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import type { PublishOptions, ReadFrom } from '../types.ts'
import { CatchUp } from './catch-up.ts'

let maker: EntryMaker
let log: MemoryLog
let dispatcher: Dispatcher
let handlers: Handlers
let reported: BusError[]

beforeEach(async () => {
  maker = new EntryMaker()
  log = new MemoryLog(maker.platform)
  await log.open()
  handlers = new Handlers({ tap: undefined }, new VirtualPlatform())
  reported = []
  dispatcher = new Dispatcher({
    taps: { tap: undefined },
    decode: decodeValue,
    now: () => 0,
    report: () => {},
    context: (subscription, delivery) => handlers.context(subscription, delivery),
  })
})

/** Publishes: into the log, and to the live handlers. */
async function publish(data: unknown, options: PublishOptions = {}, type = 'a'): Promise<void> {
  const entry = maker.entry(type, data, options)
  const written = entry.persisted ? log.append(ownBatch([entry], maker.platform.now())) : undefined
  dispatcher.own(entry.event)
  await written
}

/** Subscribes to `a` from a point of the log, as the bus does. */
function subscribe(
  from: ReadFrom,
  options: {
    onEvent?: (event: BusEvent) => unknown
    where?: (event: BusEvent) => boolean
  } = {},
) {
  const { onEvent, where } = options
  const heard: unknown[] = []
  const live: unknown[] = []
  const subscription = handlers.subscription(
    ['a'],
    (event, { replaying }) => {
      heard.push(event.data)
      if (!replaying) live.push(event.data)
      return onEvent?.(event)
    },
    where,
  )
  dispatcher.subscriptions.add(subscription)
  const catchUp = new CatchUp({
    prefix: 'nobody',
    report: (error) => reported.push(error),
    from,
    matches: typeMatcher(['a']),
    open: (event) => dispatcher.open(event),
    where,
    deliver: (delivery: Delivery) => dispatcher.call(subscription, delivery),
    ended: () => subscription.ended,
    hasRelay: true,
  })
  subscription.intercept = catchUp.intercept
  const off = () => {
    dispatcher.subscriptions.remove(subscription)
    handlers.end(subscription)
  }
  return { heard, live, catchUp, off }
}

test('events of the log come first, then live ones, all in order', async () => {
  for (const n of [1, 2, 3]) await publish(n)
  const { heard, live, catchUp } = subscribe('start')
  await catchUp.run(log)
  await publish(4)
  expect(heard).toEqual([1, 2, 3, 4])
  expect(live).toEqual([4])
})

test.each<[string, () => ReadFrom, number[]]>([
  ['an offset', () => 2 * 4096, [2, 3]],
  ['a time', () => new Date(0), [1, 2, 3]],
  ['the last two', () => ({ last: 2 }), [2, 3]],
  ['now', () => 'now', []],
])('from %s', async (_, from, expected) => {
  for (const n of [1, 2, 3]) await publish(n)
  const { heard, catchUp } = subscribe(from())
  await catchUp.run(log)
  await publish(4)
  expect(heard).toEqual([...expected, 4])
})

test('the last n are those that the subscription wants', async () => {
  for (const n of [1, 2, 3, 4]) await publish(n)
  await publish('other', {}, 'b')
  const { heard, catchUp } = subscribe(
    { last: 2 },
    { where: ({ data }) => (data as number) % 2 === 1 },
  )
  await catchUp.run(log)
  expect(heard).toEqual([1, 3])
})

describe('events published while the log is read', () => {
  test('come once and in order, whether they were read or waited', async () => {
    for (let n = 0; n < 100; n++) await publish(n)
    let more = 100
    const { heard, live, catchUp } = subscribe('start', {
      onEvent: async () => {
        if (more < 200) await publish(more++)
      },
    })
    await catchUp.run(log)
    await publish(200)
    expect(heard).toEqual(Array.from({ length: 201 }, (_, n) => n))
    expect(live).toContain(200)
  })

  test('wait where the log does not hold them', async () => {
    await publish(1)
    const { heard, catchUp } = subscribe('start')
    await publish(2, { persist: false })
    expect(heard).toEqual([])
    await catchUp.run(log)
    expect(heard).toEqual([1, 2])
  })

  test('that do not all fit into what may wait are read from the log instead', async () => {
    await publish(0)
    const { heard, catchUp } = subscribe('start', {
      onEvent: async ({ data }) => {
        if (data !== 0) return
        for (let n = 1; n <= 10_050; n++) void publish(n)
      },
    })
    await catchUp.run(log)
    expect(heard).toEqual(Array.from({ length: 10_051 }, (_, n) => n))
  })
})

describe('ended half way', () => {
  test('nothing more is heard, neither read nor live', async () => {
    for (const n of [1, 2, 3]) await publish(n)
    const subscribed = subscribe('start', {
      onEvent: ({ data }) => data === 2 && subscribed.off(),
    })
    await publish(4)
    await subscribed.catchUp.run(log)
    await publish(5)
    expect(subscribed.heard).toEqual([1, 2])
  })

  test('by a handler of a live event that waited, the others that waited are not heard', async () => {
    const subscribed = subscribe('start', { onEvent: () => subscribed.off() })
    for (const n of [1, 2]) await publish(n, { persist: false })
    await subscribed.catchUp.run(log)
    expect(subscribed.heard).toEqual([1])
  })
})

test('where the log cannot be read, live events go on', async () => {
  const { heard, catchUp } = subscribe('nowhere')
  await publish(1)
  await expect(catchUp.run(log)).rejects.toMatchObject({ code: 'not_found' })
  catchUp.release()
  await publish(2)
  expect(heard).toEqual([1, 2])
})

test('an event of the log that is damaged is left out, the next one is heard', async () => {
  const damaged = { ...maker.entry('a'), dataText: '{' }
  await log.append(ownBatch([damaged, maker.entry('a', 2)], 1))
  const { heard, catchUp } = subscribe('start')
  await catchUp.run(log)
  expect(heard).toEqual([2])
})

test('a `where` that throws on one event does not stop the others', async () => {
  for (const n of [1, 2, 3]) await publish(n)
  const { heard, catchUp } = subscribe(
    { last: 3 },
    {
      where: ({ data }) => {
        if (data === 2) throw new Error('broken')
        return true
      },
    },
  )
  await catchUp.run(log)
  expect(heard).toEqual([1, 3])
})

test('a record that cannot be read is reported and passed over', async () => {
  for (const data of [1, 2, 3]) await publish(data)
  const { read } = log
  log.read = async (from, limit) => {
    const batches = await read.call(log, from, limit)
    const damaged = new BusError('log_damaged', 'no')
    return batches.map((batch) =>
      batch.batch === 2
        ? { kind: 'own', batch: 2, time: 0, headers: [], data: [], roomEvents: 0, damaged }
        : batch,
    )
  }
  const { heard, catchUp } = subscribe('start')
  await catchUp.run(log)
  expect(heard).toEqual([1, 3])
  expect(reported).toMatchObject([{ code: 'log_damaged' }])
})

describe('in a log that takes the place of another', () => {
  /** What a room has of this publisher, as it comes into the next log. */
  function past(...counters: number[]): void {
    for (const n of counters) {
      const header = { id: `${maker.composer.prefix}-${n}`, type: 'a', source: 's', time: 1 }
      dispatcher.past({ header, dataText: String(n), offset: 4096 + n, position: `e.${n}.c` })
    }
  }

  test('what was published before the subscription began is heard, what it heard is not', async () => {
    for (const n of [1, 2]) maker.entry('a', n)
    for (const n of [3, 4]) await publish(n)
    const { heard, catchUp } = subscribe('start')
    await catchUp.run(log)
    await publish(5)
    catchUp.renewed()
    past(1, 2, 3, 4, 5, 6)
    past(1, 2, 3, 4, 5, 6)
    expect(heard).toEqual([3, 4, 5, 1, 2, 6])
  })

  test('what was before the point it was to begin at is not heard', async () => {
    for (const n of [1, 2, 3]) await publish(n)
    const { heard, catchUp } = subscribe({ last: 1 })
    await catchUp.run(log)
    catchUp.renewed()
    past(1, 2, 3, 4)
    expect(heard).toEqual([3, 4])
  })
})
