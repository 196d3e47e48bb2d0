/** One of a few: a row of buttons for views, tabs for the parts of a view. */
import { type ReactNode, useId } from 'react'
import { Tabs } from '../../ui/tabs.tsx'

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

/** Tabs, and the panel of the chosen one. */
export function TabbedParts<Value extends string>({
  label,
  prefix,
  options,
  value,
  onChange,
  children,
}: {
  label: string
  /** Of the ids of elements. */
  prefix: string
  options: readonly { readonly value: NoInfer<Value>; readonly label: string }[]
  value: Value
  onChange(value: NoInfer<Value>): void
  children: ReactNode
}) {
  return (
    <>
      <div className="view-bar part-tabs">
        <Tabs
          label={label}
          prefix={prefix}
          tabs={options.map((option) => ({ id: option.value, label: option.label }))}
          current={value}
          onShow={(id) => onChange(id as Value)}
        />
      </div>
      <div
        role="tabpanel"
        id={`${prefix}-panel`}
        aria-labelledby={`${prefix}-tab-${value}`}
        className="tab-panel"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and may have nothing in it to focus
        tabIndex={0}
      >
        {children}
      </div>
    </>
  )
}
