/** The filter: a text with completions, its faults underlined, and how many rows it lets through. */
import { type KeyboardEvent, type ReactNode, type RefObject, useRef, useState } from 'react'
import { complete } from '../model/index.ts'
import type { Completion, Filtered, Query, Session } from '../model/model.ts'
import { matchingQueries, type SavedQuery } from '../state/queries.ts'
import { useVersion } from '../state/store.ts'
import { count } from '../ui/format.ts'
import { Icon } from '../ui/icon.tsx'

interface FilterBarProps {
  readonly session: Session
  readonly filtered: Filtered
  readonly input: RefObject<HTMLInputElement | null>
  /** The text, which others change as well. */
  readonly text: string
  readonly queries: readonly SavedQuery[]
  /** Stands behind the field. */
  readonly children: ReactNode
  onText(text: string): void
  /** Enter, or Escape with nothing left to close: the rows get the focus. */
  onLeave(): void
}

const NO_FAULTS: Query['faults'] = []
const NO_OPTIONS: Completion = { from: 0, to: 0, options: [] }

export function FilterBar(props: FilterBarProps): ReactNode {
  const { session, filtered, input, text, queries, children, onText, onLeave } = props
  useVersion(filtered)
  const [completion, setCompletion] = useState(NO_OPTIONS)
  const [active, setActive] = useState(-1)
  const mirror = useRef<HTMLDivElement>(null)
  const open = completion.options.length > 0
  // A term that is being completed is not wrong yet.
  const faults = open ? NO_FAULTS : filtered.query.faults

  function suggest(of: string, always = false): void {
    const cursor = input.current?.selectionStart ?? of.length
    // Nothing is pushed upon whoever has typed nothing yet.
    const next = of.trim() === '' && !always ? NO_OPTIONS : complete(of, cursor, session)
    setCompletion(next === NO_OPTIONS ? next : withSaved(next, of, cursor, queries))
    setActive(-1)
  }

  function close(): void {
    setCompletion(NO_OPTIONS)
    setActive(-1)
  }

  function take(index: number): void {
    const option = completion.options[index]
    if (!option) return
    const next = text.slice(0, completion.from) + option.insert + text.slice(completion.to)
    const cursor = completion.from + option.insert.length
    onText(next)
    close()
    requestAnimationFrame(() => {
      input.current?.focus()
      input.current?.setSelectionRange(cursor, cursor)
      // A key is followed by its values.
      if (/[:=<>]$/.test(option.insert)) suggest(next)
    })
  }

  function onKeyDown(event: KeyboardEvent<HTMLInputElement>): void {
    const last = completion.options.length - 1
    if (event.key === 'ArrowDown') {
      if (open) setActive(active >= last ? 0 : active + 1)
      else suggest(text, true)
    } else if (event.key === 'ArrowUp' && open) setActive(active <= 0 ? last : active - 1)
    else if (event.key === 'Enter') {
      if (active >= 0) take(active)
      else {
        close()
        onLeave()
      }
    } else if (event.key === 'Tab' && active >= 0) take(active)
    else if (event.key === 'Escape') {
      if (open) close()
      else if (text !== '') onText('')
      else onLeave()
    } else if (event.key === ' ' && event.ctrlKey) suggest(text, true)
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  const rows = session.rows.next - session.rows.first
  return (
    <search className="filter-bar">
      <Icon name="filter" />
      <div className={faults.length > 0 ? 'filter-field filter-faulty' : 'filter-field'}>
        <div ref={mirror} className="filter-mirror" aria-hidden="true">
          {underlined(text, faults)}
        </div>
        <input
          ref={input}
          className="filter-input"
          role="combobox"
          aria-label="Filter"
          aria-expanded={open}
          aria-controls="filter-options"
          aria-autocomplete="list"
          aria-activedescendant={active >= 0 ? `filter-option-${active}` : undefined}
          aria-invalid={faults.length > 0}
          aria-describedby={faults.length > 0 ? 'filter-fault' : undefined}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          placeholder="Filter: type:order.* -from:worker dur:>50ms error:"
          value={text}
          onChange={(event) => {
            onText(event.target.value)
            suggest(event.target.value)
          }}
          onKeyDown={onKeyDown}
          onBlur={close}
          onScroll={(event) => {
            if (mirror.current) mirror.current.scrollLeft = event.currentTarget.scrollLeft
          }}
        />
        <div
          id="filter-options"
          className="filter-options"
          role="listbox"
          aria-label="Completions"
          hidden={!open}
        >
          {completion.options.map((option, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the input's
            <div
              key={`${option.label} ${option.insert}`}
              id={`filter-option-${index}`}
              role="option"
              aria-selected={index === active}
              ref={(element) => {
                if (index === active) element?.scrollIntoView({ block: 'nearest' })
              }}
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => take(index)}
            >
              <code className="grow ellipsis">{option.label}</code>
              {option.detail !== undefined && <span className="hint">{option.detail}</span>}
            </div>
          ))}
        </div>
      </div>
      {text !== '' && (
        <button
          type="button"
          className="tool"
          aria-label="Clear the filter"
          title="Clear the filter (Esc)"
          onClick={() => {
            onText('')
            input.current?.focus()
          }}
        >
          <Icon name="close" />
        </button>
      )}
      {children}
      {faults[0] && (
        <span id="filter-fault" className="filter-fault ellipsis" role="status">
          {faults[0].message}
        </span>
      )}
      <span className="filter-count" title="Rows let through, of those kept">
        {filtered.progress < 1 && `${Math.floor(filtered.progress * 100)} % · `}
        {text.trim() === '' ? count(rows) : `${count(filtered.length)} of ${count(rows)}`}
      </span>
    </search>
  )
}

/** Saved queries before what else a word may become; not within the value of a key. */
function withSaved(
  completion: Completion,
  text: string,
  cursor: number,
  queries: readonly SavedQuery[],
): Completion {
  if (/\S$/.test(text.slice(0, completion.from))) return completion
  const saved = matchingQueries(queries, text.slice(completion.from, cursor)).map((query) => ({
    insert: query.text,
    label: query.name,
    detail: `saved: ${query.text}`,
  }))
  return { ...completion, options: [...saved, ...completion.options] }
}

/** The text once more, unseen, with its faults marked. */
function underlined(text: string, faults: Query['faults']): ReactNode {
  const parts: ReactNode[] = []
  let at = 0
  for (const { from, to } of [...faults].sort((a, b) => a.from - b.from)) {
    if (from < at) continue
    parts.push(text.slice(at, from))
    parts.push(<u key={from}>{text.slice(from, Math.max(to, from + 1)) || ' '}</u>)
    at = Math.max(to, from + 1)
  }
  return [...parts, text.slice(at)]
}
