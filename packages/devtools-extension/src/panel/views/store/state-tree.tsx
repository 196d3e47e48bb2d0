/** A state, opened as far as one looks; what is deeper is asked for when it is unfolded. */
import type { Tree } from '@crosstown/bus/inspect'
import { type ReactNode, useEffect, useState } from 'react'

export type Path = readonly (string | number)[]

export function StateTree({
  tree,
  label,
  load,
}: {
  tree: Tree
  label: string
  /** The tree at a path; rejects with words. */
  load(path: Path): Promise<Tree>
}): ReactNode {
  return (
    <section className="state-tree mono" aria-label={label}>
      <Node tree={tree} path={[]} load={load} name={undefined} open />
    </section>
  )
}

function Node({
  tree,
  name,
  path,
  load,
  open,
}: {
  tree: Tree
  name: string | number | undefined
  path: Path
  load(path: Path): Promise<Tree>
  open?: boolean
}) {
  const [loaded, setLoaded] = useState<{ readonly tree?: Tree; readonly words?: string }>({})
  // Another state of the same place is another tree.
  // biome-ignore lint/correctness/useExhaustiveDependencies: `tree` is what it depends on
  useEffect(() => setLoaded({}), [tree])
  const children = loaded.tree?.children ?? tree.children
  const size = tree.size ?? children?.length ?? 0
  const label = (
    <>
      {name !== undefined && (
        <>
          <span className="state-key">{name}</span>:{' '}
        </>
      )}
      <span className={`state-value value-${tree.type}`}>{tree.preview}</span>
    </>
  )
  if (size === 0) return <div className="state-leaf">{label}</div>
  const fetch = () => {
    if (children || loaded.words) return
    load(path).then(
      (found) => setLoaded({ tree: found }),
      (error: unknown) =>
        setLoaded({ words: error instanceof Error ? error.message : String(error) }),
    )
  }
  return (
    <details open={open} onToggle={(event) => event.currentTarget.open && fetch()}>
      <summary>{label}</summary>
      {children?.map(([key, child]) => (
        <Node key={String(key)} tree={child} name={key} path={[...path, key]} load={load} />
      ))}
      {children && size > children.length && (
        <div className="state-leaf quiet">… {size - children.length} more</div>
      )}
      {!children && <div className="state-leaf quiet">{loaded.words ?? 'asking…'}</div>}
    </details>
  )
}
