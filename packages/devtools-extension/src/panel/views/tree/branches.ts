/** A tree of causes and effects as a list: what of it is unfolded, and what there is to say of it. */
import type { CausalNode } from '../../model/model.ts'
import { duration, list, plural, since } from '../shared/format.ts'
import { gotWords } from '../shared/got.ts'

export interface Branch {
  readonly node: CausalNode
  /** From 1. */
  readonly level: number
  /** Among its siblings, from 1. */
  readonly position: number
  readonly siblings: number
  readonly expanded: boolean
  /** Index of its cause in the list; -1 of a root. */
  readonly parent: number
}

/** All nodes that no folded one hides, in the order of reading. */
export function branchesOf(roots: readonly CausalNode[], folded: ReadonlySet<string>): Branch[] {
  const branches: Branch[] = []
  // Not by recursion: a chain may be longer than a stack is deep.
  const open = roots
    .map((node, i) => ({ node, level: 1, position: i + 1, siblings: roots.length, parent: -1 }))
    .reverse()
  for (let next = open.pop(); next; next = open.pop()) {
    const { node, level } = next
    const expanded = node.children.length > 0 && !folded.has(node.id)
    const parent = branches.push({ ...next, expanded }) - 1
    if (!expanded) continue
    for (let i = node.children.length - 1; i >= 0; i--) {
      const child = node.children[i] as CausalNode
      const siblings = node.children.length
      open.push({ node: child, level: level + 1, position: i + 1, siblings, parent })
    }
  }
  return branches
}

export function everyNode(roots: readonly CausalNode[]): CausalNode[] {
  return branchesOf(roots, new Set()).map(({ node }) => node)
}

export interface Span {
  readonly from: number
  readonly to: number
}

/** From the first event of the tree to the end of the last handler. */
export function spanOf(nodes: readonly CausalNode[]): Span {
  let from = Infinity
  let to = -Infinity
  for (const { event } of nodes) {
    if (!event) continue
    from = Math.min(from, event.ms)
    to = Math.max(to, event.ms + Math.max(event.latency ?? 0, event.duration ?? 0))
  }
  return from <= to ? { from, to } : { from: 0, to: 0 }
}

export function nameOfNode(node: CausalNode): string {
  return node.event?.event.type ?? node.id
}

/** What the tree comes to: how long it took, and on what most of that was waited for. */
export function summaryOf(roots: readonly CausalNode[], nodes: readonly CausalNode[]): string {
  const { from, to } = spanOf(nodes)
  const whole = `${plural(nodes.length, 'event')} in ${duration(to - from)}`
  const critical = nodes.filter((node) => node.critical)
  if (roots.length !== 1 || critical.length < 2) return `${whole}.`
  let longest = critical[1] as CausalNode
  for (const node of critical) if ((node.after ?? 0) > (longest.after ?? 0)) longest = node
  const wait =
    longest.after === undefined
      ? ''
      : `, the longest wait ${since(longest.after)} before ${nameOfNode(longest)}`
  return `${whole}; the way to the last: ${plural(critical.length, 'event')}${wait}.`
}

/** The parts of a node's state that are worth a word. */
export function stateOf({ event }: CausalNode): { text: string; bad: boolean } {
  if (!event) return { text: 'not captured', bad: false }
  const bad: string[] = []
  if (event.failures > 0) bad.push(plural(event.failures, 'failure'))
  if (event.state === 'refused') bad.push('refused')
  if (bad.length > 0) return { text: list(bad), bad: true }
  const missed = event.drops > 0 ? `, ${event.drops} not made` : ''
  return { text: `${gotWords(event)}${missed}`, bad: false }
}
