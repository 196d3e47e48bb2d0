import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { settlingOf } from './options.ts'
import { ackWaitOf, type Outcome, type Rules, verdictOf } from './settlement.ts'

const RULES: Rules = { maxDeliver: 3, ackWait: 30_000, backoff: [] }
const threw = (error: unknown): Outcome => ({ is: 'threw', error, called: true })

describe('what becomes of a delivery', () => {
  it('ends where it is acknowledged, however often it was given', () => {
    expect(verdictOf(RULES, 99, { is: 'ack' })).toEqual({ next: 'done' })
  })

  it('comes again at once after nak, and after the delay given', () => {
    expect(verdictOf(RULES, 1, { is: 'nak' })).toMatchObject({ next: 'again', delayMs: 0 })
    expect(verdictOf(RULES, 1, { is: 'nak', delayMs: 70 })).toMatchObject({ delayMs: 70 })
  })

  it('comes again after a throw by the list, whose last entry repeats', () => {
    const rules = { ...RULES, maxDeliver: 9, backoff: [10, 200] }
    const delays = [1, 2, 3].map((attempt) => verdictOf(rules, attempt, threw('no')))
    expect(delays).toMatchObject([{ delayMs: 10 }, { delayMs: 200 }, { delayMs: 200 }])
  })

  it('has the list in place of ackWait', () => {
    expect([1, 2, 3].map((n) => ackWaitOf({ ...RULES, backoff: [10, 200] }, n))).toEqual([
      10, 200, 200,
    ])
    expect(ackWaitOf(RULES, 2)).toBe(30_000)
  })

  it('is a dead letter after the last delivery, with what was thrown', () => {
    expect(verdictOf(RULES, 3, threw(new TypeError('not this')))).toEqual({
      next: 'dead',
      reason: 'failed',
      detail: 'TypeError: not this',
    })
    expect(verdictOf(RULES, 3, { is: 'lapsed' })).toMatchObject({ reason: 'lapsed' })
    expect(verdictOf(RULES, 1, { is: 'term', reason: 'spam' })).toEqual({
      next: 'dead',
      reason: 'terminated',
      detail: 'spam',
    })
  })

  it('does not count a call that an open breaker kept from the handler', () => {
    const outcome = { is: 'threw', error: new Error('open'), called: false } as const
    expect(verdictOf(RULES, 3, outcome)).toMatchObject({ next: 'again', counts: false })
  })

  it('is given at most maxDeliver times, whatever the handler does', () => {
    const outcomes = fc.array(
      fc.oneof(
        fc.constant(threw('no')),
        fc.constant<Outcome>({ is: 'lapsed' }),
        fc.nat(1_000).map<Outcome>((delayMs) => ({ is: 'nak', delayMs })),
      ),
      { minLength: 50, maxLength: 50 },
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), outcomes, (maxDeliver, said) => {
        let given = 0
        for (const outcome of said) {
          given += 1
          if (verdictOf({ ...RULES, maxDeliver }, given, outcome).next !== 'again') break
        }
        expect(given).toBe(maxDeliver)
      }),
    )
  })

  it('keeps a detail that cannot be shown from being in the way', () => {
    const evil = new Proxy(new Error('x'), {
      get() {
        throw new Error('trap')
      },
    })
    expect(verdictOf(RULES, 3, threw(evil))).toMatchObject({ next: 'dead', detail: undefined })
  })
})

describe('options', () => {
  it('have defaults', () => {
    expect(settlingOf({}, 'durable')).toEqual({
      maxDeliver: 10,
      ackWait: 30_000,
      backoff: [],
      maxAckPending: 1_000,
      byStream: false,
      concurrency: 1,
    })
    expect(settlingOf({ orderBy: 'stream' }, 'durable')).toMatchObject({ concurrency: 10 })
  })

  it.each([
    { maxDeliver: 0 },
    { maxDeliver: 1.5 },
    { ackWait: 0 },
    { ackWait: Number.NaN },
    { backoff: 5 },
    { backoff: [0] },
    { maxAckPending: 0 },
    { maxAckPending: 10_001 },
    { concurrency: 0 },
    { orderBy: 'type' },
  ])('refuse %o', (options) => {
    expect(() => settlingOf(options as object, 'durable')).toThrow(
      expect.objectContaining({ code: 'invalid_options' }),
    )
  })

  it.each([
    ['timeout', 5, 'ackWait'],
    ['retry', { attempts: 2 }, 'maxDeliver and backoff'],
    ['buffer', 5, 'maxAckPending'],
    ['overflow', 'block', 'maxAckPending'],
    ['batch', { size: 2, ms: 1 }, 'concurrency'],
  ])('refuse %s and say what to use', (name, value, instead) => {
    expect(() => settlingOf({ [name]: value }, 'durable')).toThrow(instead)
  })
})
