import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BusError } from '../errors.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import type { Until } from '../types.ts'
import { createTicket, rejectedTicket, settleHandled } from './ticket.ts'

const failure = new BusError('log_failed', 'no')
let platform: VirtualPlatform
let reported: BusError[]
let unhandled: unknown[]

function note(reason: unknown): void {
  unhandled.push(reason)
}

beforeEach(() => {
  platform = new VirtualPlatform()
  reported = []
  unhandled = []
  process.on('unhandledRejection', note)
})

afterEach(() => {
  process.off('unhandledRejection', note)
})

function make(options: { until?: Until; signal?: AbortSignal } = {}) {
  return createTicket({
    until: 'logged',
    value: () => 'the event',
    later: (run) => platform.timer(0, run),
    report: (error) => reported.push(error),
    ...options,
  })
}

/** Ends the task, as the runtime does before it tells of unhandled rejections. */
async function nextTask(): Promise<void> {
  platform.advance(0)
  await setImmediate()
}

describe('a rejection', () => {
  test('that nobody awaits is reported once and is no unhandled rejection', async () => {
    const { ticket } = make()
    ticket.reject(failure)
    ticket.reject(new BusError('closed', 'too late'))
    expect(reported).toEqual([])
    await nextTask()
    await nextTask()
    expect(reported).toEqual([failure])
    expect(unhandled).toEqual([])
  })

  test('that is awaited goes to whoever awaits it, and is not reported', async () => {
    const { ticket, promise } = make()
    const outcome = expect(promise).rejects.toBe(failure)
    ticket.reject(failure)
    await outcome
    await nextTask()
    expect(reported).toEqual([])
  })

  test('that is awaited later in the same task is not reported', async () => {
    const { ticket, promise } = make()
    ticket.reject(failure)
    await expect(promise).rejects.toBe(failure)
    await nextTask()
    expect(reported).toEqual([])
    expect(unhandled).toEqual([])
  })

  test('that is caught is not reported', async () => {
    const { ticket, promise } = make()
    promise.catch(() => {})
    ticket.reject(failure)
    await nextTask()
    expect(reported).toEqual([])
    expect(unhandled).toEqual([])
  })

  test('of a promise derived from it is for whoever derived it', async () => {
    const { ticket, promise } = make()
    const derived = promise.then(() => {})
    expect(derived.constructor).toBe(Promise)
    ticket.reject(failure)
    await nextTask()
    expect(reported).toEqual([])
    expect(unhandled).toEqual([failure])
  })

  test('that is no BusError is reported as one', async () => {
    const cause = new Error('disk')
    make().ticket.reject(cause)
    await nextTask()
    expect(reported).toMatchObject([{ name: 'BusError', code: 'log_failed', cause }])
  })

  test('known from the start is under the same rules', async () => {
    rejectedTicket(
      failure,
      (run) => platform.timer(0, run),
      (error) => reported.push(error),
    )
    await nextTask()
    expect(reported).toEqual([failure])
    expect(unhandled).toEqual([])
  })
})

describe('settling', () => {
  test('happens once: what comes second is ignored', async () => {
    const { ticket, promise } = make()
    ticket.resolve()
    ticket.reject(failure)
    await expect(promise).resolves.toBe('the event')
    await nextTask()
    expect(reported).toEqual([])
  })

  test('gathers handlers only where somebody waits for them', () => {
    expect(make().ticket.handled).toBeUndefined()
    expect(make({ until: 'handled' }).ticket.handled).toEqual([])
  })
})

describe('a signal', () => {
  test('ends the waiting with its reason', async () => {
    const controller = new AbortController()
    const { promise } = make({ signal: controller.signal })
    const reason = new Error('user left')
    controller.abort(reason)
    await expect(promise).rejects.toMatchObject({ code: 'aborted', cause: reason })
  })

  test('that ran out of time is a timeout', async () => {
    const { promise } = make({
      signal: AbortSignal.abort(new DOMException('late', 'TimeoutError')),
    })
    await expect(promise).rejects.toMatchObject({ code: 'timeout', retryable: true })
  })

  test('aborted after the promise was settled changes and reports nothing', async () => {
    const controller = new AbortController()
    const { ticket, promise } = make({ signal: controller.signal })
    ticket.resolve()
    controller.abort()
    await expect(promise).resolves.toBe('the event')
    await nextTask()
    expect(reported).toEqual([])
  })

  test('aborted before the log was done hides what the log says then', async () => {
    const { ticket, promise } = make({ signal: AbortSignal.abort() })
    ticket.resolve()
    await expect(promise).rejects.toMatchObject({ code: 'aborted' })
  })
})

describe('until handled', () => {
  function handledBy(...handlers: Promise<unknown>[]) {
    const { ticket, promise } = make({ until: 'handled' })
    for (const handler of handlers) handler.catch(() => {})
    ticket.handled?.push(...handlers)
    void settleHandled(ticket)
    return promise
  }

  test('resolves when every handler has settled', async () => {
    const slow = Promise.withResolvers<void>()
    let settled = false
    const promise = handledBy(Promise.resolve(), slow.promise).then((event) => {
      settled = true
      return event
    })
    await setImmediate()
    expect(settled).toBe(false)
    slow.resolve()
    await expect(promise).resolves.toBe('the event')
  })

  test('rejects with the error of the handler that failed', async () => {
    const error = new Error('one')
    await expect(handledBy(Promise.reject(error), Promise.resolve())).rejects.toMatchObject({
      code: 'handler_failed',
      cause: new AggregateError([error], '1 handler(s) of the event failed'),
    })
  })

  test('rejects with all errors where several failed', async () => {
    const errors = [new Error('one'), new Error('two')]
    const promise = handledBy(...errors.map((error) => Promise.reject(error)))
    const error: unknown = await promise.catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'handler_failed' })
    expect((error as Error).cause).toBeInstanceOf(AggregateError)
    expect(((error as Error).cause as AggregateError).errors).toEqual(errors)
  })
})
