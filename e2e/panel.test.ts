import type { Page } from '@playwright/test'
import { findings } from './lib/axe.ts'
import { expect, test } from './lib/panel.ts'

const rows = (page: Page) =>
  page.getByRole('grid', { name: 'Events' }).locator('.log-rows > .log-row')
const grid = (page: Page) => page.getByRole('grid', { name: 'Events' })
const selected = (page: Page) => page.locator('.log-row[data-active]')
const count = (page: Page) => page.locator('.filter-count')

test('of 100,000 rows at most 80 are in the page; selection and filter work', async ({
  openPanel,
}) => {
  // Of a hundred thousand rows on a machine that does other things as well.
  test.setTimeout(240_000)
  const page = await openPanel()
  await page.setViewportSize({ width: 1400, height: 1600 })
  await page.evaluate(() => window.tap().flood(100_500))
  await expect(page.getByText('100,000 of 100,000')).toBeVisible({ timeout: 180_000 })
  await expect(page.getByText(/forgotten/)).toBeVisible()
  const most = () => page.locator('[role="row"]').count()
  expect(await most()).toBeLessThanOrEqual(80)

  // It follows the newest row; from the top, another one is the first.
  await expect(rows(page).last()).toContainText('cart.item_')
  await grid(page).focus()
  await page.keyboard.press('g')
  await expect(selected(page)).toBeInViewport()
  expect(await most()).toBeLessThanOrEqual(80)

  await page.getByRole('combobox', { name: 'Filter' }).fill('type:order.placed')
  await expect(count(page)).toHaveText('10,000 of 100,000')
  await expect(rows(page).first()).toContainText('order.placed')
  // The third as it is seen: elements that are used again stand in that order only when the list rests.
  await page.locator('.log-row[aria-rowindex="4"]').click()
  await expect(page.getByRole('complementary', { name: 'Detail' })).toContainText('order.placed')
  await grid(page).focus()
  await page.keyboard.press('Shift+End')
  await expect(page.getByText('9,998 selected')).toBeVisible()
  expect(await most()).toBeLessThanOrEqual(80)
})

test('a walk through the log by keyboard alone', async ({ openPanel }) => {
  const page = await openPanel()
  await page.evaluate(() => {
    const tap = window.tap()
    const [placed] = tap.publish([{ type: 'order.placed', stream: 'order-7' }])
    tap.publish([
      { type: 'stock.reserved', causationId: placed as string, correlationId: placed as string },
      { type: 'cart.cleared' },
    ])
    tap.record({
      at: performance.now(),
      is: 'failed',
      sub: 1,
      ids: [[tap.peer, 3, 1]],
      stage: 'dispatch',
      code: 'handler_failed',
      message: 'no such cart',
    })
    tap.flush()
  })
  await expect(rows(page).filter({ hasText: 'cart.cleared' })).toContainText('failed')

  await page.keyboard.press('/')
  await expect(page.getByRole('combobox', { name: 'Filter' })).toBeFocused()
  await page.keyboard.type('-type:cart.*')
  await expect(rows(page).filter({ hasText: 'cart.cleared' })).toHaveCount(0)
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')
  await expect(grid(page)).toBeFocused()

  await page.keyboard.press('g')
  await page.keyboard.press('n')
  await expect(selected(page)).toContainText('cart.cleared')
  await page.keyboard.press('k')
  await expect(selected(page)).toContainText('stock.reserved')
  await page.keyboard.press('[')
  await expect(selected(page)).toContainText('order.placed')
  await page.keyboard.press(']')
  await expect(selected(page)).toContainText('stock.reserved')
  await page.keyboard.press('m')
  await expect(selected(page)).toContainText('marked')

  await page.keyboard.press('c')
  await expect(page.getByRole('menuitem', { name: 'Copy as JSON' })).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(grid(page)).toBeFocused()

  await page.keyboard.press('Enter')
  await expect(page.getByRole('tabpanel', { name: 'Payload' })).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('complementary', { name: 'Detail' })).toBeHidden()
  await expect(grid(page)).toBeFocused()
  await expect(selected(page)).toContainText('stock.reserved')

  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Keys and queries' })).toBeVisible()
  await page.keyboard.press('Escape')
  await page.keyboard.press('r')
  await expect(page.getByRole('button', { name: 'Record' })).toHaveAttribute(
    'aria-pressed',
    'false',
  )
  await page.keyboard.press('r')
  await page.keyboard.press('Control+k')
  await expect(rows(page)).toHaveCount(0)
})

/** The first row in view: those above it that are rendered as well are the list's own affair. */
const topRow = (page: Page) =>
  grid(page).evaluate((list) => {
    const { left, top } = list.getBoundingClientRect()
    return document.elementFromPoint(left + 40, top + 60)?.closest('[role=row]')?.textContent
  })

test('the tail stops where somebody reads, and counts what is new', async ({ openPanel }) => {
  const page = await openPanel()
  await page.evaluate(() => window.tap().flood(300))
  await expect(count(page)).toHaveText(/^30\d$/)
  await expect(rows(page).last()).toBeInViewport()
  await grid(page).hover()
  const end = await grid(page).evaluate((list) => list.scrollTop)
  await page.mouse.wheel(0, -2000)
  // A wheel scrolls smoothly: which rows are there is known once it has arrived.
  await expect.poll(() => grid(page).evaluate((list) => list.scrollTop)).toBe(end - 2000)
  await expect(page.getByRole('button', { name: 'Follow the newest row' })).toHaveAttribute(
    'aria-pressed',
    'false',
  )
  const first = await topRow(page)
  expect(first).toContain('cart.item_')
  await page.evaluate(() => window.taps['aaaaaaaaaaaa']?.flood(40))
  await expect(page.getByRole('button', { name: '40 new' })).toBeVisible()
  expect(await topRow(page)).toBe(first)
  await page.getByRole('button', { name: '40 new' }).click()
  await expect(page.getByRole('button', { name: /new$/ })).toBeHidden()
  await page.evaluate(() => window.taps['aaaaaaaaaaaa']?.publish([{ type: 'the.newest' }]))
  await expect(rows(page).last()).toContainText('the.newest')
})

test('a paused list stands still, capture goes on', async ({ openPanel }) => {
  const page = await openPanel()
  await page.evaluate(() => window.tap().publish([{ type: 'before.it' }]))
  await expect(rows(page).filter({ hasText: 'before.it' })).toBeVisible()
  await grid(page).focus()
  await page.keyboard.press('Space')
  await page.evaluate(() => window.taps['aaaaaaaaaaaa']?.publish([{ type: 'while.paused' }]))
  await expect(count(page)).toHaveText('3')
  await expect(rows(page).filter({ hasText: 'while.paused' })).toHaveCount(0)
  await page.keyboard.press('Space')
  await expect(rows(page).filter({ hasText: 'while.paused' })).toBeVisible()
})

test('the payload opens level by level, and says why where it cannot be had', async ({
  openPanel,
}) => {
  const page = await openPanel()
  await page.evaluate(() => {
    const tap = window.tap()
    tap.answers.payload = {
      type: 'object',
      preview: '{id: 7n, lines: Map(2)}',
      size: 3,
      bytes: 312,
      encoding: 'devalue',
      children: [
        ['id', { type: 'bigint', preview: '7n' }],
        ['lines', { type: 'map', preview: 'Map(2) {a: {…}, b: {…}}', size: 2 }],
        ['card', { type: 'redacted', preview: 'redacted' }],
      ],
    }
    tap.publish([{ type: 'order.placed' }])
  })
  await rows(page).filter({ hasText: 'order.placed' }).click()
  const tree = page.getByRole('tree', { name: 'Payload' })
  await expect(tree.getByRole('treeitem').filter({ hasText: 'id: 7n' })).toBeVisible()
  await expect(tree).toContainText('redacted where it was captured')
  await expect(page.getByText('312 B · devalue')).toBeVisible()

  await page.evaluate(() => {
    const tap = window.taps['aaaaaaaaaaaa']
    if (tap)
      tap.answers.payload = {
        type: 'map',
        preview: 'Map(2)',
        size: 2,
        children: [['a', { type: 'string', preview: '"coffee"' }]],
      }
  })
  await tree.focus()
  await page.keyboard.press('End')
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('ArrowRight')
  await expect(tree.getByRole('treeitem').filter({ hasText: 'a: "coffee"' })).toBeVisible()
  await expect(tree).toContainText('1 more')
  const asked = await page.evaluate(() => window.taps['aaaaaaaaaaaa']?.asked.at(-1))
  expect(asked).toMatchObject({ what: 'payload', path: ['lines'], depth: 1, from: 0 })

  await page.evaluate(() => {
    const tap = window.taps['aaaaaaaaaaaa']
    if (!tap) return
    tap.answers.payload = 'the log does not keep it any more'
    tap.publish([{ type: 'order.forgotten' }])
  })
  await rows(page).filter({ hasText: 'order.forgotten' }).click()
  await expect(page.getByText(/cannot be had: the log does not keep it any more/)).toBeVisible()
})

test('an event is copied as JSON, as code and as curl', async ({ openPanel, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  const page = await openPanel()
  await page.evaluate(() => {
    const tap = window.tap({ hello: { relay: { url: 'ws://127.0.0.1:8787', room: "o'room" } } })
    tap.answers.text = { text: '{"id":7,"note":"it\'s"}' }
    tap.publish([{ type: 'order.placed', stream: 'order-7' }])
  })
  await rows(page).filter({ hasText: 'order.placed' }).click()
  const copied = async (item: string) => {
    await grid(page).focus()
    await page.keyboard.press('c')
    await page.getByRole('menuitem', { name: item }).click()
    await expect(page.getByText(/^Copied/)).toBeVisible()
    return page.evaluate(() => navigator.clipboard.readText())
  }
  expect(JSON.parse(await copied('Copy as JSON'))).toMatchObject({
    type: 'order.placed',
    data: { id: 7, note: "it's" },
  })
  await expect
    .poll(() => copied('Copy as publish code'))
    .toBe("await bus.publish('order.placed', { id: 7, note: 'it\\'s' }, { stream: 'order-7' })\n")
  await expect.poll(() => copied('Copy as curl')).toContain("rooms/o'\\''room/events")
})

test('a filter that cannot be understood is underlined and explained', async ({ openPanel }) => {
  const page = await openPanel()
  await page.evaluate(() => window.tap().publish([{ type: 'order.placed' }]))
  const filter = page.getByRole('combobox', { name: 'Filter' })
  await filter.fill('type:order.* dur:>soon')
  await expect(filter).toHaveAttribute('aria-invalid', 'true')
  await expect(page.locator('.filter-mirror u')).toContainText('soon')
  await expect(page.locator('#filter-fault')).not.toBeEmpty()
  await expect(rows(page).filter({ hasText: 'order.placed' })).toBeVisible()

  await filter.fill('ty')
  const option = page.getByRole('option', { name: /^type:/ }).first()
  await expect(option).toBeVisible()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await expect(filter).toHaveValue('type:')
  await expect(page.getByRole('option', { name: /order\.placed/ })).toBeVisible()
})

test('a filter is saved under a name, picked by key, completed, edited and deleted', async ({
  openPanel,
}) => {
  const page = await openPanel()
  await page.evaluate(() => window.tap().publish([{ type: 'order.placed' }, { type: 'cart.b' }]))
  const filter = page.getByRole('combobox', { name: 'Filter' })
  const menu = page.getByRole('menu', { name: 'Saved queries' })
  const dialog = page.getByRole('dialog', { name: 'Saved queries' })
  await filter.fill('type:order.*')
  await filter.press('Escape')
  await filter.press('Enter')
  await expect(grid(page)).toBeFocused()

  await page.keyboard.press('s')
  await expect(menu.getByRole('menuitem', { name: 'Save the filter' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(dialog.getByLabel('Query')).toHaveValue('type:order.*')
  await dialog.getByLabel('Name').press('Enter')
  await expect(dialog.getByRole('status')).toHaveText('Not saved: it needs a name.')
  await dialog.getByLabel('Name').fill('only orders')
  await page.keyboard.press('Enter')
  await expect(dialog.getByRole('status')).toHaveText('Saved “only orders”.')
  await page.keyboard.press('Escape')
  await filter.fill('')
  await filter.press('Enter')

  await page.keyboard.press('s')
  await expect(menu.getByRole('menuitemcheckbox', { name: /^only orders/ })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(filter).toHaveValue('type:order.*')
  await expect(grid(page)).toBeFocused()
  await expect(rows(page).filter({ hasText: 'cart.b' })).toHaveCount(0)

  // By its name, between other terms; not as the value of a key.
  await filter.fill('')
  await filter.pressSequentially('-cart only')
  await expect(page.getByRole('option').first()).toContainText('only orders')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await expect(filter).toHaveValue('-cart type:order.*')
  await filter.fill('')
  await filter.pressSequentially('type:on')
  await expect(page.getByRole('option', { name: /only orders/ })).toHaveCount(0)

  await page.reload()
  await page.keyboard.press('/')
  await page.keyboard.press('ArrowDown')
  await expect(page.getByRole('option').first()).toContainText('saved: type:order.*')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Saved queries' }).click()
  await menu.getByRole('menuitem', { name: 'Manage saved queries' }).click()
  await dialog.getByRole('button', { name: 'Edit only orders' }).click()
  await dialog.getByLabel('Query').fill('type:order.placed')
  await dialog.getByRole('button', { name: 'Replace' }).click()
  await expect(dialog.getByRole('listitem')).toHaveText(/^only orderstype:order\.placed/)
  await dialog.getByRole('button', { name: 'Delete only orders' }).click()
  await expect(dialog.getByRole('listitem')).toHaveCount(0)
  await expect(dialog.getByLabel('Name')).toBeFocused()
})

test('a time range is set in the minimap by key and by dragging, and stands in the filter', async ({
  openPanel,
}) => {
  const page = await openPanel()
  await page.evaluate(() =>
    window.tap().publish(
      Array.from({ length: 50 }, (_, i) => ({ type: `tick.n${i}` })),
      { ms: 100 },
    ),
  )
  await expect(rows(page).filter({ hasText: 'tick.n49' })).toBeVisible()
  const filter = page.getByRole('combobox', { name: 'Filter' })
  const from = page.getByRole('slider', { name: 'From' })
  await from.focus()
  for (let i = 0; i < 5; i++) await page.keyboard.press('Shift+ArrowRight')
  await expect(filter).toHaveValue(/^after:\S+ before:\S+$/)
  await expect(rows(page).filter({ hasText: 'tick.n49' })).toBeVisible()
  await expect(rows(page).filter({ hasText: 'tick.n1' })).toHaveCount(0)
  await page.keyboard.press('Delete')
  await expect(filter).toHaveValue('')

  const box = await page.locator('.minimap').boundingBox()
  if (!box) throw new Error('there is no minimap')
  await page.mouse.move(box.x + 2, box.y + 5)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width / 4, box.y + 5)
  await page.mouse.up()
  await expect(rows(page).filter({ hasText: 'tick.n49' })).toHaveCount(0)
  await expect(filter).toHaveValue(/^after:/)
})

test('the beginning of the data is asked for where the list rests, and stays where it was redacted', async ({
  openPanel,
}) => {
  const page = await openPanel()
  await page.setViewportSize({ width: 1400, height: 800 })
  await page.evaluate(() => {
    const tap = window.tap()
    tap.answers.payload = { type: 'object', preview: '{sku: "A1", card: redacted}', size: 2 }
    tap.publish([{ type: 'order.placed' }])
  })
  await expect(rows(page).filter({ hasText: 'order.placed' })).toContainText('card: redacted')
  const asked = await page.evaluate(() => window.taps['aaaaaaaaaaaa']?.asked)
  expect(asked).toEqual([{ what: 'payload', event: 'aaaaaaaaaaaa-1', depth: 0 }])
})

test('several events are selected by mouse and by key, and copied', async ({
  openPanel,
  context,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  const page = await openPanel()
  await page.evaluate(() => window.tap().publish('abcdef'.split('').map((type) => ({ type }))))
  const row = (type: string) =>
    rows(page).filter({
      has: page.locator(`[data-column="type"]`, { hasText: new RegExp(`^${type}$`) }),
    })
  const chosen = () =>
    page.locator('.log-row[aria-selected="true"] [data-column="type"]').allTextContents()
  await row('b').click()
  await row('e').click({ modifiers: ['ControlOrMeta'] })
  expect(await chosen()).toEqual(['b', 'e'])
  await row('c').click()
  await row('e').click({ modifiers: ['Shift'] })
  expect(await chosen()).toEqual(['c', 'd', 'e'])
  await page.keyboard.press('Shift+ArrowDown')
  expect(await chosen()).toEqual(['c', 'd', 'e', 'f'])
  await page.evaluate(() => {
    const tap = window.taps['aaaaaaaaaaaa']
    if (tap) tap.answers.text = { text: '1' }
  })
  await page.keyboard.press('c')
  await page.getByRole('menuitem', { name: 'Copy 4 events as JSON' }).click()
  await expect(page.getByText('Copied 4 events')).toBeVisible()
  const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()))
  expect(copied).toMatchObject(['c', 'd', 'e', 'f'].map((type) => ({ type, data: 1 })))
  await page.keyboard.press('Control+a')
  expect(await chosen()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
})

test('a cell is filtered by and left out from its menu', async ({ openPanel }) => {
  const page = await openPanel()
  await page.evaluate(() => window.tap().publish([{ type: 'a.one' }, { type: 'b.two' }]))
  await rows(page)
    .filter({ hasText: 'a.one' })
    .locator('[data-column="type"]')
    .click({ button: 'right' })
  await page.getByRole('menuitem', { name: 'Exclude type:=a.one' }).click()
  await expect(page.getByRole('combobox', { name: 'Filter' })).toHaveValue('-type:=a.one')
  await expect(rows(page).filter({ hasText: 'a.one' })).toHaveCount(0)
  await expect(rows(page).filter({ hasText: 'b.two' })).toBeVisible()
})

test('settings are kept, and damaged ones are not believed', async ({ openPanel }) => {
  const page = await openPanel({ settings: { theme: 'neon', time: 'delta', hidden: 7 } })
  await expect(page.getByRole('columnheader', { name: 'Δ ms' })).toBeVisible()
  await page.getByRole('button', { name: 'Settings' }).click()
  await page.getByRole('combobox', { name: 'Theme' }).selectOption('dark')
  await page.getByRole('checkbox', { name: 'Size' }).uncheck()
  await page.keyboard.press('Escape')
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
  await expect(page.getByRole('columnheader', { name: 'Size' })).toHaveCount(0)
  const kept = await page.evaluate(() => JSON.parse(localStorage.getItem('crosstown:panel') ?? ''))
  expect(kept).toMatchObject({
    theme: 'dark',
    time: 'delta',
    hidden: ['latency', 'stream', 'state', 'size'],
  })
})

test('a peer of another version is named, with which side to upgrade', async ({ openPanel }) => {
  const page = await openPanel()
  await page.evaluate(() => window.tap({ version: 3, hello: { library: '9.0.0' } }))
  await expect(page.getByRole('alert')).toContainText(
    /bus 9\.0\.0, which is newer than this panel.*update the panel/,
  )
})

test('what strangers post on the channel breaks nothing', async ({ openPanel }) => {
  const page = await openPanel()
  await page.evaluate(() => {
    const tap = window.tap()
    for (const text of ['', '{', 'null', '[]', '{"inspect":2}', '{"inspect":2,"frame":"batch"}'])
      tap.say(text)
    tap.publish([{ type: '<img src=x onerror=alert(1)>' }, { type: 'fine.type' }])
  })
  await expect(rows(page).filter({ hasText: 'fine.type' })).toBeVisible()
})

for (const colorScheme of ['light', 'dark'] as const)
  for (const [name, width, height] of [
    ['wide', 1400, 800],
    ['narrow', 320, 600],
  ] as const)
    test(`axe finds nothing: ${name}, ${colorScheme}`, async ({ openPanel, page }) => {
      // It looks at a dozen states.
      test.setTimeout(240_000)
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height })
      await openPanel()
      const clean = async (state: string) => {
        expect(await findings(page), state).toEqual([])
      }
      await clean('empty')
      await page.evaluate(() => {
        const tap = window.tap()
        tap.answers.payload = {
          type: 'object',
          preview: '{}',
          size: 2,
          children: [
            ['text', { type: 'string', preview: '"coffee"' }],
            ['more', { type: 'array', preview: '[1, 2]', size: 2 }],
          ],
        }
        tap.publish([{ type: 'order.placed' }, { type: 'cart.cleared' }])
        tap.record(
          {
            at: performance.now(),
            is: 'failed',
            sub: 1,
            ids: [[tap.peer, 2, 1]],
            stage: 'dispatch',
            code: 'handler_failed',
            message: 'no such cart',
          },
          {
            at: performance.now(),
            is: 'gap',
            gap: { reason: 'trimmed', from: 'x' },
          },
        )
        tap.flush()
      })
      await rows(page).filter({ hasText: 'cart.cleared' }).click()
      await page.mouse.move(2, 2)
      for (const tab of ['Payload', 'Envelope', 'Delivery', 'Chain', 'Timeline']) {
        await page.getByRole('tablist', { name: 'Detail' }).getByRole('tab', { name: tab }).click()
        await clean(tab)
      }
      await page.getByRole('combobox', { name: 'Filter' }).fill('dur:>soon ty')
      await clean('a faulty filter')
      await page.getByRole('combobox', { name: 'Filter' }).fill('')
      for (const dialog of ['Settings', 'Help', 'Sources']) {
        await page.getByRole('button', { name: new RegExp(`^${dialog}`) }).click()
        await expect(page.getByRole('dialog')).toBeVisible()
        await clean(dialog)
        await page.keyboard.press('Escape')
      }
      await grid(page).focus()
      await page.keyboard.press('c')
      await clean('a menu')
      await page.keyboard.press('Escape')
      await page.keyboard.press('s')
      await clean('the menu of saved queries')
      await page.getByRole('menuitem', { name: 'Manage' }).click()
      const dialog = page.getByRole('dialog', { name: 'Saved queries' })
      await dialog.getByLabel('Query').fill('type:order.placed error: dur:>100ms from:"tab 1"')
      await dialog.getByLabel('Name').fill('orders that went wrong and took their time')
      await page.keyboard.press('Enter')
      await clean('saved queries')
    })
