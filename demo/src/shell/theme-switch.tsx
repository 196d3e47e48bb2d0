import { MoonIcon, SunIcon } from '../icons.tsx'
import { useStore } from '../store.ts'
import { chooseTheme, theme } from '../theme.ts'

export function ThemeSwitch() {
  const dark = useStore(theme) === 'dark'
  return (
    <button
      type="button"
      className="tool"
      role="switch"
      aria-checked={dark}
      aria-label="Dark"
      title={dark ? 'Switch to light' : 'Switch to dark'}
      onClick={() => chooseTheme(dark ? 'light' : 'dark')}
      data-testid="theme"
    >
      {dark ? <SunIcon /> : <MoonIcon />}
    </button>
  )
}
