import { describe, expect, it } from 'vitest'
import type { Sequence } from '../../model/model.ts'
import { labelOf, sentence, summary } from './words.ts'

const sequence: Sequence = {
  lanes: [
    { peer: 'a', name: 'tab 1', group: 'Browser' },
    { peer: 'b', name: 'orders · node', group: 'orders' },
  ],
  messages: [
    {
      event: 'a-1',
      type: 'order.placed',
      from: 0,
      to: 1,
      sent: 100,
      arrived: 118,
      via: 'relay',
      ms: 18,
      plusMinus: 4,
    },
    {
      event: 'a-2',
      type: 'order.cancelled',
      from: 0,
      to: 1,
      sent: 130,
      arrived: 130,
      via: 'relay',
      ms: 0,
      plusMinus: 0,
      failed: 'dropped: the device was offline',
    },
  ],
  bars: [{ event: 'a-1', type: 'order.placed', lane: 1, from: 118, to: 140, failed: true }],
}

describe('a sequence diagram in words', () => {
  it('says of a message that nobody saw leave that its time is not known', () => {
    const untimed = { ...sequence.messages[0]!, untimed: true } as const
    expect(sentence(sequence, untimed, 100)).toMatch(/, when it was sent is not known$/)
    expect(labelOf(untimed, 40)[1]).toBe('?')
  })

  it('says of a message who, to whom, over what, when, and how sure that is', () => {
    expect(sentence(sequence, sequence.messages[0]!, 100)).toBe(
      'order.placed: tab 1 to orders · node over the relay at +0.00 ms, took 18.0 ms ± 4.00 ms',
    )
    expect(sentence(sequence, sequence.messages[1]!, 100)).toBe(
      'order.cancelled: tab 1 to orders · node over the relay at +30.0 ms, failed: dropped: the device was offline',
    )
  })

  it('cuts the type, never how long it took', () => {
    expect(labelOf(sequence.messages[0]!, 40)).toEqual(['order.placed', '18.0 ms ±4.00 ms'])
    expect(labelOf(sequence.messages[0]!, 24)).toEqual(['ord…ced', '18.0 ms ±4.00 ms'])
  })

  it('sums it up', () => {
    expect(summary(sequence)).toBe(
      '2 messages between 2 contexts in 40.0 ms, 1 did not arrive, 1 handler failed.',
    )
  })
})
