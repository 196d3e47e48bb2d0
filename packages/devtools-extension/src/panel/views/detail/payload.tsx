/** The data of an event, asked of a peer that has it, as far as somebody opens it. */
import type { Tree } from '@crosstown/bus/inspect'
import { type ReactNode, useEffect, useState } from 'react'
import { literal } from '../../copy/literal.ts'
import { askHolders, loadData } from '../../copy/load.ts'
import { quoted } from '../../model/index.ts'
import { errorText } from '../../ui/error-text.ts'
import { bytes } from '../../ui/format.ts'
import { Icon } from '../../ui/icon.tsx'
import type { MenuItem } from '../../ui/menu.tsx'
import { type Path, pathText, valueAt } from '../../ui/tree/lines.ts'
import { ValueTree } from '../../ui/tree/value-tree.tsx'
import type { EventDetailProps } from './event-detail.ts'

type Asked =
  | { readonly state: 'asking' }
  | { readonly state: 'there'; readonly tree: Tree }
  | { readonly state: 'failed'; readonly message: string }

export function Payload({ hub, session, panel, row }: EventDetailProps): ReactNode {
  const [asked, setAsked] = useState<Asked>({ state: 'asking' })
  const [search, setSearch] = useState('')
  const [again, setAgain] = useState(0)

  // biome-ignore lint/correctness/useExhaustiveDependencies: asked once for an event, and when told to
  useEffect(() => {
    const abort = new AbortController()
    const { signal } = abort
    setAsked({ state: 'asking' })
    askHolders(session, row, (peer) =>
      hub.ask(peer, { what: 'payload', event: row.id }, { signal }),
    ).then(
      (tree) => {
        if (!signal.aborted) setAsked({ state: 'there', tree })
      },
      (error: unknown) => {
        if (signal.aborted) return
        setAsked({
          state: 'failed',
          message: errorText(error),
        })
      },
    )
    return () => abort.abort()
  }, [hub, row.id, again])

  function menu(path: Path, tree: Tree): MenuItem[] {
    const plain = tree.size === undefined
    const name = path.join('.')
    const copyValue = (): void => {
      loadData(hub, row).then(
        (data) => {
          const value = valueAt(data, path)
          panel.copy(typeof value === 'string' ? value : literal(value), 'the value')
        },
        (error: unknown) => panel.say(`Not copied. ${errorText(error)}`),
      )
    }
    return [
      { label: 'Copy value', icon: 'copy', run: copyValue },
      {
        label: 'Copy path',
        run: () => panel.copy(pathText('data', path), 'the path'),
      },
      ...(plain && path.length > 0 && !/[\s".]/.test(name.replaceAll('.', ''))
        ? [
            {
              label: `Filter by data.${name}`,
              icon: 'filter' as const,
              run: () => panel.addTerm(`data.${name}:${quoted(termValue(tree))}`),
            },
          ]
        : []),
    ]
  }

  if (asked.state === 'asking') return <p className="detail-words hint">Asking its peer …</p>
  if (asked.state === 'failed')
    return (
      <div className="detail-words">
        <p className="fault">
          <Icon name="error" />
          <span>The payload cannot be had: {asked.message}</span>
        </p>
        <p className="hint">
          Payloads stay where they are until somebody looks; what a peer took with it is gone,
          unless its log has it and another page of that device is open.
        </p>
        <p>
          <button type="button" className="button" onClick={() => setAgain(again + 1)}>
            Ask again
          </button>
        </p>
      </div>
    )

  const { tree } = asked
  return (
    <>
      <div className="payload-bar">
        <input
          className="input payload-search"
          type="search"
          aria-label="Search in the payload"
          placeholder="Search what is open"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <span className="grow" />
        <span className="hint">
          {tree.bytes === undefined ? '' : bytes(tree.bytes)}
          {tree.encoding === 'devalue' ? ' · devalue' : ''}
        </span>
      </div>
      {tree.type === 'undefined' ? (
        <p className="detail-words hint">It has no data.</p>
      ) : (
        <ValueTree
          root={tree}
          name="data"
          label="Payload"
          search={search}
          menu={menu}
          load={(path, from) =>
            askHolders(session, row, (peer) =>
              hub.ask(peer, { what: 'payload', event: row.id, path: [...path], depth: 1, from }),
            )
          }
        />
      )}
    </>
  )
}

/** A value as a term of a query has it: texts without their quotes. */
function termValue({ type, preview }: Tree): string {
  if (type !== 'string') return preview
  try {
    return JSON.parse(preview) as string
  } catch {
    // Too long for one line: its beginning.
    return preview.slice(1, -1)
  }
}
