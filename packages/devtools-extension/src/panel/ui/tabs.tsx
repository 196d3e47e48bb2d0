/** A list of tabs: arrows move, and what is focused is shown. */
import type { KeyboardEvent, ReactNode } from 'react'
import './tabs.css'

export interface Tab {
  readonly id: string
  readonly label: string
  /** After the label: how many there are. */
  readonly count?: number
  readonly title?: string
}

interface TabsProps {
  readonly label: string
  readonly tabs: readonly Tab[]
  readonly current: string
  /** Of the elements: `view` makes `view-tab-log` and `view-panel`. */
  readonly prefix: string
  onShow(id: string): void
}

const STEPS: Readonly<Record<string, (index: number, last: number) => number>> = {
  ArrowRight: (index, last) => (index === last ? 0 : index + 1),
  ArrowLeft: (index, last) => (index === 0 ? last : index - 1),
  Home: () => 0,
  End: (_, last) => last,
}

export function Tabs({ label, tabs, current, prefix, onShow }: TabsProps): ReactNode {
  function onKeyDown(event: KeyboardEvent<HTMLElement>): void {
    const step = STEPS[event.key]
    const index = tabs.findIndex(({ id }) => id === current)
    const next = step && tabs[step(index, tabs.length - 1)]
    if (!next) return
    event.preventDefault()
    onShow(next.id)
    document.getElementById(`${prefix}-tab-${next.id}`)?.focus()
  }

  return (
    <div role="tablist" className="tabs" aria-label={label} onKeyDown={onKeyDown}>
      {tabs.map((tab) => (
        <button
          key={tab.id}
          id={`${prefix}-tab-${tab.id}`}
          type="button"
          role="tab"
          className="tab"
          title={tab.title}
          aria-selected={tab.id === current}
          aria-controls={tab.id === current ? `${prefix}-panel` : undefined}
          tabIndex={tab.id === current ? 0 : -1}
          onClick={() => onShow(tab.id)}
        >
          {tab.label}
          {tab.count !== undefined && tab.count > 0 && (
            <span className="tab-count">{tab.count}</span>
          )}
        </button>
      ))}
    </div>
  )
}
