// What is promised of handlers that fail, hang or are guarded. The titles are rows of docs/delivery.md.
import {
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleAll,
  retry as retryPolicy,
  TimeoutStrategy,
  timeout as timeoutPolicy,
  wrap,
} from 'cockatiel'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isBusError } from '../errors.ts'
import { memoryLog } from '../log/memory.ts'
import { Calls, VirtualBus } from '../testing/virtual-bus.ts'
import type { HandlerOptions, Policy } from '../types.ts'

const broken = new Error('broken')

/** The error with which `until: 'handled'` rejects; `undefined` where it resolves. */
async function outcome(here: VirtualBus, ms = 0) {
  let result: unknown = 'pending'
  here.bus.publish('a.b', 1, { until: 'handled' }).then(
    () => (result = undefined),
    (error: unknown) => (result = error),
  )
  await here.pass(ms)
  return result as Error & { code?: string; cause: AggregateError }
}

describe('`timeout`', () => {
  it('a call that takes too long fails with `timeout`, when it does, and its `ctx.signal` is aborted', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 0, max: 200 }),
      async (timeout, ms) => {
        const here = new VirtualBus()
        const signals: AbortSignal[] = []
        here.bus.subscribe(
          'a.b',
          (_, { signal }) => {
            signals.push(signal)
            return new Promise<void>((resolve) => here.platform.timer(ms, resolve))
          },
          { timeout },
        )
        fc.pre(ms !== timeout)
        const handled = here.bus.publish('a.b', 1, { until: 'handled' }).then(
          () => undefined,
          (error: unknown) => error,
        )
        const late = ms > timeout
        await here.pass(timeout - 1)
        expect(signals.map(({ aborted }) => aborted)).toEqual([false])
        await here.pass(1)
        expect(signals.map(({ aborted }) => aborted)).toEqual([late])
        await here.pass(300)
        expect(isBusError(await handled, 'timeout')).toBe(late)
        expect(signals.map(({ aborted }) => aborted)).toEqual([late])
        expect(here.codes).toEqual(late ? ['timeout'] : [])
        expect(here.bus.stats()).toMatchObject({ handled: late ? 0 : 1, dead: late ? 1 : 0 })
      },
    )
    await fc.assert(property)
  })

  it('the call that took too long gives its place to the next one, whatever it does', async () => {
    const here = new VirtualBus()
    const calls = new Calls()
    here.bus.subscribe('a.b', calls.handler, { timeout: 10, concurrency: 1 })
    void here.bus.publish('a.b', 1)
    void here.bus.publish('a.b', 2)
    await here.pass(10)
    expect(calls.given).toEqual([1, 2])
    calls.open[0]?.fail(broken)
    calls.open[0]?.end()
    await here.pass(10)
    expect(here.codes).toEqual(['timeout'])
    expect(here.bus.stats()).toMatchObject({ handled: 1, dead: 1 })
    expect(here.platform.timers).toBe(0)
  })

  it('`ctx.signal` is the same for the whole call', async () => {
    const here = new VirtualBus()
    const same: boolean[] = []
    const handler = (_: unknown, ctx: { signal: AbortSignal }): void =>
      void same.push(Object.is(ctx.signal, ctx.signal))
    here.bus.subscribe('a.b', handler, { timeout: 100 })
    await here.bus.publish('a.b')
    expect(same).toEqual([true])
  })

  it('`ctx.signal` is aborted when the subscription ends, too', async () => {
    const here = new VirtualBus()
    const signals: AbortSignal[] = []
    const never = (): Promise<void> => new Promise(() => {})
    const off = here.bus.subscribe(
      'a.b',
      (_, ctx) => {
        signals.push(ctx.signal)
        return never()
      },
      { timeout: 1_000 },
    )
    await here.bus.publish('a.b')
    off()
    expect(signals[0]?.aborted).toBe(true)
  })
})

describe('`retry`', () => {
  it('at most `attempts` calls, each after a pause within a bound that doubles, until one succeeds', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 8 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer(),
      async (attempts, failures, base, max, seed) => {
        const here = new VirtualBus({}, seed)
        const at: number[] = []
        const numbers: number[] = []
        here.bus.subscribe(
          'a.b',
          (_, { attempt }) => {
            at.push(here.platform.monotonic())
            numbers.push(attempt)
            if (at.length <= failures) throw broken
          },
          { retry: { attempts, backoff: { base, max } } },
        )
        const error = await outcome(here, 6 * max + 1)
        const calls = Math.min(attempts, failures + 1)
        expect(numbers).toEqual(Array.from({ length: calls }, (_, i) => i + 1))
        for (let i = 1; i < calls; i++) {
          const pause = (at[i] as number) - (at[i - 1] as number)
          expect(pause).toBeGreaterThanOrEqual(0)
          expect(pause).toBeLessThanOrEqual(Math.min(max, base * 2 ** (i - 1)))
        }
        const dead = failures >= attempts
        expect(error?.cause?.errors).toEqual(dead ? [broken] : undefined)
        expect(here.bus.stats()).toMatchObject({
          handled: dead ? 0 : 1,
          dead: dead ? 1 : 0,
          failed: Math.min(attempts, failures),
          retried: calls - 1,
        })
      },
    )
    await fc.assert(property)
  })

  it('pauses are jittered in full: from nothing up to the bound, and not the same for all', async () => {
    const here = new VirtualBus()
    const pauses: number[] = []
    let last = 0
    here.bus.subscribe(
      'a.b',
      (_, { attempt }) => {
        const now = here.platform.monotonic()
        if (attempt > 1) pauses.push(now - last)
        last = now
        throw broken
      },
      { retry: { attempts: 400, backoff: { base: 100, max: 100 } } },
    )
    await outcome(here, 40_000)
    expect(pauses).toHaveLength(399)
    expect(Math.min(...pauses)).toBeLessThan(10)
    expect(Math.max(...pauses)).toBeGreaterThan(90)
    const mean = pauses.reduce((sum, ms) => sum + ms) / pauses.length
    expect(Math.abs(mean - 50)).toBeLessThan(5)
  })

  it('a function says the pause itself, given how many attempts there were', async () => {
    const here = new VirtualBus()
    const at: number[] = []
    const handler = (): void => {
      at.push(here.platform.monotonic())
      throw broken
    }
    here.bus.subscribe('a.b', handler, {
      retry: { attempts: 3, backoff: (attempts) => attempts * 10 },
    })
    await outcome(here, 100)
    expect(at).toEqual([0, 10, 30])
  })

  it('each attempt has its own `timeout`', async () => {
    const here = new VirtualBus()
    const calls = new Calls()
    here.bus.subscribe('a.b', calls.handler, { timeout: 10, retry: { attempts: 3, backoff: 0 } })
    expect(await outcome(here, 30)).toMatchObject({ code: 'timeout' })
    expect(calls.given).toHaveLength(3)
    expect(here.codes).toEqual(['timeout'])
  })

  it('only the failure that gives the event up is reported; the event keeps its place in the queue', async () => {
    const here = new VirtualBus()
    const calls: unknown[] = []
    const handler = ({ data }: { data: unknown }): void => {
      calls.push(data)
      if (data === 1) throw broken
    }
    here.bus.subscribe('a.b', handler, { concurrency: 1, retry: { attempts: 3, backoff: 10 } })
    void here.bus.publish('a.b', 1)
    void here.bus.publish('a.b', 2)
    await here.pass(100)
    expect(calls).toEqual([1, 1, 1, 2])
    expect(here.reported).toMatchObject([{ code: 'handler_failed', cause: broken }])
  })

  it('when the subscription ends no further attempt is made, and no timer is left', async () => {
    const here = new VirtualBus()
    let calls = 0
    const handler = (): void => {
      calls += 1
      throw broken
    }
    const off = here.bus.subscribe('a.b', handler, { retry: { attempts: 5, backoff: 1_000 } })
    const handled = outcome(here)
    await handled
    off()
    await here.pass(10_000)
    expect(calls).toBe(1)
    expect(here.reported).toMatchObject([{ cause: broken }])
    expect(here.platform.timers).toBe(0)
  })
})

/** Breakers of Cockatiel read the clock of the runtime: these are given no time to pass. */
function breaker(after: number, halfOpenAfter = 10_000_000) {
  const policy = circuitBreaker(handleAll, {
    halfOpenAfter,
    breaker: new ConsecutiveBreaker(after),
  })
  return policy
}

describe('`policy`', () => {
  const subscribed = (policy: Policy, options: HandlerOptions = {}) => {
    const here = new VirtualBus()
    const given = { calls: 0, fails: true, signal: undefined as AbortSignal | undefined }
    here.bus.subscribe(
      'a.b',
      (_, { signal }) => {
        given.calls += 1
        given.signal = signal
        if (given.fails) throw broken
      },
      { ...options, policy },
    )
    return { here, given }
  }

  it('an open breaker of Cockatiel keeps the handler from being called; that fails with `circuit_open`', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.boolean(), { maxLength: 20 }),
      async (after, fails) => {
        const { here, given } = subscribed(breaker(after))
        const codes: (string | undefined)[] = []
        for (const fail of fails) {
          given.fails = fail
          codes.push((await outcome(here))?.code)
        }
        let row = 0
        const expected = fails.map((fail) => {
          if (row >= after) return 'circuit_open'
          row = fail ? row + 1 : 0
          return fail ? 'handler_failed' : undefined
        })
        expect(codes).toEqual(expected)
        expect(given.calls).toBe(expected.filter((code) => code !== 'circuit_open').length)
        expect(here.codes).toEqual(expected.filter((code) => code !== undefined))
      },
    )
    await fc.assert(property, { numRuns: 30 })
  })

  it('once the breaker is half open, one call decides over it', async () => {
    const policy = breaker(1, 1)
    const { here, given } = subscribed(policy)
    expect(await outcome(here)).toMatchObject({ code: 'handler_failed' })
    expect(policy.state).toBe(CircuitState.Open)
    given.fails = false
    // Its clock is the runtime's: it is asked until its millisecond is over.
    while ((await outcome(here)) !== undefined) expect(given.calls).toBe(1)
    expect(policy.state).toBe(CircuitState.Closed)
    expect(given.calls).toBe(2)
  })

  it('with `retry`, each attempt goes through the policy', async () => {
    const { here, given } = subscribed(breaker(2), { retry: { attempts: 4, backoff: 10 } })
    expect(await outcome(here, 1_000)).toMatchObject({ code: 'circuit_open' })
    expect(given.calls).toBe(2)
    expect(here.bus.stats()).toMatchObject({ failed: 4, retried: 1, dead: 1 })
  })

  it('a bulkhead of Cockatiel refuses what is too much', async () => {
    const here = new VirtualBus()
    const calls = new Calls()
    here.bus.subscribe('a.b', calls.handler, { policy: bulkhead(2, 1) })
    for (let n = 1; n <= 4; n++) void here.bus.publish('a.b', n)
    await here.settle()
    expect(calls.given).toEqual([1, 2])
    expect(here.reported).toMatchObject([
      { code: 'handler_failed', cause: { isBulkheadRejectedError: true } },
    ])
    calls.end()
    await here.settle()
    expect(calls.given).toEqual([1, 2, 3])
  })

  it('a timeout of Cockatiel aborts `ctx.signal`; its own retries count in `ctx.attempt`', async () => {
    const policy = wrap(
      retryPolicy(handleAll, { maxAttempts: 2 }),
      timeoutPolicy(1, TimeoutStrategy.Aggressive),
    )
    const here = new VirtualBus()
    const attempts: number[] = []
    const signals: AbortSignal[] = []
    here.bus.subscribe(
      'a.b',
      (_, { attempt, signal }) => {
        attempts.push(attempt)
        signals.push(signal)
        return new Promise(() => {})
      },
      { policy },
    )
    await expect(here.bus.publish('a.b', 1, { until: 'handled' })).rejects.toMatchObject({
      code: 'handler_failed',
    })
    expect(attempts).toEqual([1, 2, 3])
    expect(signals.every(({ aborted }) => aborted)).toBe(true)
    expect(here.bus.stats()).toMatchObject({ failed: 1, retried: 2, dead: 1 })
  })

  it('any object with `execute(fn)` will do, and what it gives without a call is success', async () => {
    const { here, given } = subscribed({ execute: async () => 'a fallback' as never })
    expect(await outcome(here)).toBeUndefined()
    expect(given.calls).toBe(0)
  })
})

describe('`until: handled`', () => {
  it('rejects with an `AggregateError` of what this context’s handlers threw, and nothing else', async () => {
    const property = fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 6 }), async (fails) => {
      const here = new VirtualBus()
      const errors = fails.map((_, i) => new Error(`handler ${i}`))
      for (const [i, fail] of fails.entries()) {
        const options: HandlerOptions = i % 2 === 0 ? {} : { concurrency: 1 }
        here.bus.subscribe('a.b', () => (fail ? Promise.reject(errors[i]) : i), options)
      }
      const error = await outcome(here)
      const thrown = errors.filter((_, i) => fails[i])
      expect(error?.cause?.errors.map(String).toSorted()).toEqual(
        thrown.length === 0 ? undefined : thrown.map(String).toSorted(),
      )
      expect(error?.code).toBe(thrown.length === 0 ? undefined : 'handler_failed')
    })
    await fc.assert(property)
  })

  it.each([
    ['without a log', { log: false }],
    ['with one', { log: memoryLog() }],
  ] as const)(
    'rejects with `closed` where the bus is closed before, also for what waited in a queue, %s',
    async (_, options) => {
      const here = new VirtualBus(options)
      const calls = new Calls()
      here.bus.subscribe('a.b', calls.handler, { concurrency: 1 })
      const outcomes = [1, 2].map((n) => here.bus.publish('a.b', n, { until: 'handled' }))
      const settled = Promise.allSettled(outcomes)
      await here.settle()
      await here.bus.close()
      const closed = { status: 'rejected', reason: { code: 'closed' } }
      expect(await settled).toMatchObject([closed, closed])
      expect(calls.given).toEqual([1])
    },
  )

  it('its code is `timeout`, `circuit_open` or `buffer_overflow` where that was all', async () => {
    const here = new VirtualBus()
    const never = (): Promise<void> => new Promise(() => {})
    here.bus.subscribe('a.b', never, { timeout: 10 })
    const off = here.bus.subscribe('a.b', () => Promise.reject(broken))
    const mixed = await outcome(here, 10)
    expect(mixed.code).toBe('handler_failed')
    expect(mixed.cause.errors.map(({ code }) => code)).toEqual(['timeout', undefined])
    off()
    expect(await outcome(here, 10)).toMatchObject({ code: 'timeout', retryable: true })
  })
})
