import { expect, test } from 'vitest'
import { DEFAULT_SETTINGS, openSettings, parseSettings, SETTINGS_KEY } from './settings.ts'

test.each([undefined, '', 'null', '[]', '"text"', '{"theme":{}}'])(
  'settings that are none are the default ones: %j',
  (text) => {
    expect(parseSettings(text)).toEqual(DEFAULT_SETTINGS)
  },
)

test('what was kept comes back', () => {
  const settings = {
    ...DEFAULT_SETTINGS,
    theme: 'dark' as const,
    hidden: ['size' as const],
    widths: { type: 300 },
    queries: [{ name: 'slow', text: 'dur:>50ms' }],
    detail: { open: false, width: 500, height: 100, tab: 'delivery' },
  }
  expect(parseSettings(JSON.stringify(settings))).toEqual(settings)
})

test('each damaged field has its default, the others stay', () => {
  const kept = {
    theme: 'purple',
    time: 'delta',
    hidden: ['size', 'type', 'nonsense', 7],
    widths: { type: -5, from: 90, __proto__: 4, other: 3 },
    detail: { open: 'yes', width: 1e9, height: 120 },
    relay: { url: 'x'.repeat(5000), room: 'r' },
    queries: [
      null,
      7,
      { name: 'no text' },
      { name: ' ', text: 'x' },
      { name: 'long', text: 'x'.repeat(5000) },
      { name: 'errors', text: 'error:', more: 1 },
      { name: 'errors', text: 'error: drop:' },
    ],
  }
  expect(parseSettings(JSON.stringify(kept))).toEqual({
    ...DEFAULT_SETTINGS,
    time: 'delta',
    hidden: ['size'],
    widths: { from: 90 },
    detail: { ...DEFAULT_SETTINGS.detail, height: 120 },
    relay: { url: '', room: 'r' },
    queries: [{ name: 'errors', text: 'error: drop:' }],
  })
})

test('a change is written, and a storage that fails is lived with', async () => {
  const texts = new Map<string, string>()
  const storage = {
    read: async (key: string) => texts.get(key),
    write: async (key: string, text: string) => void texts.set(key, text),
  }
  const settings = await openSettings(storage)
  settings.update((now) => ({ ...now, preserve: !now.preserve }))
  expect((await openSettings(storage)).get()).toEqual(settings.get())
  expect([...texts.keys()]).toEqual([SETTINGS_KEY])

  const denied = () => Promise.reject(new DOMException('denied', 'SecurityError'))
  const broken = await openSettings({ read: denied, write: denied })
  broken.update((now) => ({ ...now, theme: 'dark' }))
  expect(broken.get().theme).toBe('dark')
})
