/** A value as lines: what of a tree is open, and what was loaded beyond its first levels. */
import type { Tree } from '@crosstown/bus/inspect'

export type Path = readonly (string | number)[]

export interface Line {
  /** Unique among the lines. */
  readonly key: string
  readonly path: Path
  readonly level: number
  /** `more`: children that were not asked for yet, from number `from` on. */
  readonly kind: 'value' | 'more' | 'loading' | 'failed'
  readonly name: string
  readonly tree?: Tree
  /** Absent where there is nothing to open. */
  readonly open?: boolean
  readonly from?: number
  readonly text?: string
}

export type Children = readonly (readonly [key: string | number, child: Tree])[]

/** What was loaded for a path, beyond what the tree brought. */
export type Loaded =
  | { readonly state: 'loading'; readonly children: Children }
  | { readonly state: 'failed'; readonly children: Children; readonly message: string }
  | { readonly state: 'loaded'; readonly children: Children }

export interface TreeState {
  readonly open: ReadonlySet<string>
  readonly loaded: ReadonlyMap<string, Loaded>
}

export function pathKey(path: Path): string {
  return JSON.stringify(path)
}

export function childrenOf(tree: Tree, path: Path, state: TreeState): Children {
  return state.loaded.get(pathKey(path))?.children ?? tree.children ?? []
}

/** The lines of a value from the top, as far as it is open. */
export function linesOf(root: Tree, state: TreeState, rootName: string): Line[] {
  const lines: Line[] = []
  add(lines, root, [], rootName, 0, state)
  return lines
}

function add(
  lines: Line[],
  tree: Tree,
  path: Path,
  name: string,
  level: number,
  state: TreeState,
): void {
  const key = pathKey(path)
  const opens = (tree.size ?? 0) > 0
  const open = opens && state.open.has(key)
  lines.push({ key, path, level, kind: 'value', name, tree, ...(opens && { open }) })
  if (!open) return
  const children = childrenOf(tree, path, state)
  for (const [step, child] of children)
    add(lines, child, [...path, step], String(step), level + 1, state)
  const loaded = state.loaded.get(key)
  const below = { path, level: level + 1 }
  if (loaded?.state === 'loading')
    lines.push({ ...below, key: `${key} loading`, kind: 'loading', name: '', text: 'loading …' })
  else if (loaded?.state === 'failed')
    lines.push({ ...below, key: `${key} failed`, kind: 'failed', name: '', text: loaded.message })
  else if (children.length < (tree.size ?? 0))
    lines.push({
      ...below,
      key: `${key} more`,
      kind: 'more',
      name: '',
      from: children.length,
      text: `${(tree.size ?? 0) - children.length} more`,
    })
}

/** How a path is written in code: `data.items[0]['a b']`. */
export function pathText(root: string, path: Path): string {
  return path.reduce<string>(
    (text, step) =>
      typeof step === 'number'
        ? `${text}[${step}]`
        : /^[A-Za-z_$][\w$]*$/.test(step)
          ? `${text}.${step}`
          : `${text}[${JSON.stringify(step)}]`,
    root,
  )
}

/** The value at a path of what is decoded; steps are those of a {@link Tree}. */
export function valueAt(value: unknown, path: Path): unknown {
  let inside = value
  for (const step of path) inside = childAt(inside, step)
  return inside
}

function childAt(inside: unknown, step: string | number): unknown {
  if (inside instanceof Map && typeof step === 'string') return inside.get(step)
  if (inside instanceof Map || inside instanceof Set) return [...inside][Number(step)]
  return inside === null || typeof inside !== 'object'
    ? undefined
    : (inside as { readonly [key: string | number]: unknown })[step]
}
