import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPattern, typeMatcher } from '../protocol/pattern.ts'
import { type Subscription, Subscriptions } from './subscriptions.ts'

function subscription(...patterns: string[]): Subscription {
  return { patterns, order: 0 }
}

// A small alphabet, so that patterns and types meet often.
const segment = fc.constantFrom('a', 'b', 'c')
const type = fc
  .tuple(fc.constantFrom('', '', '$'), fc.array(segment, { minLength: 1, maxLength: 4 }))
  .map(([sign, segments]) => sign + segments.join('.'))
const pattern = fc
  .tuple(
    fc.constantFrom('', '', '$'),
    fc.array(fc.oneof(segment, fc.constant('*')), { minLength: 1, maxLength: 4 }),
    fc.boolean(),
  )
  .map(([sign, segments, deep]) => sign + segments.join('.') + (deep ? '.**' : ''))
  .filter(isPattern)
const patterns = fc.array(fc.oneof(pattern, type, fc.constantFrom('*', '**')), {
  minLength: 1,
  maxLength: 4,
})

test('the trie and a plain comparison find the same subscriptions, each once and in order', () => {
  fc.assert(
    fc.property(fc.array(patterns, { maxLength: 12 }), fc.array(type), (lists, types) => {
      const all = lists.map((list) => subscription(...list))
      const subscriptions = new Subscriptions<Subscription>()
      for (const one of all) subscriptions.add(one)
      for (const one of types) {
        const expected = all.filter(({ patterns }) => typeMatcher(patterns)(one))
        expect(subscriptions.of(one)).toEqual(expected)
      }
    }),
  )
})

test('after some were removed the rest is found as if they had never been there', () => {
  const lists = fc.array(fc.tuple(patterns, fc.boolean()), { maxLength: 12 })
  fc.assert(
    fc.property(lists, fc.array(type), (made, types) => {
      const subscriptions = new Subscriptions<Subscription>()
      const all = made.map(([list, stays]) => ({ one: subscription(...list), stays }))
      for (const { one } of all) subscriptions.add(one)
      for (const each of types) subscriptions.of(each)
      for (const { one, stays } of all) if (!stays) subscriptions.remove(one)
      const left = all.filter(({ stays }) => stays).map(({ one }) => one)
      expect([...subscriptions]).toEqual(left)
      for (const each of types) {
        const expected = left.filter(({ patterns }) => typeMatcher(patterns)(each))
        expect(subscriptions.of(each)).toEqual(expected)
      }
    }),
  )
})

describe('changes', () => {
  test('a type seen before is found again by a later subscription', () => {
    const subscriptions = new Subscriptions<Subscription>()
    expect(subscriptions.of('a.b')).toEqual([])
    const late = subscription('a.*')
    subscriptions.add(late)
    expect(subscriptions.of('a.b')).toEqual([late])
  })

  test('a list in use is not changed by what is added or removed meanwhile', () => {
    const subscriptions = new Subscriptions<Subscription>()
    const [first, second] = [subscription('a'), subscription('*')]
    subscriptions.add(first)
    subscriptions.add(second)
    const running = subscriptions.of('a')
    subscriptions.remove(first)
    subscriptions.add(subscription('a'))
    expect(running).toEqual([first, second])
    expect(subscriptions.of('a')).not.toContain(first)
  })

  test('removing twice, or one that was never added, changes nothing', () => {
    const subscriptions = new Subscriptions<Subscription>()
    const [stays, goes] = [subscription('a'), subscription('a')]
    subscriptions.add(stays)
    subscriptions.add(goes)
    subscriptions.remove(goes)
    subscriptions.remove(goes)
    subscriptions.remove(subscription('a'))
    expect(subscriptions.of('a')).toEqual([stays])
  })

  test('one that names a pattern twice is found once, and is gone when removed', () => {
    const subscriptions = new Subscriptions<Subscription>()
    const one = subscription('a', 'a', '*', '**')
    subscriptions.add(one)
    expect(subscriptions.of('a')).toEqual([one])
    subscriptions.remove(one)
    expect(subscriptions.of('a')).toEqual([])
  })

  test('memory of types seen is bounded, and forgetting changes no answer', () => {
    const subscriptions = new Subscriptions<Subscription>()
    const one = subscription('a.*')
    subscriptions.add(one)
    for (let i = 0; i < 10_001; i++) subscriptions.of(`a.t${i}`)
    expect(subscriptions.of('a.t0')).toEqual([one])
    expect(subscriptions.of('b.t0')).toEqual([])
  })
})
