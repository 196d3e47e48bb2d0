/** What differs between two values, line by line. */
import type { Tree } from '@crosstown/bus/inspect'
import { useMemo } from 'react'
import { plural } from './format.ts'
import { differenceOf } from './tree-diff.ts'

export function Differences({
  before,
  after,
  same,
}: {
  before: Tree
  after: Tree
  /** Said where nothing differs: `The state is the same now.` */
  same: string
}) {
  const { changes, unknown } = useMemo(() => differenceOf(before, after), [before, after])
  const deeper = unknown > 0 && (
    <p className="quiet">
      {plural(unknown, 'branch', 'branches')} look alike and are too deep to compare here.
    </p>
  )
  if (changes.length === 0)
    return (
      <>
        <p>{unknown > 0 ? 'Nothing that can be seen differs.' : same}</p>
        {deeper}
      </>
    )
  return (
    <>
      <ul className="changes mono">
        {changes.map(({ path, is, before: was, after: now }) => (
          <li key={`${is} ${path}`} className={`change-${is}`}>
            <span className="change-sign" title={is}>
              <span aria-hidden="true">{{ added: '+', removed: '−', changed: '~' }[is]}</span>
              <span className="unseen">{is}: </span>
            </span>
            <span className="state-key">{path || 'the whole'}</span>{' '}
            {was !== undefined && <del>{was}</del>} {was !== undefined && now !== undefined && '→ '}
            {now !== undefined && <ins>{now}</ins>}
          </li>
        ))}
      </ul>
      {deeper}
    </>
  )
}
