import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { decodeValue, encodeValue } from '../codec/codec.ts'
import { BusError } from '../errors.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import type { PublishOptions, Until } from '../types.ts'
import type { Batch, BatchSinks, Entry } from './batch.ts'
import { Composer } from './composer.ts'
import { Pipeline } from './pipeline.ts'
import { Publisher } from './publisher.ts'

/** A log that takes everything at once. */
class Sinks implements BatchSinks {
  gate: 'held' | 'open' = 'open'
  readonly entries: Entry[] = []

  commit(batch: Batch): Promise<number> | undefined {
    this.entries.push(...batch.entries)
    return batch.persisted.length > 0 ? Promise.resolve(1) : undefined
  }

  deliver(): void {}

  committed(batch: Batch): void {
    for (const entry of batch.entries) entry.ticket.resolve()
  }

  failed(): void {
    throw new Error('nothing fails here')
  }

  get ids(): string[] {
    return this.entries.map((entry) => entry.event.id)
  }

  get texts(): string[] {
    return this.entries.map((entry) => entry.dataText)
  }
}

type Validate = (type: string, data: unknown) => unknown

let platform: VirtualPlatform
let sinks: Sinks
let reported: BusError[]
let composer: Composer
let publisher: Publisher

function create(
  options: {
    validate?: Validate
    hasLog?: boolean
    hasRelay?: boolean
    queueEvents?: number
    outboxFull?: boolean
  } = {},
): void {
  const {
    validate,
    hasLog = true,
    hasRelay = false,
    queueEvents = 10_000,
    outboxFull = false,
  } = options
  platform = new VirtualPlatform()
  sinks = new Sinks()
  reported = []
  composer = new Composer({ source: 'test', platform, encode: encodeValue, hasLog })
  publisher = new Publisher({
    composer,
    pipeline: new Pipeline(sinks, { queueEvents, queueBytes: 2 ** 26 }),
    hasRelay,
    outboxFull: () => outboxFull,
    nobodyKeepsLog: () => false,
    now: () => platform.now(),
    validate,
    copy: (data, type) => {
      const { text, encoding } = encodeValue(data, type)
      return decodeValue(text, encoding, { type, id: 'a copy' })
    },
    later: (run) => platform.timer(0, run),
    report: (error) => reported.push(error),
  })
}

beforeEach(() => create())

/** A schema whose answer comes when the test gives it; other types have none. */
function slowSchema(slow = 'slow') {
  const answers: ((accepted: boolean) => void)[] = []
  const validate: Validate = (type, data) => {
    if (type !== slow) return data
    return new Promise((resolve, reject) => {
      answers.push((accepted) =>
        accepted ? resolve(data) : reject(new BusError('schema_failed', 'no')),
      )
    })
  }
  const answer = async (accepted = true) => {
    for (const one of answers.splice(0)) one(accepted)
    await setImmediate()
  }
  return { validate, answer }
}

describe('levels', () => {
  const cases: [Until, PublishOptions, { hasLog?: boolean; hasRelay?: boolean }, RegExp][] = [
    ['logged', {}, { hasLog: false }, /no log/],
    ['logged', { persist: false }, {}, /not persisted/],
    ['logged', { scope: 'context' }, {}, /not persisted/],
    ['relayed', {}, {}, /no relay/],
    ['relayed', { scope: 'device' }, { hasRelay: true }, /scope 'room'/],
    ['relayed', { persist: false }, { hasRelay: true }, /not persisted/],
  ]

  test.each(cases)(
    '%s with %o on a bus with %o cannot be reached',
    async (until, options, bus, why) => {
      create(bus)
      const promise = publisher.publish('a', 1, { ...options, until })
      await expect(promise).rejects.toMatchObject({ code: 'unreachable', eventType: 'a' })
      await expect(promise).rejects.toThrow(why)
      expect(sinks.entries).toEqual([])
    },
  )

  test('one that does not exist is refused', async () => {
    const until = 'stored' as Until
    await expect(publisher.publish('a', 1, { until })).rejects.toMatchObject({
      code: 'invalid_options',
    })
  })

  test('accepted resolves though the gate is held; logged waits', async () => {
    sinks.gate = 'held'
    let logged = false
    void publisher.publish('a', 1).then(() => {
      logged = true
    })
    await publisher.publish('a', 2, { until: 'accepted' })
    await setImmediate()
    expect(logged).toBe(false)
  })

  test('without a level, an event that is not persisted resolves once accepted', async () => {
    sinks.gate = 'held'
    await expect(publisher.publish('a', 1, { persist: false })).resolves.toMatchObject({ data: 1 })
  })

  test('a batch of which only some events are persisted resolved before the log had those', async () => {
    let commit = (): void => {}
    const persisted: Batch[] = []
    sinks.commit = (batch) => {
      persisted.push(batch)
      return new Promise((resolve) => {
        commit = () => resolve(1)
      })
    }
    let resolved = false
    const drafts = [
      { type: 'a', data: 1, options: {} },
      { type: 'a', data: 2, options: { persist: false } },
    ]
    const promise = publisher.publishBatch(drafts, {}).then(() => {
      resolved = true
    })
    await setImmediate()
    expect([persisted.length, resolved]).toEqual([1, false])
    commit()
    await promise
    await expect(publisher.publishBatch(drafts, { until: 'logged' })).rejects.toMatchObject({
      code: 'unreachable',
    })
  })

  test('a signal ends the waiting, never the event', async () => {
    const promise = publisher.publish('a', 1, { signal: AbortSignal.abort() })
    await expect(promise).rejects.toMatchObject({ code: 'aborted' })
    expect(sinks.texts).toEqual(['1'])
  })
})

describe('a batch', () => {
  const draft = (data: unknown, type = 'a') => ({ type, data, options: {} })

  test('resolves with its events in order, which share a group', async () => {
    const events = await publisher.publishBatch([draft(1), draft(2, 'b')], {})
    expect(events.map((event) => [event.type, event.data])).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    await publisher.publishBatch([draft(3), draft(4)], {})
    expect(sinks.entries.map((entry) => JSON.parse(entry.headerText).group)).toEqual([1, 1, 2, 2])
  })

  test('of one event needs no group, and an empty one nothing at all', async () => {
    await publisher.publishBatch([draft(1)], {})
    expect(JSON.parse(sinks.entries[0]?.headerText ?? '').group).toBeUndefined()
    await expect(publisher.publishBatch([], {})).resolves.toEqual([])
  })

  test.each([
    ['an event that cannot be encoded', [draft(1), draft(() => {})], 'invalid_data'],
    ['a wrong type', [draft(1), draft(2, 'a..b')], 'invalid_type'],
    ['too many events', Array.from({ length: 1_001 }, () => draft(1)), 'too_large'],
    ['too many bytes', [1, 2, 3].map(() => draft('x'.repeat(200 * 1024))), 'too_large'],
  ])('with %s is refused as a whole and leaves no hole in the numbers', async (_, drafts, code) => {
    await publisher.publish('a', 0)
    await expect(publisher.publishBatch(drafts, {})).rejects.toMatchObject({ code })
    await publisher.publish('a', 9)
    expect(sinks.texts).toEqual(['0', '9'])
    expect(sinks.ids).toEqual([`${composer.prefix}-1`, `${composer.prefix}-2`])
  })

  test('that the queue refuses leaves no hole in the numbers', async () => {
    create({ queueEvents: 1 })
    const first = publisher.publish('a', 1)
    await expect(publisher.publish('a', 2)).rejects.toMatchObject({ code: 'buffer_overflow' })
    await first
    await publisher.publish('a', 3)
    expect(sinks.ids).toEqual([`${composer.prefix}-1`, `${composer.prefix}-2`])
  })
})

describe('a getter that publishes while its own event is made', () => {
  const nested = (): void => void publisher.publish('nested', 'n')
  /** Each once, without a hole, in the order of the queue. */
  const expectNumbers = (): void =>
    expect(sinks.ids).toEqual(sinks.ids.map((_, i) => `${composer.prefix}-${i + 1}`))

  test.each<[string, () => unknown]>([
    ['data that then cannot be encoded', () => () => {}],
    ['data that is then too large', () => 'x'.repeat(300 * 1024)],
  ])('had its number given twice: %s', async (_, data) => {
    const getter = {
      get data() {
        nested()
        return data()
      },
    }
    await publisher.publish('a', 1)
    await publisher.publish('a', getter).catch(() => {})
    await publisher.publish('a', 3)
    expectNumbers()
  })

  test('had its number given twice: metadata', async () => {
    const metadata = {
      get userId() {
        nested()
        return 'u'
      },
    }
    await publisher.publish('a', 1, { metadata })
    expectNumbers()
  })

  test('had its number given twice: a batch, of which a later event is refused', async () => {
    const getter = {
      get data() {
        nested()
        return 1
      },
    }
    const drafts = [1, getter, () => {}].map((data) => ({ type: 'a', data, options: {} }))
    await expect(publisher.publishBatch(drafts, {})).rejects.toMatchObject({ code: 'invalid_data' })
    await publisher.publish('a', 3)
    expectNumbers()
  })

  test('came between the numbers of a batch', async () => {
    const getter = {
      get userId() {
        nested()
        return 'u'
      },
    }
    const drafts = [
      { type: 'a', data: 1, options: {} },
      { type: 'a', data: 2, options: { metadata: getter } },
    ]
    const events = await publisher.publishBatch(drafts, {})
    const numbers = events.map((event) => Number(event.id.split('-')[1]))
    expect(numbers[1]).toBe((numbers[0] as number) + 1)
    expectNumbers()
  })

  test('had its number given twice: the queue has room for the nested event only', async () => {
    create({ queueEvents: 1 })
    const getter = {
      get data() {
        nested()
        return 1
      },
    }
    const draft = { type: 'a', data: getter, options: {} }
    await expect(publisher.publish('a', getter)).rejects.toMatchObject({ code: 'buffer_overflow' })
    await setImmediate()
    await expect(publisher.publishBatch([draft, draft], {})).rejects.toMatchObject({
      code: 'buffer_overflow',
    })
    await setImmediate()
    await publisher.publish('a', 3)
    expectNumbers()
  })
})

describe('an asynchronous schema', () => {
  test('holds later publishes back: order is call order', async () => {
    const { validate, answer } = slowSchema()
    create({ validate })
    const promises = [
      publisher.publish('a', 1),
      publisher.publish('slow', 2),
      publisher.publish('a', 3),
      publisher.publish('slow', 4),
      publisher.publish('a', 5),
    ]
    await setImmediate()
    expect(sinks.texts).toEqual(['1'])
    await answer()
    await Promise.all(promises)
    expect(sinks.texts).toEqual(['1', '2', '3', '4', '5'])
    expect(sinks.ids.map((id) => Number(id.split('-')[1]))).toEqual([1, 2, 3, 4, 5])
  })

  test('that refuses holds nothing back any longer and leaves no hole', async () => {
    const { validate, answer } = slowSchema()
    create({ validate })
    const refused = publisher.publish('slow', 1)
    const next = publisher.publish('a', 2)
    await answer(false)
    await expect(refused).rejects.toMatchObject({ code: 'schema_failed' })
    await next
    expect(sinks.ids).toEqual([`${composer.prefix}-1`])
  })

  test('that throws anything else still rejects with a BusError', async () => {
    const cause = new Error('the schema is broken')
    create({ validate: () => Promise.reject(cause) })
    await expect(publisher.publish('a', 1)).rejects.toMatchObject({ name: 'BusError', cause })
  })

  test('sees and sends the data as it was when publish was called', async () => {
    const { validate, answer } = slowSchema()
    create({ validate })
    const first = { n: 1 }
    const second = { n: 1 }
    const promises = [publisher.publish('slow', first), publisher.publish('slow', second)]
    first.n = 2
    second.n = 2
    await answer()
    await Promise.all(promises)
    expect(sinks.texts).toEqual(['{"n":1}', '{"n":1}'])
  })

  test('that holds an event of another type back sends that as it was, too', async () => {
    const { validate, answer } = slowSchema()
    create({ validate })
    const data = { n: 1 }
    const metadata = { userId: 'before' }
    const options = { stream: 'before', metadata }
    const promises = [publisher.publish('slow', 0), publisher.publish('a', data, options)]
    data.n = 2
    options.stream = 'after'
    metadata.userId = 'after'
    await answer()
    await Promise.all(promises)
    expect(sinks.texts).toEqual(['0', '{"n":1}'])
    expect(JSON.parse(sinks.entries[1]?.headerText ?? '')).toMatchObject({
      stream: 'before',
      metadata: { userId: 'before' },
    })
  })

  test('changes nothing about the time of an event: it is when publish was called', async () => {
    const { validate, answer } = slowSchema()
    create({ validate })
    const promise = publisher.publish('slow', 1)
    const called = platform.now()
    platform.advance(1_000)
    await answer()
    await expect(promise).resolves.toMatchObject({ time: called })
  })

  test('is settled when nothing waits for it any more', async () => {
    const { validate, answer } = slowSchema()
    create({ validate })
    void publisher.publish('slow', 1)
    let settled = false
    const settling = publisher.settled().then(() => {
      settled = true
    })
    await setImmediate()
    expect(settled).toBe(false)
    await answer()
    await settling
    expect(sinks.texts).toEqual(['1'])
  })

  test('mixed with others in a batch keeps it whole', async () => {
    const { validate, answer } = slowSchema()
    create({ validate })
    const drafts = [
      { type: 'a', data: 1, options: {} },
      { type: 'slow', data: 2, options: {} },
    ]
    const promise = publisher.publishBatch(drafts, {})
    await answer()
    await expect(promise).resolves.toMatchObject([{ data: 1 }, { data: 2 }])
  })
})

test('what a schema made of the data is what the event carries', async () => {
  create({ validate: (_, data) => ({ doubled: Number(data) * 2 }) })
  await expect(publisher.publish('a', 2)).resolves.toMatchObject({ data: { doubled: 4 } })
  expect(sinks.texts).toEqual(['{"doubled":4}'])
})

test('a publish refused at once reports nothing more when its signal aborts later', async () => {
  create({
    validate: () => {
      throw new BusError('schema_failed', 'no')
    },
  })
  const controller = new AbortController()
  const promise = publisher.publish('a', 1, { signal: controller.signal })
  await expect(promise).rejects.toMatchObject({ code: 'schema_failed' })
  controller.abort()
  platform.advance(0)
  expect(reported).toEqual([])
})

describe('an event of ours', () => {
  test('stays on the device, under a type nobody else may publish', async () => {
    await publisher.publishSystem('$event.refused', { id: 'p-1' })
    expect(JSON.parse(sinks.entries[0]?.headerText ?? '')).toMatchObject({
      type: '$event.refused',
      scope: 'device',
    })
    expect(sinks.entries[0]?.persisted).toBe(true)
  })

  test('that finds the queue full rejects, and leaves no hole in the numbers', async () => {
    create({ queueEvents: 1 })
    const first = publisher.publish('a', 1)
    const refused = publisher.publishSystem('$event.refused', {})
    await expect(refused).rejects.toMatchObject({ code: 'buffer_overflow' })
    await first
    await publisher.publish('a', 2)
    expect(sinks.ids).toEqual([`${composer.prefix}-1`, `${composer.prefix}-2`])
  })
})
