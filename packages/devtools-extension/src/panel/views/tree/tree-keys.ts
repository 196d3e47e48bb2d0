/** The keys of a tree, as the ARIA practices have them. */
import type { Branch } from './branches.ts'

export type TreeMove =
  | { readonly to: number }
  | { readonly fold: string }
  | { readonly unfold: readonly string[] }
  | undefined

export function moveOf(key: string, at: number, branches: readonly Branch[]): TreeMove {
  const last = branches.length - 1
  if (last < 0) return undefined
  const branch = branches[at]
  switch (key) {
    case 'ArrowDown':
    case 'j':
      return { to: Math.min(at + 1, last) }
    case 'ArrowUp':
    case 'k':
      return { to: Math.max(at - 1, 0) }
    case 'PageDown':
      return { to: Math.min(at + 10, last) }
    case 'PageUp':
      return { to: Math.max(at - 10, 0) }
    case 'Home':
      return { to: 0 }
    case 'End':
      return { to: last }
    case 'ArrowRight':
      if (!branch) return { to: 0 }
      if (branch.node.children.length === 0) return undefined
      return branch.expanded ? { to: at + 1 } : { unfold: [branch.node.id] }
    case 'ArrowLeft':
      if (!branch) return undefined
      if (branch.expanded) return { fold: branch.node.id }
      return branch.parent >= 0 ? { to: branch.parent } : undefined
    case '*':
      if (!branch) return undefined
      return {
        unfold: branches
          .filter(({ parent }) => parent === branch.parent)
          .map(({ node }) => node.id),
      }
    default:
      return undefined
  }
}
