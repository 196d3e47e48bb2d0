/** Where filters are given names, and lose them again. */
import { type FormEvent, type ReactNode, useRef, useState } from 'react'
import { withoutQuery, withQuery } from '../state/queries.ts'
import type { SettingsStore } from '../state/settings.ts'
import { useStore } from '../state/store.ts'
import { Dialog } from '../ui/dialog.tsx'
import { Icon } from '../ui/icon.tsx'

interface QueriesDialogProps {
  readonly settings: SettingsStore
  /** The filter. */
  readonly text: string
  onText(text: string): void
  onClose(): void
}

export function QueriesDialog({ settings, text, onText, onClose }: QueriesDialogProps): ReactNode {
  const { queries } = useStore(settings)
  const [name, setName] = useState('')
  const [query, setQuery] = useState(text.trim())
  const [done, setDone] = useState('')
  const nameInput = useRef<HTMLInputElement>(null)
  const known = queries.some((one) => one.name === name.trim())
  const lacking = name.trim() === '' ? 'a name' : query.trim() === '' ? 'a query' : undefined

  function save(event: FormEvent): void {
    event.preventDefault()
    if (lacking !== undefined) {
      setDone(`Not saved: it needs ${lacking}.`)
      return
    }
    settings.update((now) => ({ ...now, queries: withQuery(now.queries, { name, text: query }) }))
    setDone(`Saved “${name.trim()}”.`)
    setName('')
    nameInput.current?.focus()
  }

  function remove(which: string): void {
    settings.update((now) => ({ ...now, queries: withoutQuery(now.queries, which) }))
    setDone(`Deleted “${which}”.`)
    // The button that had the focus is gone.
    nameInput.current?.focus()
  }

  return (
    <Dialog title="Saved queries" onClose={onClose}>
      <form className="query-form" onSubmit={save} noValidate>
        <div className="form-line">
          <label className="form-label" htmlFor="query-name">
            Name
          </label>
          <input
            ref={nameInput}
            id="query-name"
            className="input"
            maxLength={80}
            autoComplete="off"
            placeholder="slow orders"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </div>
        <div className="form-line">
          <label className="form-label" htmlFor="query-text">
            Query
          </label>
          <input
            id="query-text"
            className="input mono"
            maxLength={2048}
            autoComplete="off"
            spellCheck={false}
            placeholder="type:order.* dur:>50ms"
            value={query}
            onChange={(event) => setQuery(event.target.value)}
          />
        </div>
        <div className="form-line">
          <button type="submit" className="button button-main">
            {known ? 'Replace' : 'Save'}
          </button>
          <span className="hint" role="status">
            {done}
          </span>
        </div>
      </form>
      <section className="form-section">
        <h3>Saved</h3>
        {queries.length === 0 ? (
          <p className="hint">None yet. They are kept with the settings of this panel.</p>
        ) : (
          <ul className="queries">
            {queries.map((one) => (
              <li key={one.name} className="query-line">
                <span className="query-words">
                  <span className="ellipsis">{one.name}</span>
                  <code className="ellipsis" title={one.text}>
                    {one.text}
                  </code>
                </span>
                <button
                  type="button"
                  className="button"
                  aria-label={`Use ${one.name}`}
                  onClick={() => {
                    onText(one.text)
                    onClose()
                  }}
                >
                  Use
                </button>
                <button
                  type="button"
                  className="tool"
                  aria-label={`Edit ${one.name}`}
                  title="Edit"
                  onClick={() => {
                    setName(one.name)
                    setQuery(one.text)
                    setDone('')
                    nameInput.current?.focus()
                  }}
                >
                  <Icon name="settings" />
                </button>
                <button
                  type="button"
                  className="tool"
                  aria-label={`Delete ${one.name}`}
                  title="Delete"
                  onClick={() => remove(one.name)}
                >
                  <Icon name="close" />
                </button>
              </li>
            ))}
          </ul>
        )}
      </section>
    </Dialog>
  )
}
