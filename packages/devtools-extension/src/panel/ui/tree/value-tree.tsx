/** A value of any type, opened as far as somebody looks: the rest is asked for by path. */
import type { Tree } from '@crosstown/bus/inspect'
import { type KeyboardEvent, type ReactNode, useId, useMemo, useRef, useState } from 'react'
import { errorText } from '../error-text.ts'
import { Icon } from '../icon.tsx'
import { Menu, type MenuAt, type MenuItem } from '../menu.tsx'
import { type Line, type Loaded, linesOf, type Path, pathKey, type TreeState } from './lines.ts'
import './value-tree.css'

interface ValueTreeProps {
  readonly root: Tree
  /** What the value is called: `data`. */
  readonly name: string
  readonly label: string
  /** Asks for what is below a path, from child number `from` on. */
  load(path: Path, from: number): Promise<Tree>
  /** Lines that contain it are marked. */
  readonly search?: string
  menu?(path: Path, tree: Tree): readonly MenuItem[]
}

/** Names and values are searched alike. */
export function matches(line: Line, search: string): boolean {
  const wanted = search.toLowerCase()
  return (
    line.name.toLowerCase().includes(wanted) ||
    (line.tree?.size === undefined && (line.tree?.preview.toLowerCase().includes(wanted) ?? false))
  )
}

export function ValueTree(props: ValueTreeProps): ReactNode {
  const { root, name, label, load, search = '', menu } = props
  const id = useId()
  const [state, setState] = useState<TreeState>(() => ({
    open: new Set([pathKey([])]),
    loaded: new Map(),
  }))
  // Another value in the same place: what was open stays so, what was loaded was of the one before.
  const [loadedOf, setLoadedOf] = useState(root)
  if (loadedOf !== root) {
    setLoadedOf(root)
    setState((now) => ({ ...now, loaded: new Map() }))
  }
  const [active, setActive] = useState(0)
  const [menuAt, setMenuAt] = useState<{ readonly at: MenuAt; readonly line: Line }>()
  const tree = useRef<HTMLDivElement>(null)
  const lines = useMemo(() => linesOf(root, state, name), [root, state, name])
  const current = lines[Math.min(active, lines.length - 1)]

  function keep(path: Path, loaded: Loaded): void {
    setState((now) => ({ ...now, loaded: new Map(now.loaded).set(pathKey(path), loaded) }))
  }

  async function more(line: Line, before: Loaded['children']): Promise<void> {
    keep(line.path, { state: 'loading', children: before })
    try {
      const answer = await load(line.path, before.length)
      keep(line.path, { state: 'loaded', children: [...before, ...(answer.children ?? [])] })
    } catch (error) {
      const message = errorText(error)
      keep(line.path, { state: 'failed', children: before, message })
    }
  }

  function childrenSoFar(line: Line): Loaded['children'] {
    const loaded = state.loaded.get(pathKey(line.path))
    return loaded?.children ?? line.tree?.children ?? []
  }

  function toggle(line: Line): void {
    if (line.kind === 'more' || line.kind === 'failed') {
      const owner = lines.find(({ key }) => key === pathKey(line.path))
      if (owner) more(line, childrenSoFar(owner))
      return
    }
    if (line.open === undefined) return
    setState((now) => {
      const open = new Set(now.open)
      if (!open.delete(line.key)) open.add(line.key)
      return { ...now, open }
    })
    if (!line.open && childrenSoFar(line).length === 0) more(line, [])
  }

  function goTo(index: number): void {
    const next = Math.max(0, Math.min(lines.length - 1, index))
    setActive(next)
    document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: 'nearest' })
  }

  function openMenu(line: Line, at: MenuAt): void {
    if (menu && line.tree) setMenuAt({ at, line })
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (!current || event.ctrlKey || event.metaKey || event.altKey) return
    const index = lines.indexOf(current)
    if (event.key === 'ArrowDown') goTo(index + 1)
    else if (event.key === 'ArrowUp') goTo(index - 1)
    else if (event.key === 'Home') goTo(0)
    else if (event.key === 'End') goTo(lines.length - 1)
    else if (event.key === 'ArrowRight') {
      if (current.open === false) toggle(current)
      else if (current.open) goTo(index + 1)
    } else if (event.key === 'ArrowLeft') {
      if (current.open) toggle(current)
      else goTo(lines.findLastIndex((line, at) => at < index && line.level < current.level))
    } else if (event.key === 'Enter' || event.key === ' ') toggle(current)
    else if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
      const box = document.getElementById(`${id}-${index}`)?.getBoundingClientRect()
      openMenu(current, { x: (box?.left ?? 0) + 24, y: box?.bottom ?? 0 })
    } else return
    event.preventDefault()
    event.stopPropagation()
  }

  return (
    <>
      <div
        ref={tree}
        className="value-tree"
        role="tree"
        aria-label={label}
        aria-activedescendant={current ? `${id}-${lines.indexOf(current)}` : undefined}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        {lines.map((line, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the tree's
          <div
            key={line.key}
            id={`${id}-${index}`}
            role="treeitem"
            className={search && matches(line, search) ? 'value-line value-found' : 'value-line'}
            aria-level={line.level + 1}
            aria-expanded={line.open}
            aria-selected={line === current}
            style={{ paddingInlineStart: 4 + line.level * 14 }}
            onClick={() => {
              setActive(index)
              toggle(line)
            }}
            onContextMenu={(event) => {
              if (!menu || !line.tree) return
              event.preventDefault()
              setActive(index)
              openMenu(line, { x: event.clientX, y: event.clientY })
            }}
          >
            <span className="value-arrow">
              {line.open !== undefined && <Icon name={line.open ? 'down' : 'right'} />}
            </span>
            {line.tree ? (
              <>
                <span className="value-name">{line.name}</span>
                <span className="value-colon">: </span>
                <Value tree={line.tree} open={line.open === true} />
              </>
            ) : (
              <span className={`value-${line.kind}`}>
                {line.kind === 'failed' && <Icon name="error" label="failed" />}
                {line.text}
              </span>
            )}
          </div>
        ))}
      </div>
      {menuAt?.line.tree && menu && (
        <Menu
          label={menuAt.line.name}
          at={menuAt.at}
          items={menu(menuAt.line.path, menuAt.line.tree)}
          onClose={() => setMenuAt(undefined)}
        />
      )}
    </>
  )
}

/** The type, where the text does not say it. */
const TYPE_LABELS: Readonly<Partial<Record<Tree['type'], string>>> = {
  date: 'Date',
  regexp: 'RegExp',
  url: 'URL',
}

function Value({ tree, open }: { readonly tree: Tree; readonly open: boolean }): ReactNode {
  if (tree.type === 'redacted')
    return (
      <span className="value-redacted">
        <Icon name="lock" />
        redacted where it was captured
      </span>
    )
  if (tree.type === 'cycle')
    return (
      <span className="value-cycle">
        <Icon name="repeat" />
        contains itself
      </span>
    )
  if (tree.type === 'missing') return <span className="value-cycle">nothing here</span>
  const label = TYPE_LABELS[tree.type]
  return (
    <span className={`value value-type-${tree.type}`}>
      {label !== undefined && <span className="value-label">{label} </span>}
      {open ? summary(tree) : tree.preview}
    </span>
  )
}

/** Of what is open its children say the rest. */
function summary({ type, size = 0, preview }: Tree): string {
  if (type === 'object') return `{${size}}`
  if (type === 'array') return `[${size}]`
  return /^[\w]+\(\d+\)/.exec(preview)?.[0] ?? `${type}(${size})`
}
