/** What differs between two states, as far as both are opened. */
import type { Tree } from '@crosstown/bus/inspect'

export interface Change {
  /** `items[0].qty`; empty for the whole. */
  readonly path: string
  readonly is: 'added' | 'removed' | 'changed'
  readonly before?: string
  readonly after?: string
}

export interface Difference {
  readonly changes: readonly Change[]
  /** Branches that look alike and were not opened far enough to know. */
  readonly unknown: number
}

const MOST = 500

export function differenceOf(before: Tree, after: Tree): Difference {
  const changes: Change[] = []
  let unknown = 0

  const compare = (a: Tree, b: Tree, path: string): void => {
    if (changes.length >= MOST) return
    if (a.type !== b.type || (!isBranch(a) && a.preview !== b.preview)) {
      changes.push({ path, is: 'changed', before: a.preview, after: b.preview })
      return
    }
    if (!isBranch(a)) return
    const [whole, wholeB] = [isWhole(a), isWhole(b)]
    if (!whole || !wholeB) {
      if (a.preview !== b.preview || a.size !== b.size) {
        const [sizeA, sizeB] = [sized(a), sized(b)]
        changes.push({ path, is: 'changed', before: sizeA, after: sizeB })
      } else unknown++
    }
    const old = new Map(a.children?.map(([key, child]) => [String(key), [key, child] as const]))
    for (const [key, child] of b.children ?? []) {
      const was = old.get(String(key))
      old.delete(String(key))
      const at = join(path, key, b.type)
      if (was) compare(was[1], child, at)
      else if (whole) changes.push({ path: at, is: 'added', after: child.preview })
    }
    if (wholeB)
      for (const [key, child] of old.values())
        changes.push({ path: join(path, key, a.type), is: 'removed', before: child.preview })
  }

  compare(before, after, '')
  return { changes: changes.slice(0, MOST), unknown }
}

const isBranch = (tree: Tree): boolean => (tree.size ?? tree.children?.length ?? 0) > 0

const isWhole = ({ size, children }: Tree): boolean =>
  (children?.length ?? 0) >= (size ?? children?.length ?? 0)

const sized = ({ preview, size }: Tree): string =>
  size === undefined || preview.includes(String(size)) ? preview : `${preview} (${size})`

function join(path: string, key: string | number, type: Tree['type']): string {
  if (type === 'map' || type === 'set') return `${path}⟨${key}⟩`
  if (typeof key === 'number' || /^\d+$/.test(key)) return `${path}[${key}]`
  if (!/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key)) return `${path}[${JSON.stringify(key)}]`
  return path === '' ? key : `${path}.${key}`
}
