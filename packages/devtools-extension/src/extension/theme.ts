import type { ThemeSource } from '../panel/env.ts'

/** Firefox has an event where Chromium has one handler. */
interface Panels {
  readonly themeName: string
  setThemeChangeHandler?(changed: () => void): void
  readonly onThemeChanged?: { addListener(changed: () => void): void }
}

/** The theme of DevTools, where this is a panel of theirs. */
export function devtoolsTheme(): ThemeSource | undefined {
  const panels = chrome.devtools?.panels as Panels | undefined
  if (!panels) return undefined
  const subscribers = new Set<() => void>()
  const changed = () => {
    for (const call of subscribers) call()
  }
  if (panels.setThemeChangeHandler) panels.setThemeChangeHandler(changed)
  else panels.onThemeChanged?.addListener(changed)
  return {
    get current() {
      return panels.themeName === 'dark' ? 'dark' : 'light'
    },
    subscribe(call) {
      subscribers.add(call)
      return () => subscribers.delete(call)
    },
  }
}
