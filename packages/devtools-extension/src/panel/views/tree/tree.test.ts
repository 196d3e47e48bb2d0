import { describe, expect, it } from 'vitest'
import type { CausalNode, EventRow } from '../../model/model.ts'
import { branchesOf, spanOf, stateOf, summaryOf } from './branches.ts'
import { moveOf } from './tree-keys.ts'

function row(id: string, ms: number, more: Partial<EventRow> = {}): EventRow {
  const event = { id, type: `type.${id}`, source: 'page', time: ms, bytes: 10 }
  return {
    row: 1,
    kind: 'event',
    id,
    event,
    ms,
    publisher: 'p',
    direction: 'out',
    delivered: 1,
    expected: 1,
    unknown: 0,
    state: 'logged',
    failures: 0,
    drops: 0,
    ...more,
  }
}

function node(
  id: string,
  ms: number,
  critical: boolean,
  children: CausalNode[] = [],
  after?: number,
): CausalNode {
  return { id, event: row(id, ms), critical, children, ...(after !== undefined && { after }) }
}

const tree = node('a', 0, true, [
  node('b', 10, true, [node('d', 70, true, [], 60)], 10),
  node('c', 20, false, [node('e', 30, false, [], 10)], 20),
])
const ids = (folded: string[] = []) =>
  branchesOf([tree], new Set(folded)).map(({ node: { id }, level }) => `${id}${level}`)

describe('a tree of causes', () => {
  it('reads from cause to effect, depth first', () => {
    expect(ids()).toEqual(['a1', 'b2', 'd3', 'c2', 'e3'])
    expect(ids(['b'])).toEqual(['a1', 'b2', 'c2', 'e3'])
  })

  it('knows places among siblings and causes', () => {
    const [, b, d, c] = branchesOf([tree], new Set())
    expect(b).toMatchObject({ position: 1, siblings: 2, parent: 0, expanded: true })
    expect(d).toMatchObject({ position: 1, siblings: 1, parent: 1, expanded: false })
    expect(c).toMatchObject({ position: 2, siblings: 2, parent: 0 })
  })

  it('takes a chain that is longer than a stack is deep', () => {
    let chain = node('last', 0, true)
    for (let i = 0; i < 50_000; i++) chain = node(`n${i}`, 0, true, [chain])
    expect(branchesOf([chain], new Set())).toHaveLength(50_001)
  })

  it('says how long it took, and what the longest wait was for', () => {
    const nodes = branchesOf([tree], new Set()).map(({ node: one }) => one)
    expect(spanOf(nodes)).toEqual({ from: 0, to: 70 })
    expect(summaryOf([tree], nodes)).toBe(
      '5 events in 70.0 ms; the way to the last: 3 events, the longest wait +60.0 ms before type.d.',
    )
  })

  it('names what went wrong before how many got it', () => {
    expect(stateOf({ ...tree, event: row('a', 0, { failures: 2, state: 'refused' }) })).toEqual({
      text: '2 failures and refused',
      bad: true,
    })
    expect(stateOf({ id: 'x', children: [], critical: false }).text).toBe('not captured')
  })
})

describe('the keys of a tree', () => {
  const branches = branchesOf([tree], new Set(['c']))

  it('go down and up, and stay at the ends', () => {
    expect(moveOf('ArrowDown', 0, branches)).toEqual({ to: 1 })
    expect(moveOf('ArrowUp', 0, branches)).toEqual({ to: 0 })
    expect(moveOf('End', 0, branches)).toEqual({ to: 3 })
    expect(moveOf('ArrowDown', 3, branches)).toEqual({ to: 3 })
  })

  it('fold, unfold, and go to the cause and the first effect', () => {
    expect(moveOf('ArrowRight', 3, branches)).toEqual({ unfold: ['c'] })
    expect(moveOf('ArrowRight', 0, branches)).toEqual({ to: 1 })
    expect(moveOf('ArrowRight', 2, branches)).toBeUndefined()
    expect(moveOf('ArrowLeft', 1, branches)).toEqual({ fold: 'b' })
    expect(moveOf('ArrowLeft', 2, branches)).toEqual({ to: 1 })
    expect(moveOf('*', 1, branches)).toEqual({ unfold: ['b', 'c'] })
  })
})
