import { describe, expect, it } from 'vitest'
import type { EventRow, Peer } from '../../model/model.ts'
import { BLANK } from './draft.ts'
import { audienceInWords, orderOf } from './order.ts'
import { outcomeOf } from './outcome.tsx'

const draft = { ...BLANK, type: 'cart.added', data: "{ sku: 'A1' }" }

describe('what a draft publishes', () => {
  it('is plain data as JSON, other data with its encoding, no data as none', () => {
    expect(orderOf(draft).ask).toEqual({
      what: 'publish',
      type: 'cart.added',
      data: '{"sku":"A1"}',
      options: {},
    })
    expect(orderOf({ ...draft, data: 'new Date(0)' }).ask).toMatchObject({ encoding: 'devalue' })
    expect(orderOf({ ...draft, data: ' ' }).ask).not.toHaveProperty('data')
  })

  it('has only the options that are not as by default', () => {
    const filled = {
      ...draft,
      scope: 'device',
      persist: false,
      stream: 'cart-7',
      causationId: ' a-1 ',
    } as const
    expect(orderOf(filled).ask?.options).toEqual({
      scope: 'device',
      persist: false,
      stream: 'cart-7',
      causationId: 'a-1',
    })
    expect(orderOf({ ...draft, scope: 'context', persist: false }).ask?.options).toEqual({
      scope: 'context',
    })
  })

  it('says every fault at its field', () => {
    const { faults, ask } = orderOf({
      ...draft,
      type: 'cart..',
      data: '{ a: }',
      stream: 'x'.repeat(257),
    })
    expect(ask).toBeUndefined()
    expect(faults.type).toContain('segments')
    expect(faults.data?.text).toBe('Line 1, column 6: Expected a value here, but found "}".')
    expect(faults.stream).toContain('256')
  })

  it('refuses what an event cannot carry', () => {
    expect(orderOf({ ...draft, data: `'${'x'.repeat(300_000)}'` }).faults.data?.text).toContain(
      '256',
    )
  })
})

describe('who would hear it', () => {
  const peer = (id: string, device: string, ...patterns: string[]) =>
    ({
      id,
      name: id,
      device,
      state: 'live',
      subscriptions: new Map(patterns.map((pattern, sub) => [sub, { patterns: [pattern] }])),
    }) as unknown as Peer
  const a = peer('tab 1', 'd1', 'cart.*', 'cart.added')
  const all = [a, peer('tab 2', 'd1', 'order.*'), peer('phone', 'd2', '**')]

  it('depends on the type and how far it goes', () => {
    expect(audienceInWords('cart.added', 'room', a, all)).toBe(
      '3 subscriptions would hear it, in tab 1 and phone.',
    )
    expect(audienceInWords('cart.added', 'device', a, all)).toBe(
      '2 subscriptions would hear it, in tab 1.',
    )
    expect(audienceInWords('order.placed', 'context', a, all)).toBe(
      'Nobody that is inspected subscribes to this type.',
    )
  })
})

describe('what became of it', () => {
  const row = (more: Partial<EventRow>) =>
    ({
      state: 'logged',
      delivered: 2,
      expected: 2,
      failures: 0,
      drops: 0,
      latency: 4,
      ...more,
    }) as EventRow

  it('is said in words', () => {
    expect(outcomeOf(row({}))).toEqual({
      sign: '✓',
      text: 'in the log, handled in 2 of 2 contexts, within 4.00 ms',
      level: 'good',
    })
    expect(outcomeOf(row({ delivered: 1 })).level).toBe('warning')
    expect(outcomeOf(row({ failures: 1 }))).toMatchObject({ sign: '✕', level: 'error' })
    expect(outcomeOf(row({ expected: 0, delivered: 0 })).text).toContain('nobody subscribes to it')
    expect(outcomeOf(undefined).text).toContain('not come yet')
  })
})
