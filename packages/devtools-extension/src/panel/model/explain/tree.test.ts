import { describe, expect, it } from 'vitest'
import type { CausalNode } from '../model.ts'
import { causalTree, unknownIn } from './index.ts'
import { header, told } from './testing/sessions.ts'

/** Events of one page, a ms apart: each by its number, with the number of its cause. */
function caused(causes: readonly (number | string | undefined)[]) {
  return told([
    {
      peer: 'tab',
      records: causes.map((cause, n) => ({
        at: n,
        is: 'published' as const,
        events: [
          header(`tab-${n + 1}`, {
            ...(cause !== undefined && {
              causationId: typeof cause === 'number' ? `tab-${cause}` : cause,
            }),
          }),
        ],
      })),
    },
  ])
}

function all(node: CausalNode): CausalNode[] {
  const nodes = [node]
  for (let i = 0; i < nodes.length; i++) nodes.push(...(nodes[i] as CausalNode).children)
  return nodes
}

const critical = (node: CausalNode) =>
  all(node)
    .filter((one) => one.critical)
    .map(({ id }) => id)

describe('the tree of causes', () => {
  it('begins with the first cause, whichever event it is asked of', () => {
    const session = caused([undefined, 1, 1, 2])
    for (const id of ['tab-1', 'tab-2', 'tab-4']) {
      const tree = causalTree(session, id)
      expect(tree.id).toBe('tab-1')
      expect(tree.children.map((child) => child.id)).toEqual(['tab-2', 'tab-3'])
      expect(tree.children[0]?.children[0]).toMatchObject({ id: 'tab-4', after: 2 })
      expect(critical(tree)).toEqual(['tab-1', 'tab-2', 'tab-4'])
    }
  })

  it('has a cause that was not captured as an id to ask for', () => {
    const tree = causalTree(caused(['far-7', 1]), 'tab-2')
    expect(tree).toMatchObject({ id: 'far-7', children: [{ id: 'tab-1' }] })
    expect(tree).not.toHaveProperty('event')
    expect(unknownIn(tree)).toEqual(['far-7'])
    expect(tree.children[0]).not.toHaveProperty('after')
  })

  it('of an event nothing is known of is that event alone', () => {
    const tree = causalTree(caused([]), 'tab-9')
    expect(tree).toMatchObject({ id: 'tab-9', children: [] })
    expect(unknownIn(tree)).toEqual(['tab-9'])
  })

  it('ends where events are said to cause each other', () => {
    const session = caused([3, 1, 2, 1])
    for (const id of ['tab-1', 'tab-2', 'tab-3', 'tab-4']) {
      const nodes = all(causalTree(session, id)).map((node) => node.id)
      expect(nodes.sort()).toEqual(['tab-1', 'tab-2', 'tab-3', 'tab-4'])
    }
    expect(all(causalTree(caused([1]), 'tab-1')).map(({ id }) => id)).toEqual(['tab-1'])
  })

  it('may be as deep as it is long', () => {
    const length = 10_000
    const session = caused(Array.from({ length }, (_, n) => (n === 0 ? undefined : n)))
    const tree = causalTree(session, `tab-${length}`)
    expect(all(tree)).toHaveLength(length)
    expect(critical(tree)).toHaveLength(length)
  })

  it('says how much it leaves out', () => {
    const session = caused([undefined, ...Array.from({ length: 50 }, () => 1)])
    const tree = causalTree(session, 'tab-1', { limit: 11 })
    expect(all(tree)).toHaveLength(11)
    expect(tree.more).toBe(40)
  })
})
