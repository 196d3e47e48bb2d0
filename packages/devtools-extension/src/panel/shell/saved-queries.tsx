/** A menu of the saved queries; the one in force is checked. */
import { type ReactNode, type RefObject, useState } from 'react'
import type { SettingsStore } from '../state/settings.ts'
import { useStore } from '../state/store.ts'
import { Icon } from '../ui/icon.tsx'
import { Menu, type MenuAt, type MenuItem } from '../ui/menu.tsx'

interface SavedQueriesProps {
  readonly settings: SettingsStore
  readonly button: RefObject<HTMLButtonElement | null>
  /** The filter. */
  readonly text: string
  onText(text: string): void
  /** Opens the dialog in which they are saved and deleted. */
  onManage(): void
}

export function SavedQueries(props: SavedQueriesProps): ReactNode {
  const { settings, button, text, onText, onManage } = props
  const { queries } = useStore(settings)
  const [at, setAt] = useState<MenuAt>()
  const current = text.trim()
  const hint =
    current === ''
      ? 'there is none'
      : queries.some((query) => query.text === current)
        ? 'it is saved'
        : undefined
  const items: MenuItem[] = [
    ...queries.map(
      (query): MenuItem => ({
        label: query.name,
        hint: query.text,
        checked: query.text === current,
        run: () => onText(query.text),
      }),
    ),
    ...(queries.length > 0 ? (['line'] as const) : []),
    {
      label: 'Save the filter …',
      icon: 'star',
      ...(hint !== undefined && { hint, disabled: true }),
      run: onManage,
    },
    { label: 'Manage saved queries …', run: onManage },
  ]
  return (
    <>
      <button
        ref={button}
        type="button"
        className="tool"
        aria-haspopup="menu"
        aria-expanded={at !== undefined}
        aria-label="Saved queries"
        title="Saved queries (s)"
        onClick={(event) => {
          const box = event.currentTarget.getBoundingClientRect()
          setAt({ x: box.right, y: box.bottom })
        }}
      >
        <Icon name="star" />
      </button>
      {at && <Menu label="Saved queries" at={at} items={items} onClose={() => setAt(undefined)} />}
    </>
  )
}
