import { once } from 'node:events'
import { expect, start, test } from './fixtures.ts'

// Both keep the demo's data in one place.
test.describe.configure({ mode: 'default' })

test('npm start serves the demo, prints its address, and ends all it started', async ({ page }) => {
  const { child, match } = await start(
    process.execPath,
    ['scripts/start.mjs'],
    /Crosstown demo:\s+(http:\S+)/,
  )
  const url = new URL(match[1] as string)
  url.searchParams.set('room', `start-${Date.now()}`)
  await page.goto(url.href)
  await expect(page.getByTestId('status-relay')).toHaveAttribute('data-state', 'online')
  await page.getByTestId('add-tea').click()
  await expect(page.getByTestId('cart-count')).toHaveAttribute('data-count', '1')
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
  await expect(fetch(url.origin)).rejects.toThrow()
})

test('npm run devtools opens the demo with DevTools at the panel, and ends all it started', async () => {
  test.setTimeout(120_000)
  const { child } = await start(
    process.execPath,
    ['scripts/devtools.mjs', '--headless'],
    /DevTools are open at the panel/,
  )
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
})
