/** Elements of the log list are used for one row after the other: each shows the row of its place. */
import type { Page } from '@playwright/test'
import { expect, test } from './lib/panel.ts'

const grid = (page: Page) => page.getByRole('grid', { name: 'Events' })

/** Rows in the page, in the order of the document: where each says it stands, and what is in it. */
function inPage(page: Page) {
  return page.locator('.log-rows').evaluate((list) =>
    [...list.children].map((row) => {
      const { y } = new DOMMatrix(getComputedStyle(row).transform).transformPoint()
      return {
        index: Number((row as HTMLElement).dataset['index']),
        place: y / 22,
        text: row.querySelector('[data-column="type"], .note-cell')?.textContent,
        bad: row.classList.contains('bad'),
      }
    }),
  )
}

test('rows that are scrolled into the page are those of the list, and stand in its order', async ({
  openPanel,
}) => {
  const page = await openPanel()
  // The first row is a note: a peer is here. Each event after it is told apart by its type.
  await page.evaluate(() => {
    const tap = window.tap()
    for (let n = 1; n <= 2_000; n++) {
      tap.publish([{ type: `row.n${n}` }])
      if (n % 7 !== 0) continue
      const ids = [[tap.peer, n, 1]] as const
      const failed = {
        is: 'failed',
        sub: 1,
        ids,
        stage: 'dispatch',
        code: 'handler_failed',
      } as const
      tap.record({ at: performance.now(), ...failed, message: 'no' })
    }
    tap.flush()
  })
  await expect(page.locator('.filter-count')).toHaveText('2,001')
  const check = async (contains: number) => {
    await expect
      .poll(async () => {
        const rows = await inPage(page)
        const first = rows[0]?.index ?? 0
        return (
          rows.some(({ index }) => index === contains) &&
          rows.every(({ index }, nth) => index === first + nth)
        )
      })
      .toBe(true)
    for (const { index, place, text, bad } of await inPage(page)) {
      expect(place).toBe(index)
      expect(bad, String(index)).toBe(index > 0 && index % 7 === 0)
      if (index === 0) expect(text).toContain('is here')
      else expect(text).toMatch(new RegExp(`^row\\.n${index}(?!\\d)(pending)?(failed)?(pending)?$`))
    }
  }
  await check(2_000)
  await grid(page).hover()
  let top = await grid(page).evaluate((list) => list.scrollTop)
  for (const rows of [-3, -20, -9, 14, -200, 31, -2, 1, -1_500, 60, -4_000, 5, 700]) {
    await page.mouse.wheel(0, rows * 22)
    const most = await grid(page).evaluate((list) => list.scrollHeight - list.clientHeight)
    top = Math.max(0, Math.min(most, top + rows * 22))
    await expect
      .poll(() => grid(page).evaluate((list) => Math.round(list.scrollTop)))
      .toBe(Math.round(top))
    await check(Math.ceil(top / 22))
  }
})
