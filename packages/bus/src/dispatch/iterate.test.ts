import { beforeEach, describe, expect, test } from 'vitest'
import { abortError } from '../batch/ticket.ts'
import { BusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import { type IterateOptions, iterate, nextEvent } from './iterate.ts'

/** What a subscription gives, by hand. */
class Source {
  readonly reported: BusError[] = []
  attached = 0
  readonly #closing = new Set<() => void>()
  #handler: (event: BusEvent) => void = () => {}
  #failed: (error: BusError) => void = () => {}

  readonly attach = (handler: (event: BusEvent) => void, failed: (error: BusError) => void) => {
    this.attached += 1
    this.#handler = handler
    this.#failed = failed
    return () => {
      this.attached -= 1
      this.#handler = () => {}
    }
  }

  readonly onClose = (run: () => void) => {
    this.#closing.add(run)
    return () => this.#closing.delete(run)
  }

  give(...values: unknown[]): void {
    for (const data of values) this.#handler({ ...event, data })
  }

  fail(error: BusError): void {
    this.#failed(error)
  }

  close(): void {
    for (const run of this.#closing) run()
  }

  get closing(): number {
    return this.#closing.size
  }
}

const event: BusEvent = {
  id: 'p-1',
  type: 'a',
  data: undefined,
  source: 'test',
  time: 1,
  scope: 'room',
  version: 1,
  correlationId: 'p-1',
}

let source: Source

beforeEach(() => {
  source = new Source()
})

function loop(options: Partial<IterateOptions> = {}) {
  return iterate(source.attach, {
    buffer: 3,
    overflow: 'error',
    report: (error) => source.reported.push(error),
    onClose: source.onClose,
    ...options,
  })
}

async function rest(events: AsyncIterable<BusEvent>): Promise<unknown[]> {
  const values: unknown[] = []
  for await (const { data } of events) values.push(data)
  return values
}

/** Nothing of the subscription is left behind. */
function expectEnded(): void {
  expect(source.attached).toBe(0)
  expect(source.closing).toBe(0)
}

describe('a loop', () => {
  test('misses nothing between its making and its first turn', async () => {
    const events = loop()
    source.give(1, 2)
    expect(await events.next()).toMatchObject({ done: false, value: { data: 1 } })
    expect(await events.next()).toMatchObject({ done: false, value: { data: 2 } })
  })

  test('gives several readers an event each, in order', async () => {
    const events = loop()
    const reads = [events.next(), events.next()]
    source.give(1, 2)
    expect(await Promise.all(reads)).toMatchObject([{ value: { data: 1 } }, { value: { data: 2 } }])
  })

  test('unsubscribes when it is left by break', async () => {
    const events = loop()
    source.give(1, 2)
    for await (const { data } of events) {
      expect(data).toBe(1)
      break
    }
    expectEnded()
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })

  test('unsubscribes when it is left by an error of its body', async () => {
    const events = loop()
    source.give(1)
    const body = async () => {
      for await (const _ of events) throw new Error('body')
    }
    await expect(body()).rejects.toThrow('body')
    expectEnded()
  })

  test('unsubscribes at the end of its block', async () => {
    {
      await using events = loop()
      source.give(1)
      await events.next()
      expect(source.attached).toBe(1)
    }
    expectEnded()
  })

  test('ends by its signal, after what it had', async () => {
    const controller = new AbortController()
    const events = loop({ signal: controller.signal })
    source.give(1, 2)
    controller.abort()
    expectEnded()
    expect(await rest(events)).toEqual([1, 2])
  })

  test('never starts under a signal that is aborted already', async () => {
    const events = loop({ signal: AbortSignal.abort() })
    expectEnded()
    expect(await rest(events)).toEqual([])
  })

  test('ends when the bus closes, also while it waits', async () => {
    const events = loop()
    const waiting = events.next()
    source.close()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expectEnded()
  })

  test('throws once when the log cannot be read, after what it had', async () => {
    const events = loop()
    source.give(1)
    const failure = new BusError('log_damaged', 'no')
    source.fail(failure)
    expect(await events.next()).toMatchObject({ value: { data: 1 } })
    await expect(events.next()).rejects.toBe(failure)
    expect(await events.next()).toEqual({ done: true, value: undefined })
    expectEnded()
  })

  test('that waits throws at once when the log cannot be read', async () => {
    const events = loop()
    const waiting = events.next()
    const failure = new BusError('log_damaged', 'no')
    source.fail(failure)
    await expect(waiting).rejects.toBe(failure)
    expect(await events.next()).toEqual({ done: true, value: undefined })
  })
})

describe('a full buffer', () => {
  test('by default ends the loop with an error, after what was kept', async () => {
    const events = loop()
    source.give(1, 2, 3, 4)
    expectEnded()
    for (const data of [1, 2, 3]) expect(await events.next()).toMatchObject({ value: { data } })
    await expect(events.next()).rejects.toMatchObject({ code: 'buffer_overflow', eventType: 'a' })
  })

  test('can drop the oldest', async () => {
    const events = loop({ overflow: 'drop-oldest' })
    source.give(1, 2, 3, 4, 5)
    source.close()
    expect(await rest(events)).toEqual([3, 4, 5])
  })

  test('can drop the newest', async () => {
    const events = loop({ overflow: 'drop-newest' })
    source.give(1, 2, 3, 4, 5)
    source.close()
    expect(await rest(events)).toEqual([1, 2, 3])
  })

  test.each(['drop-oldest', 'drop-newest'] as const)(
    'that drops (%s) reports it once, and again after there was room',
    async (overflow) => {
      const events = loop({ overflow })
      source.give(1, 2, 3, 4, 5, 6)
      expect(source.reported).toMatchObject([{ code: 'buffer_overflow' }])
      await events.next()
      source.give(7, 8)
      expect(source.reported).toHaveLength(2)
    },
  )

  test('is not full while somebody reads', async () => {
    const events = loop({ buffer: 1 })
    const reads = [events.next(), events.next(), events.next()]
    source.give(1, 2, 3)
    expect(await Promise.all(reads)).toMatchObject([1, 2, 3].map((data) => ({ value: { data } })))
  })
})

describe('the next event', () => {
  const next = (signal?: AbortSignal) =>
    nextEvent(source.attach, { signal, onClose: source.onClose, abortError })

  test('comes once, and unsubscribes', async () => {
    const promise = next()
    source.give(1, 2)
    await expect(promise).resolves.toMatchObject({ data: 1 })
    expectEnded()
  })

  test('is not waited for any longer than its signal says', async () => {
    const controller = new AbortController()
    const promise = next(controller.signal)
    controller.abort()
    await expect(promise).rejects.toMatchObject({ code: 'aborted' })
    expectEnded()
  })

  test('does not subscribe under a signal that is aborted already', async () => {
    await expect(next(AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' })
    expectEnded()
  })

  test('is refused when the bus closes', async () => {
    const promise = next()
    source.close()
    await expect(promise).rejects.toMatchObject({ code: 'closed' })
    expectEnded()
  })

  test('is refused when the log cannot be read', async () => {
    const promise = next()
    source.fail(new BusError('log_damaged', 'no'))
    await expect(promise).rejects.toMatchObject({ code: 'log_damaged' })
    expectEnded()
  })
})
