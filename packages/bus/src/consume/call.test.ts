import { describe, expect, it } from 'vitest'
import { BusError } from '../errors.ts'
import { Call } from './call.ts'
import type { Outcome } from './settlement.ts'
import type { Settle } from './types.ts'

/** A call whose time is told by hand. */
function called(
  handler: (settle: Settle, signal: () => AbortSignal) => unknown,
  policy?: { execute: (run: () => unknown) => PromiseLike<never> },
) {
  const outcomes: Outcome[] = []
  const timers = new Set<() => void>()
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  const call = new Call({
    platform: {
      timer(_ms, run) {
        timers.add(run)
        return () => timers.delete(run)
      },
    },
    waitMs: 30,
    policy: policy as never,
    run: handler,
    settled: (outcome) => outcomes.push(outcome),
    ended: resolve,
  })
  call.begin()
  const lapse = (): void => {
    for (const run of [...timers]) run()
  }
  return { call, outcomes, ended, lapse, timers }
}

describe('a call', () => {
  it('is acknowledged by returning', async () => {
    const { outcomes, ended, timers } = called(() => {})
    await ended
    expect(outcomes).toEqual([{ is: 'ack' }])
    expect(timers.size).toBe(0)
  })

  it('throws: that is told with what was thrown', async () => {
    const error = new Error('no')
    const { outcomes, ended } = called(() => {
      throw error
    })
    await ended
    expect(outcomes).toEqual([{ is: 'threw', error, called: true }])
  })

  it('keeps what the handler said first, whatever it does then', async () => {
    const { outcomes, ended } = called((settle) => {
      settle.nak(5)
      settle.ack()
      throw new Error('afterwards')
    })
    await ended
    expect(outcomes).toEqual([{ is: 'nak', delayMs: 5 }])
  })

  it('takes a delay that is none for none', async () => {
    const { outcomes, ended } = called((settle) => settle.nak(Number.NaN))
    await ended
    expect(outcomes).toEqual([{ is: 'nak', delayMs: undefined }])
  })

  it('lapses, aborts its signal, and may be acknowledged still', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let seen: AbortSignal | undefined
    const { outcomes, ended, lapse } = called((_settle, signal) => {
      seen = signal()
      return promise
    })
    lapse()
    expect(outcomes).toEqual([{ is: 'lapsed' }])
    expect(seen?.reason).toMatchObject({ code: 'timeout' })
    resolve()
    await ended
    expect(outcomes).toEqual([{ is: 'lapsed' }, { is: 'ack' }])
  })

  it('begins its wait anew with inProgress', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { call, timers, ended, outcomes } = called(() => promise)
    const [first] = timers
    call.inProgress()
    expect(timers.size).toBe(1)
    expect(timers.has(first as () => void)).toBe(false)
    resolve()
    await ended
    expect(outcomes).toEqual([{ is: 'ack' }])
  })

  it('says nothing any more once it is abandoned, and aborts its signal', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let seen: AbortSignal | undefined
    const { call, outcomes, ended } = called((_settle, signal) => {
      seen = signal()
      return promise
    })
    call.abandon(new BusError('closed', 'the subscription ended'))
    expect(seen?.aborted).toBe(true)
    resolve()
    await ended
    expect(outcomes).toEqual([])
  })

  it('tells that an open breaker did not call the handler', async () => {
    const open = Object.assign(new Error('open'), { isBrokenCircuitError: true })
    const { outcomes, ended } = called(() => {}, { execute: () => Promise.reject(open) })
    await ended
    expect(outcomes).toEqual([{ is: 'threw', error: open, called: false }])
  })
})
