/** A menu at a point: arrows, Home, End and first letters move, Escape and a click beside it close. */
import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useEffectEvent,
  useLayoutEffect,
  useRef,
} from 'react'
import { Icon, type IconName } from './icon.tsx'
import './menu.css'

export type MenuItem =
  | {
      readonly label: string
      /** At the end of the line: a key, a size. */
      readonly hint?: string
      readonly icon?: IconName
      readonly checked?: boolean
      readonly disabled?: boolean
      run(): void
    }
  | 'line'

export interface MenuAt {
  readonly x: number
  readonly y: number
}

interface MenuProps {
  readonly label: string
  readonly at: MenuAt
  readonly items: readonly MenuItem[]
  onClose(): void
}

export function Menu({ label, at, items, onClose }: MenuProps): ReactNode {
  const list = useRef<HTMLDivElement>(null)
  const before = useRef<Element>(null)
  const close = useEffectEvent(onClose)

  useLayoutEffect(() => {
    const menu = list.current
    if (!menu) return
    before.current = document.activeElement
    const { width, height } = menu.getBoundingClientRect()
    menu.style.left = `${Math.max(4, Math.min(at.x, innerWidth - width - 4))}px`
    menu.style.top = `${Math.max(4, Math.min(at.y, innerHeight - height - 4))}px`
    enabled(menu)[0]?.focus()
  }, [at])

  useEffect(() => {
    const leave = (event: Event): void => {
      if (!list.current?.contains(event.target as Node)) close()
    }
    document.addEventListener('pointerdown', leave, true)
    document.addEventListener('wheel', leave, true)
    window.addEventListener('blur', leave)
    return () => {
      document.removeEventListener('pointerdown', leave, true)
      document.removeEventListener('wheel', leave, true)
      window.removeEventListener('blur', leave)
    }
  }, [])

  function giveBack(): void {
    onClose()
    if (before.current instanceof HTMLElement) before.current.focus()
  }

  function onKeyDown(event: KeyboardEvent<HTMLDivElement>): void {
    event.stopPropagation()
    const all = enabled(event.currentTarget)
    const index = all.indexOf(document.activeElement as HTMLElement)
    const move = (to: number): void => {
      event.preventDefault()
      all[(to + all.length) % all.length]?.focus()
    }
    if (event.key === 'ArrowDown') move(index + 1)
    else if (event.key === 'ArrowUp') move(index < 0 ? -1 : index - 1)
    else if (event.key === 'Home') move(0)
    else if (event.key === 'End') move(-1)
    else if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault()
      giveBack()
    } else if (/^\S$/.test(event.key) && !event.ctrlKey && !event.metaKey) {
      const letter = event.key.toLowerCase()
      const found = [...all.slice(index + 1), ...all].find((item) =>
        item.textContent.trim().toLowerCase().startsWith(letter),
      )
      found?.focus()
    }
  }

  return (
    <div
      ref={list}
      className="menu"
      role="menu"
      aria-label={label}
      tabIndex={-1}
      onKeyDown={onKeyDown}
      onContextMenu={(event) => event.preventDefault()}
    >
      {items.map((item, index) =>
        item === 'line' ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name
          <hr key={`line ${index}`} className="menu-line" />
        ) : (
          // biome-ignore lint/a11y/useAriaPropsSupportedByRole: a menuitemcheckbox has it
          <button
            key={item.label}
            type="button"
            className="menu-item"
            role={item.checked === undefined ? 'menuitem' : 'menuitemcheckbox'}
            aria-checked={item.checked}
            aria-disabled={item.disabled}
            tabIndex={-1}
            onClick={() => {
              if (item.disabled) return
              giveBack()
              item.run()
            }}
          >
            <span className="menu-icon">
              {item.checked ? <Icon name="check" /> : item.icon && <Icon name={item.icon} />}
            </span>
            <span className="grow ellipsis">{item.label}</span>
            {item.hint !== undefined && <span className="menu-hint">{item.hint}</span>}
          </button>
        ),
      )}
    </div>
  )
}

function enabled(menu: HTMLElement): HTMLElement[] {
  return [...menu.querySelectorAll<HTMLElement>('.menu-item:not([aria-disabled="true"])')]
}
