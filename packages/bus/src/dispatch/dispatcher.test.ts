import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { decodeValue } from '../codec/codec.ts'
import type { BusError, ErrorContext } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import type { Incoming } from './dispatch.ts'
import { Dispatcher, eventOf } from './dispatcher.ts'
import { type AnyHandler, Handlers, type OwnedSubscription } from './handlers.ts'

let reported: { error: BusError; context: ErrorContext }[]
let decoded: number
let handlers: Handlers
let dispatcher: Dispatcher

beforeEach(() => {
  reported = []
  decoded = 0
  handlers = new Handlers({ tap: undefined }, new VirtualPlatform())
  dispatcher = new Dispatcher({
    taps: { tap: undefined },
    decode: (...args) => {
      decoded += 1
      return decodeValue(...args)
    },
    now: () => 0,
    report: (error, context) => reported.push({ error, context }),
    context: (subscription, delivery) => handlers.context(subscription, delivery),
  })
})

function on(
  pattern: string,
  handler: AnyHandler,
  where?: (event: BusEvent) => boolean,
): OwnedSubscription {
  const subscription = handlers.subscription([pattern], handler, where)
  dispatcher.subscriptions.add(subscription)
  return subscription
}

const event: BusEvent = {
  id: 'p-1',
  type: 'cart.added',
  data: { sku: 'A1' },
  source: 'test',
  time: 1,
  scope: 'room',
  version: 1,
  correlationId: 'p-1',
}
const incoming: Incoming = {
  header: { id: 'p-1', type: 'cart.added', source: 'test', time: 1 },
  dataText: '{"sku":"A1"}',
}

describe('own events', () => {
  test('are handed on by reference, in the order of subscription', () => {
    const calls: [string, BusEvent, string][] = []
    for (const name of ['first', 'second', 'third']) {
      on('cart.*', (given, { origin }) => calls.push([name, given, origin]))
    }
    dispatcher.own(event)
    expect(calls.map(([name]) => name)).toEqual(['first', 'second', 'third'])
    for (const [, given, origin] of calls) {
      expect(given).toBe(event)
      expect(origin).toBe('self')
    }
  })

  test('go to no other type', () => {
    const seen: unknown[] = []
    on('cart.removed', (given) => seen.push(given))
    dispatcher.own(event)
    expect(seen).toEqual([])
  })
})

describe('events of other contexts', () => {
  test('are decoded once and shared, and not at all where nobody listens', () => {
    dispatcher.incoming(incoming, 'room')
    expect(decoded).toBe(0)
    const seen: BusEvent[] = []
    on('*', (given, { origin }) => {
      expect(origin).toBe('room')
      seen.push(given)
    })
    on('cart.*', (given) => seen.push(given))
    dispatcher.incoming(incoming, 'room')
    expect(decoded).toBe(1)
    expect(seen[0]).toBe(seen[1])
    expect(seen[0]).toStrictEqual(event)
  })

  test('whose text is damaged are reported and dropped, the next one is heard', () => {
    const seen: BusEvent[] = []
    on('*', (given) => seen.push(given))
    dispatcher.incoming({ ...incoming, dataText: '{"sku":' }, 'device')
    dispatcher.incoming(incoming, 'device')
    expect(seen).toHaveLength(1)
    expect(reported).toMatchObject([
      {
        error: { code: 'invalid_data' },
        context: { stage: 'codec', eventId: 'p-1', eventType: 'cart.added' },
      },
    ])
  })
})

test('an event has what its header leaves out, and nothing of how it was carried', () => {
  const full = eventOf(
    {
      ...incoming.header,
      scope: 'device',
      version: 3,
      encoding: 'devalue',
      group: 1,
      revision: 3,
      expected: 'exists',
    },
    'data',
    { offset: 4096, position: 'e.1.a' },
  )
  expect(full).toStrictEqual({
    ...event,
    data: 'data',
    scope: 'device',
    version: 3,
    offset: 4096,
    position: 'e.1.a',
  })
})

describe('one handler that fails never stops the rest', () => {
  const failure = new Error('broken')

  test.each<[string, AnyHandler]>([
    [
      'throws',
      () => {
        throw failure
      },
    ],
    ['rejects', () => Promise.reject(failure)],
  ])('one that %s is reported with its event', async (_, broken) => {
    const seen: BusEvent[] = []
    on('*', broken)
    on('*', (given) => seen.push(given))
    dispatcher.own(event)
    await setImmediate()
    expect(seen).toEqual([event])
    expect(reported).toMatchObject([
      {
        error: { code: 'handler_failed', cause: failure, eventId: 'p-1', eventType: 'cart.added' },
        context: { stage: 'dispatch', eventId: 'p-1', eventType: 'cart.added' },
      },
    ])
  })

  test('one whose `where` throws is not called, and is reported', () => {
    const seen: string[] = []
    on(
      '*',
      () => seen.push('broken'),
      () => {
        throw failure
      },
    )
    on('*', () => seen.push('next'))
    dispatcher.own(event)
    expect(seen).toEqual(['next'])
    expect(reported).toMatchObject([{ error: { cause: failure } }])
  })
})

test('`where` chooses', () => {
  const seen: unknown[] = []
  on(
    '*',
    (given) => seen.push(given.data),
    (given) => given.data === 2,
  )
  for (const data of [1, 2, 3]) dispatcher.own({ ...event, data })
  expect(seen).toEqual([2])
})

describe('whoever waits for the handlers', () => {
  test('gets the promises of those that work on, and the errors of those that failed', async () => {
    const failure = new Error('broken')
    on('*', () => 'no promise')
    on('*', () => Promise.resolve('done'))
    on('*', () => {
      throw failure
    })
    on('*', () => Promise.reject(failure))
    const handled: Promise<unknown>[] = []
    dispatcher.own(event, { handled })
    expect(await Promise.allSettled(handled)).toEqual([
      { status: 'fulfilled', value: 'done' },
      { status: 'rejected', reason: failure },
      { status: 'rejected', reason: failure },
    ])
    expect(reported).toHaveLength(2)
  })
})

describe('changes while an event is handed on', () => {
  test('a subscription made by a handler hears the next event, not this one', () => {
    const seen: string[] = []
    on('*', ({ id }) => {
      if (id === 'p-1') on('*', (given) => seen.push(given.id))
    })
    dispatcher.own(event)
    dispatcher.own({ ...event, id: 'p-2' })
    expect(seen).toEqual(['p-2'])
  })

  test('a subscription ended by an earlier handler is not called any more', () => {
    const seen: string[] = []
    on('*', () => {
      dispatcher.subscriptions.remove(ended)
      handlers.end(ended)
    })
    const ended = on('*', () => seen.push('ended'))
    on('*', () => seen.push('last'))
    dispatcher.own(event)
    expect(seen).toEqual(['last'])
  })

  test('an event published by a handler reaches all after the one at hand', () => {
    const seen: string[] = []
    on('*', ({ id }) => {
      if (id === 'p-1') queueMicrotask(() => dispatcher.own({ ...event, id: 'p-2' }))
    })
    on('*', ({ id }) => seen.push(id))
    dispatcher.own(event)
    return Promise.resolve().then(() => expect(seen).toEqual(['p-1', 'p-2']))
  })
})

describe('the context of a handler', () => {
  test('has a signal that aborts when the subscription ends', () => {
    const signals: AbortSignal[] = []
    const subscription = on('*', (_, { signal }) => signals.push(signal))
    dispatcher.own(event)
    expect(signals[0]?.aborted).toBe(false)
    handlers.end(subscription)
    expect(signals[0]?.aborted).toBe(true)
  })

  test('asked for its signal only after the end, has one that is aborted', () => {
    const subscription = on('*', () => {})
    handlers.end(subscription)
    expect(subscription.signal().aborted).toBe(true)
  })

  test('publishes with correlation, cause, trace and metadata carried on', () => {
    const published: unknown[] = []
    handlers.publish = (...args) => {
      published.push(args)
      return Promise.resolve(event)
    }
    on('*', (given, context) => {
      const { publish } = context as unknown as {
        publish(type: string, data: unknown, options?: object): Promise<BusEvent>
      }
      void publish.call(context, 'order.made', given.data, {
        stream: 's',
        metadata: { tenantId: 't', userId: 'other' },
      })
    })
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const metadata = { userId: 'u', requestId: 'r' }
    dispatcher.own({ ...event, correlationId: 'c-1', traceparent, metadata })
    expect(published).toEqual([
      [
        'order.made',
        { sku: 'A1' },
        {
          correlationId: 'c-1',
          causationId: 'p-1',
          traceparent,
          stream: 's',
          metadata: { userId: 'other', requestId: 'r', tenantId: 't' },
        },
      ],
    ])
  })

  test('publishes with own metadata where the event had none', () => {
    const published: unknown[] = []
    handlers.publish = (...args) => {
      published.push(args[2])
      return Promise.resolve(event)
    }
    on('*', (_, context) => {
      const { publish } = context as unknown as {
        publish(type: string, data: unknown, options?: object): Promise<BusEvent>
      }
      void publish.call(context, 'a', 1, { metadata: { userId: 'u' } })
    })
    dispatcher.own(event)
    expect(published).toEqual([
      { correlationId: 'p-1', causationId: 'p-1', metadata: { userId: 'u' } },
    ])
  })
})
