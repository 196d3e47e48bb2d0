import { useInsertionEffect, useSyncExternalStore } from 'react'
import type { ThemeSource } from '../env.ts'
import type { Theme } from './settings.ts'

const SYSTEM = '(prefers-color-scheme: dark)'

/** The theme in force, told to the page: what was set, else that of DevTools, else the system's. */
export function useTheme(set: Theme, devtools: ThemeSource | undefined): 'light' | 'dark' {
  const system = useSyncExternalStore(
    (changed) => {
      const query = matchMedia(SYSTEM)
      query.addEventListener('change', changed)
      const end = devtools?.subscribe(changed)
      return () => {
        query.removeEventListener('change', changed)
        end?.()
      }
    },
    () => devtools?.current ?? (matchMedia(SYSTEM).matches ? 'dark' : 'light'),
  )
  const theme = set === 'auto' ? system : set
  // Before anything of the panel is measured or drawn with its colours.
  useInsertionEffect(() => {
    document.documentElement.dataset['theme'] = theme
  }, [theme])
  return theme
}
