import type { SubscriptionInfo, Tree } from '@crosstown/bus/inspect'
import { describe, expect, it } from 'vitest'
import { differenceOf } from '../shared/tree-diff.ts'
import { treeOf } from '../testing/story-source.ts'
import { planInWords, planOf } from './replay-plan.ts'
import { stepAt } from './travel-part.tsx'

const FORM = { from: '4096', to: '8192', patterns: '', sub: '' }

function peerWith(...patterns: string[]) {
  const subscriptions = new Map<number, SubscriptionInfo>(
    patterns.map((pattern, i) => [
      i + 1,
      { sub: i + 1, patterns: [pattern], kind: 'handler', at: 0, calls: 0, failures: 0 },
    ]),
  )
  return { name: 'tab 1', subscriptions }
}

describe('a replay, before it is run', () => {
  it('is what the form says', () => {
    expect(planOf({ ...FORM, from: '4,096', patterns: 'cart.*, order.**', sub: '3' }).ask).toEqual({
      what: 'replay',
      from: 4096,
      to: 8192,
      patterns: ['cart.*', 'order.**'],
      sub: 3,
    })
  })

  it('says what is wrong at the field that is wrong', () => {
    expect(planOf({ ...FORM, from: 'x' }).faults?.from).toContain('whole number')
    expect(planOf({ ...FORM, to: '1' }).faults?.to).toBe('The end is before the beginning.')
    expect(planOf({ ...FORM, patterns: 'cart..*' }).faults?.patterns).toContain('“cart..*”')
  })

  it('tells who will be called, how often, and what will not happen', () => {
    const { ask } = planOf({ ...FORM, patterns: 'cart.*' })
    const said = planInWords(peerWith('cart.*', 'order.*', 'cart.item_added'), ask!, {
      matching: 12,
      more: false,
    })
    expect(said).toContain(
      'Gives 12 events that match cart.* of offsets 4,096 to 8,192 to 2 live subscriptions of tab 1',
    )
    expect(said).toContain('Nothing is written to the log')
  })

  it('says it where nobody would hear it', () => {
    const { ask } = planOf({ ...FORM, patterns: 'stock.reserved' })
    expect(planInWords(peerWith('cart.*'), ask!, undefined)).toContain('Nobody would hear it')
  })
})

describe('the difference between two states', () => {
  const diff = (a: unknown, b: unknown, depth?: number) =>
    differenceOf(treeOf(a, depth), treeOf(b, depth))

  it('is nothing of the same', () => {
    expect(diff({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, 5)).toEqual({ changes: [], unknown: 0 })
  })

  it('names each place by its path', () => {
    expect(
      diff({ items: [{ qty: 1 }], 'x-y': 1 }, { items: [{ qty: 2 }, { qty: 1 }], total: 3 }, 5),
    ).toEqual({
      changes: [
        { path: 'items[0].qty', is: 'changed', before: '1', after: '2' },
        { path: 'items[1]', is: 'added', after: '{qty}' },
        { path: 'total', is: 'added', after: '3' },
        { path: '["x-y"]', is: 'removed', before: '1' },
      ],
      unknown: 0,
    })
  })

  it('says a change of type', () => {
    expect(diff(1, '1').changes).toEqual([{ path: '', is: 'changed', before: '1', after: '"1"' }])
  })

  it('counts what is too deep to know, rather than calling it the same', () => {
    const deep = (n: number) => ({ a: { b: { c: n } } })
    expect(diff(deep(1), deep(2), 1)).toEqual({ changes: [], unknown: 1 })
  })

  it('does not take what was left out for removed', () => {
    const part = (shown: number[], size: number): Tree => ({
      type: 'array',
      preview: `Array(${size})`,
      size,
      children: shown.map((n, i) => [i, { type: 'number', preview: String(n) }]),
    })
    const { changes } = differenceOf(part([1, 2], 200), part([1], 300))
    expect(changes).toEqual([
      { path: '', is: 'changed', before: 'Array(200)', after: 'Array(300)' },
    ])
  })
})

describe('the moment of a slider', () => {
  const steps = [{ offset: 10 }, { offset: 20 }, { offset: 30 }]

  it('is the last event not after an offset', () => {
    expect(stepAt(steps, 25)).toBe(1)
    expect(stepAt(steps, 30)).toBe(2)
    expect(stepAt(steps, 5)).toBe(0)
    expect(stepAt(steps, undefined)).toBe(2)
  })
})
