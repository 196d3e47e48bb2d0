import { expect, test } from 'vitest'
import { platformUses } from './lib/platform-rule.mjs'

const uses = (source: string) => platformUses('file.ts', source).map(({ what }) => what)

test.each([
  ['Date.now()', 'Date.now'],
  ['const now = Date.now', 'Date.now'],
  ['globalThis.Date.now()', 'Date.now'],
  ["Date['now']()", 'Date.now'],
  ['const { now } = Date', 'Date.now'],
  ['new Date()', 'new Date()'],
  ['new Date', 'new Date()'],
  ['performance.now()', 'performance'],
  ['performance.timeOrigin + 1', 'performance'],
  ['Math.random()', 'Math.random'],
  ['crypto.randomUUID()', 'crypto'],
  ['const { subtle } = crypto', 'crypto'],
  ['self.crypto.getRandomValues(bytes)', 'crypto'],
  ['(globalThis as Anything).crypto', 'crypto'],
  ['setTimeout(work, 5)', 'setTimeout'],
  ['later(setTimeout)', 'setTimeout'],
  ['const clock = { setTimeout }', 'setTimeout'],
  ['window.setInterval(work, 5)', 'setInterval'],
  ['const { clearInterval } = globalThis', 'clearInterval'],
  ['function stop() { clearTimeout(timer as unknown as number) }', 'clearTimeout'],
])('%s is caught', (source, what) => {
  expect(uses(source)).toContain(what)
})

test.each([
  'platform.now()',
  'platform.setTimeout(work, 5)',
  'platform.crypto',
  'queueMicrotask(work)',
  'new Date(time)',
  'Date.parse(text)',
  'Math.max(1, 2)',
  'type Timer = ReturnType<typeof setTimeout>',
  'interface Platform { setTimeout(work: () => void): void; crypto: Crypto }',
  'const wired = { setTimeout: platform.later }',
  'class Fake { setTimeout() {} }',
  'function at({ setTimeout }: Platform) { setTimeout(work, 5) }',
  'const crypto = keys(); crypto.sign()',
  "// Date.now()\nconst text = 'Date.now()'",
])('%s is fine', (source) => {
  expect(uses(source)).toEqual([])
})

test('a use is shown with its line', () => {
  expect(platformUses('file.ts', 'const a = 1\n\nconst b = Date.now()\n')).toEqual([
    { line: 3, what: 'Date.now' },
  ])
})
