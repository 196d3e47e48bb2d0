import { CrossIcon } from '../icons.tsx'
import { dismiss, notices } from '../notices.ts'
import { useStore } from '../store.ts'

/** What went wrong, until someone has read it. */
export function Notices() {
  const all = useStore(notices)
  return (
    <div className="notices" role="status">
      {all.map(({ id, code, words }) => (
        <div key={id} className="notice" data-testid="notice" data-code={code}>
          <p>{words}</p>
          <button type="button" className="tool" aria-label="Dismiss" onClick={() => dismiss(id)}>
            <CrossIcon />
          </button>
        </div>
      ))}
    </div>
  )
}
