/** One stop for Tab in a list of many buttons; arrows, Home and End move within. */
import { type FocusEvent, type KeyboardEvent, useState } from 'react'

interface Roving {
  /** The `data-roving` of the button that has or had the focus. */
  readonly current: string | undefined
  readonly list: {
    readonly onKeyDown: (event: KeyboardEvent<HTMLElement>) => void
    readonly onFocus: (event: FocusEvent<HTMLElement>) => void
  }
}

const MOVES: Readonly<Record<string, (index: number, last: number) => number>> = {
  ArrowDown: (index, last) => Math.min(index + 1, last),
  ArrowUp: (index) => Math.max(index - 1, 0),
  Home: () => 0,
  End: (_index, last) => last,
}

export function useRoving(): Roving {
  const [current, setCurrent] = useState<string>()

  function onKeyDown(event: KeyboardEvent<HTMLElement>): void {
    const move = MOVES[event.key]
    const focused = event.target as HTMLElement
    if (!move || focused.dataset['roving'] === undefined) return
    event.preventDefault()
    const all = [...event.currentTarget.querySelectorAll<HTMLElement>('[data-roving]')]
    all[move(all.indexOf(focused), all.length - 1)]?.focus()
  }

  function onFocus({ target }: FocusEvent<HTMLElement>): void {
    const { roving } = target.dataset
    if (roving !== undefined) setCurrent(roving)
  }

  return { current, list: { onKeyDown, onFocus } }
}
