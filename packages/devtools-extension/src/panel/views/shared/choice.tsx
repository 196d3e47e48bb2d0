/** One of a few: a row of buttons for views, tabs for the parts of a view. */
import { type KeyboardEvent, type ReactNode, useId, useRef } from 'react'

export interface Option<Value extends string> {
  readonly value: Value
  readonly label: ReactNode
  readonly title?: string
  readonly disabled?: boolean
}

/** Radio buttons in a row. */
export function Segmented<Value extends string>({
  label,
  options,
  value,
  onChange,
}: {
  label: string
  options: readonly Option<NoInfer<Value>>[]
  value: Value
  onChange(value: NoInfer<Value>): void
}) {
  const name = useId()
  return (
    <fieldset className="segmented">
      <legend className="unseen">{label}</legend>
      {options.map((option) => (
        <label key={option.value} title={option.title}>
          <input
            type="radio"
            name={name}
            checked={value === option.value}
            disabled={option.disabled}
            onChange={() => onChange(option.value)}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  )
}

const STEPS: { readonly [key: string]: number } = { ArrowRight: 1, ArrowLeft: -1 }

/** Tabs, and the panel of the chosen one. */
export function Tabs<Value extends string>({
  label,
  options,
  value,
  onChange,
  children,
}: {
  label: string
  options: readonly Option<NoInfer<Value>>[]
  value: Value
  onChange(value: NoInfer<Value>): void
  children: ReactNode
}) {
  const id = useId()
  const row = useRef<HTMLDivElement>(null)
  const move = (event: KeyboardEvent) => {
    const at = options.findIndex((option) => option.value === value)
    const step = STEPS[event.key]
    const to =
      step !== undefined
        ? (at + step + options.length) % options.length
        : { Home: 0, End: options.length - 1 }[event.key]
    const next = to === undefined ? undefined : options[to]
    if (!next) return
    event.preventDefault()
    onChange(next.value)
    row.current?.querySelector<HTMLElement>(`[data-tab="${next.value}"]`)?.focus()
  }
  return (
    <div className="tabs">
      <div role="tablist" aria-label={label} className="tab-row" ref={row} onKeyDown={move}>
        {options.map((option) => (
          <button
            key={option.value}
            type="button"
            role="tab"
            id={`${id}-${option.value}`}
            data-tab={option.value}
            aria-selected={value === option.value}
            aria-controls={`${id}-panel`}
            tabIndex={value === option.value ? 0 : -1}
            title={option.title}
            onClick={() => onChange(option.value)}
          >
            {option.label}
          </button>
        ))}
      </div>
      <div
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${value}`}
        className="tab-panel"
      >
        {children}
      </div>
    </div>
  )
}
