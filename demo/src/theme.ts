/** Light or dark: as the system has it, until someone chooses. */
import { rememberedTheme, rememberTheme, THEME_KEY } from './settings.ts'
import { createStore } from './store.ts'

export type Theme = 'light' | 'dark'

const system = matchMedia('(prefers-color-scheme: dark)')

const isTheme = (theme: string | undefined): theme is Theme => theme === 'light' || theme === 'dark'

function current(): Theme {
  const chosen = rememberedTheme()
  if (isTheme(chosen)) return chosen
  return system.matches ? 'dark' : 'light'
}

export const theme = createStore<Theme>(current())

theme.subscribe(show)
show()
system.addEventListener('change', () => theme.set(current()))
// Another tab has chosen.
addEventListener('storage', ({ key }) => {
  if (key === THEME_KEY) theme.set(current())
})

function show(): void {
  document.documentElement.dataset['theme'] = theme.get()
}

export function chooseTheme(chosen: Theme): void {
  rememberTheme(chosen)
  theme.set(chosen)
}
