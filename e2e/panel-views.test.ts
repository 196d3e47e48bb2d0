import type { Page } from '@playwright/test'
import { findings } from './lib/axe.ts'
import { asked, expect, select, show, test } from './lib/story.ts'

test.describe('sequence', () => {
  test('draws a conversation across tabs, relay and service; an arrow selects its event', async ({
    openStory,
  }) => {
    const page = await openStory()
    await select(page, 'order.placed')
    await show(page, 'Sequence')
    const diagram = page.getByRole('listbox', { name: /^Sequence diagram/ })
    for (const lane of ['tab 1', 'tab 2', 'orders · node', 'relay'])
      await expect(page.locator('.sequence-lane').filter({ hasText: lane })).toBeVisible()
    const hop = diagram.getByRole('option', {
      name: /^order.placed: tab 1.* to relay over the relay/,
    })
    await expect(hop).toHaveAccessibleName(/took 16\.8 ms/)
    const last = diagram.getByRole('option', { name: /^order.confirmed: relay to tab 3/ })
    await expect(last).toHaveAttribute('aria-selected', 'false')
    await last.locator('text').click()
    await expect(last).toHaveAttribute('aria-selected', 'true')
    await expect(page.getByRole('complementary', { name: 'Detail' })).toContainText(
      'order.confirmed',
    )
    // The diagram is still that of the whole conversation.
    await expect(hop).toBeVisible()
  })

  test('by keyboard, and as a table that says the same', async ({ openStory }) => {
    const page = await openStory()
    await select(page, 'order.placed')
    await page.keyboard.press('2')
    const diagram = page.getByRole('listbox', { name: /^Sequence diagram/ })
    await expect(diagram).toBeFocused()
    await page.keyboard.press('End')
    await page.keyboard.press('Enter')
    await expect(diagram.locator('.arrow.active')).toHaveAttribute('aria-selected', 'true')
    await expect(diagram.locator('.arrow.active')).toBeInViewport()
    const zoom = page.getByRole('button', { name: /^Zoom \d/ })
    await expect(zoom).toHaveText('100 %')
    await page.keyboard.press('+')
    await expect(zoom).toHaveText('140 %')
    await page.keyboard.press('0')
    await expect(zoom).toHaveText('100 %')

    await page.getByRole('radio', { name: 'Table' }).check()
    const table = page.getByRole('grid', { name: 'Messages and handlers' })
    await expect(table.getByRole('row').filter({ hasText: 'order.placed' }).first()).toContainText(
      'arrived',
    )
    await expect(table.getByRole('row').filter({ hasText: '✕ failed' })).toHaveCount(1)
    // One that no other context had: its handler stood there with an id for a type.
    await expect(table.getByRole('row').filter({ hasText: 'payment.taken' })).toHaveCount(1)
  })

  test('of a long conversation only what is seen is in the page', async ({ openStory }) => {
    const page = await openStory({ purchases: 150 })
    await show(page, 'Sequence')
    await page.getByRole('button', { name: 'Draw all that the log shows' }).click()
    const diagram = page.getByRole('listbox', { name: /^Sequence diagram/ })
    await expect(diagram).toHaveAccessibleName(/2,\d{3} messages/)
    expect(await diagram.getByRole('option').count()).toBeLessThan(150)
    await diagram.focus()
    await page.keyboard.press('End')
    await expect(diagram.locator('.arrow.active')).toBeInViewport()
    expect(await diagram.getByRole('option').count()).toBeLessThan(150)
  })
})

test('causes and effects: a tree with the way to the last event, walked by keyboard', async ({
  openStory,
}) => {
  const page = await openStory()
  await select(page, 'payment.taken')
  await page.keyboard.press('3')
  const tree = page.getByRole('tree', { name: 'Events by their causes' })
  const item = (type: string) => tree.getByRole('treeitem', { name: new RegExp(`^\\W*${type}`) })
  await expect(item('cart.item_added')).toHaveAttribute('aria-level', '1')
  await expect(item('order.placed')).toHaveAttribute('aria-level', '2')
  await expect(item('payment.taken')).toHaveAttribute('aria-level', '3')
  await expect(item('payment.taken')).toContainText('on the way to the last event')
  await expect(item('order.placed')).toContainText('+40.0 ms')

  await expect(tree).toBeFocused()
  await page.keyboard.press('Home')
  await page.keyboard.press('ArrowLeft')
  await expect(item('cart.item_added')).toHaveAttribute('aria-expanded', 'false')
  await expect(tree.getByRole('treeitem')).toHaveCount(1)
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await expect(item('order.placed')).toHaveAttribute('aria-selected', 'true')
  await expect(page.getByRole('complementary', { name: 'Detail' })).toContainText('order.placed')
})

test.describe('peers', () => {
  test('says who is there, who leads, how they are linked, and what they listen to', async ({
    openStory,
  }) => {
    const page = await openStory()
    await show(page, 'Peers')
    const table = page.getByRole('table', { name: 'Peers by device' })
    const row = (name: string) => table.getByRole('row').filter({ hasText: name })
    await expect(row('tab 1')).toContainText('leads')
    await expect(row('tab 1')).toContainText('online, 34.0 ms')
    await expect(row('tab 2')).toContainText('through its leader')
    await expect(page.getByRole('img', { name: /^Topology: 3 devices, 1 relay/ })).toBeVisible()

    await table.getByRole('button', { name: /^tab 2/ }).click()
    const detail = page.getByRole('region', { name: /^tab 2/ })
    await expect(detail.getByRole('row').filter({ hasText: 'order.*' })).toContainText(
      'orders.ts:31:5',
    )
    await expect(detail.getByRole('row').filter({ hasText: 'cart.itemAdded' })).toContainText(
      'never',
    )
    await detail.getByRole('button', { name: 'Show its events in the log' }).click()
    await expect(page.getByRole('combobox', { name: 'Filter' })).toHaveValue(/peer:/)
  })

  test('says in words what version a context speaks that cannot be spoken with', async ({
    openStory,
  }) => {
    const page = await openStory()
    await page.evaluate(() => window.tap({ peer: 'oooooooooooo', version: 99 }))
    await show(page, 'Peers')
    await page
      .getByRole('button', { name: /^tab/ })
      .filter({ hasText: /oooo|Shop/ })
      .last()
      .click()
    await expect(page.locator('.peers')).toContainText('other version')
  })

  test('explains why nothing happened, for a type and for a subscription', async ({
    openStory,
  }) => {
    const page = await openStory()
    await show(page, 'Peers')
    await page.getByLabel('Event type').fill('cart.itemAdded')
    await page.keyboard.press('Enter')
    const answer = page.locator('.answer')
    await expect(answer).toContainText('cart.itemAdded')
    // What was meant is one click away.
    await answer.getByRole('button', { name: 'cart.item_added' }).first().click()
    await expect(page.getByLabel('Event type')).toHaveValue('cart.item_added')
    await expect(page.locator('.answer-headline')).toContainText('cart.item_added')

    await page
      .getByRole('combobox', { name: 'or a subscription' })
      .selectOption({ label: '3: cart.itemAdded (handler)' })
    await expect(page.locator('.answer-headline')).toContainText('legacy.ts:19:3')
    await expect(page.locator('.answer-headline')).toContainText('was never called')
    await expect(page.getByLabel('Event type')).toHaveValue('')
  })
})

test.describe('store', () => {
  test('shows what a device keeps, and its log page by page', async ({ openStory }) => {
    const page = await openStory({ purchases: 60 })
    await show(page, 'Store')
    await expect(page.getByText('2 events, 402 B')).toBeVisible()
    await expect(page.getByText('the relay does not keep it any more')).toBeVisible()
    await expect(page.getByRole('meter', { name: 'Site quota' })).toHaveAttribute(
      'aria-valuetext',
      /41 MB of 2\.0 GB/,
    )

    await page.getByRole('tab', { name: 'Log' }).last().click()
    const table = page.getByRole('grid', { name: 'Log' })
    await expect(page.getByText('200 events read')).toBeVisible()
    expect(await table.getByRole('row').count()).toBeLessThan(80)
    await table.focus()
    await page.keyboard.press('End')
    await expect(page.getByText(/events read, to the end/)).toBeVisible()
    expect((await asked(page, 'log')).length).toBeGreaterThan(1)
  })

  test('replays a range after saying what that does, and says what it did', async ({
    openStory,
  }) => {
    const page = await openStory()
    await show(page, 'Store')
    await page.getByRole('tab', { name: 'Replay' }).click()
    await page.getByLabel('Only types that match').fill('cart..x')
    await expect(page.getByText('“cart..x” is not a pattern')).toBeVisible()
    await expect(page.getByRole('button', { name: 'Replay…' })).toBeDisabled()
    await page.getByLabel('Only types that match').fill('cart.*')
    await expect(page.getByText(/Gives 1 event that match cart\.\* of offsets/)).toBeVisible()
    await page.getByRole('button', { name: 'Replay…' }).click()
    expect(await asked(page, 'replay')).toEqual([])
    await expect(page.getByRole('button', { name: 'Replay now' })).toBeFocused()
    await page.keyboard.press('Enter')
    await expect(page.getByText(/Replayed: 5 events, 10 handler calls/)).toBeVisible()
    expect(await asked(page, 'replay')).toMatchObject([
      { from: 4096, to: 20480, patterns: ['cart.*'] },
    ])
  })

  test('shows projections as they were, what differs now, and the application the same', async ({
    openStory,
  }) => {
    const page = await openStory({ purchases: 4 })
    await show(page, 'Store')
    await page.getByRole('tab', { name: 'Time travel' }).click()
    const slider = page.getByRole('slider', { name: 'Moment' })
    await expect(slider).toHaveAttribute('aria-valuetext', /^cart\.item_added/)
    await slider.focus()
    await page.keyboard.press('Home')
    await expect(page.getByRole('tree', { name: 'State then' })).toContainText('total: 1999')
    await expect(page.locator('.changes')).toContainText('items[1]')
    await expect(page.locator('.changes')).toContainText('total')

    await page.getByRole('button', { name: 'Show the application this state' }).click()
    const banner = page.getByRole('alert').filter({ hasText: 'shows an old state' })
    await expect(banner).toBeVisible()
    await show(page, 'Log')
    await expect(banner).toBeVisible()
    await banner.getByRole('button', { name: 'Back to now' }).click()
    await expect(banner).toBeHidden()
    expect(await asked(page, 'travel')).toEqual([{ what: 'travel', at: 4096 }, { what: 'travel' }])
  })

  test('says it where a context does not answer', async ({ openStory }) => {
    const page = await openStory({ cast: ['tabAaaaaaaa'] })
    await page.evaluate(() => {
      ;(window.story as unknown as { send(text: string): void }).send = () => {}
    })
    await show(page, 'Store')
    await expect(page.getByText('Asking tab 1')).toBeVisible()
    await expect(page.getByRole('alert')).toContainText(/did not answer|does not answer/)
  })
})

test.describe('publish', () => {
  test('publishes through a context, by keyboard, and says what became of it', async ({
    openStory,
  }) => {
    const page = await openStory()
    await show(page, 'Publish')
    const type = page.getByRole('combobox', { name: 'Type' })
    await type.fill('cart.item_added')
    await expect(page.getByText('3 subscriptions would hear it')).toBeVisible()
    const data = page.getByRole('textbox', { name: 'Data' })
    await data.fill("{ sku: 'A1', at: new Date(0 }")
    await expect(
      page.getByText('Line 1, column 29: Expected , or ) here, but found "}".'),
    ).toBeVisible()
    await page.keyboard.press('Control+Enter')
    expect(await asked(page, 'publish')).toEqual([])
    await data.fill("{ sku: 'A1', at: new Date(0) }")
    await page.keyboard.press('Control+Enter')
    await expect(page.getByText('Published cart.item_added through tab 1')).toBeVisible()
    expect(await asked(page, 'publish')).toMatchObject([
      { type: 'cart.item_added', encoding: 'devalue' },
    ])
    await expect(page.getByRole('region', { name: 'Published from here' })).toContainText(
      'in the log',
    )
  })

  test('an event is edited and published again as a copy; what is redacted is said', async ({
    openStory,
  }) => {
    const page = await openStory()
    await select(page, 'order.placed')
    await page.keyboard.press('p')
    await expect(page.getByRole('combobox', { name: 'Type' })).toHaveValue('order.placed')
    await expect(page.getByText('1 value of it are redacted at the source')).toBeVisible()
    const data = page.getByRole('textbox', { name: 'Data' })
    await expect(data).toHaveValue(/new Date\('2026-07-28T12:00:00\.000Z'\)/)
    await expect(data).toHaveValue(/1999n/)
    await expect(page.getByLabel('Stream')).toHaveValue('order-42')
    await data.fill('{ sku: "A2" }')
    await page.getByRole('button', { name: 'Publish', exact: true }).click()
    await expect(page.getByText('Published order.placed')).toBeVisible()
    expect(await asked(page, 'publish')).toMatchObject([{ data: '{"sku":"A2"}' }])
  })
})

test.describe('session files', () => {
  const dialog = (page: Page) => page.getByRole('dialog', { name: 'Session' })
  const open = async (page: Page) => {
    await page.getByRole('button', { name: /^Session: export/ }).click()
    await expect(dialog(page)).toBeVisible()
  }

  test('what is exported opens again without the application, marks and data included', async ({
    openStory,
    openPanel,
  }) => {
    const page = await openStory()
    await expect(page.getByRole('grid', { name: 'Events' })).toContainText('order.confirmed')
    await open(page)
    await page.getByLabel('Text of the mark').fill('before the second click')
    await page.keyboard.press('Enter')
    await expect(dialog(page).getByRole('listitem')).toContainText('before the second click')
    await page.getByLabel('With the data of events').check()
    const downloading = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export', exact: true }).click()
    const file = await (await downloading).path()
    await expect(dialog(page).getByRole('status')).toContainText('rows in crosstown-')

    await openPanel({ query: 'x' })
    await expect(page.getByRole('grid', { name: 'Events' })).not.toContainText('order.confirmed')
    await open(page)
    await page.getByLabel('Session file').setInputFiles(file)
    await expect(dialog(page)).toBeHidden()
    await select(page, 'order.placed')
    await expect(page.getByRole('grid', { name: 'Events' })).toContainText(
      'before the second click',
    )
    await expect(page.getByRole('complementary', { name: 'Detail' })).toContainText('sku')
    await show(page, 'Causes')
    await expect(page.getByRole('tree', { name: 'Events by their causes' })).toContainText(
      'order.confirmed',
    )
  })

  test('a damaged file that is dropped is refused with its line, in words', async ({
    openStory,
  }) => {
    const page = await openStory()
    await page.evaluate(() => {
      const head = JSON.stringify({ crosstown: 'session', version: 1, at: 0, label: 'x' })
      const file = new File([`${head}\n\n{ "frame": "hello"`], 'damaged.ndjson')
      const dataTransfer = new DataTransfer()
      dataTransfer.items.add(file)
      const drag = (type: string) =>
        document.body.dispatchEvent(
          new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }),
        )
      drag('dragenter')
      drag('dragover')
      drag('drop')
    })
    const alert = page.getByRole('alert').filter({ hasText: 'damaged.ndjson' })
    await expect(alert).toContainText('was not opened, and nothing of it is shown. Line 3:')
    await alert.getByRole('button', { name: 'Dismiss' }).click()
    await expect(alert).toBeHidden()
  })
})

test('an event is compared with a marked one: envelope and data', async ({ openStory }) => {
  const page = await openStory()
  await select(page, 'order.placed')
  const grid = page.getByRole('grid', { name: 'Events' })
  await grid.focus()
  await page.keyboard.press('d')
  const dialog = page.getByRole('dialog', { name: 'Compare' })
  await expect(dialog).toContainText('No event is marked')
  await page.keyboard.press('Escape')
  await page.keyboard.press('m')
  await select(page, 'order.confirmed')
  await grid.focus()
  await page.keyboard.press('d')
  await expect(dialog.getByRole('row').filter({ hasText: 'type' })).toContainText(
    'order.placedorder.confirmed',
  )
  await expect(dialog.getByRole('row').filter({ hasText: 'failures' })).toContainText('01')
  await expect(dialog).toContainText('The same: scope')
  await expect(dialog.locator('.changes')).toContainText('qty 2 → 3')
})

test('what happened before a service was captured is not known: neither pending nor missed', async ({
  openPanel,
}) => {
  const page = await openPanel()
  await page.evaluate(() => {
    const relay = { url: 'ws://127.0.0.1:8787', room: 'shop' }
    const at = performance.now() - 5_000
    const ids = [['bbbbbbbbbbbb', 1, 1]] as const
    const [id, source] = ['bbbbbbbbbbbb-1', 'orders']
    const event = { id, type: 'order.validated', source, time: Date.now(), bytes: 100 }
    // The ring of the shop goes back further than the panel is open.
    const shop = window.tap({ hello: { relay } })
    shop.record(
      { at, is: 'received', via: 'relay', origin: 'room', ids, events: [event] },
      { at: at + 0.1, is: 'matched', ids, subs: [] },
    )
    shop.flush()
    window.tap({
      peer: 'bbbbbbbbbbbb',
      hello: {
        ...{ kind: 'node', source, log: 'log-2', device: 'device-2', relay },
        subscriptions: [
          { sub: 1, patterns: ['**'], kind: 'handler', at: at - 1_000, calls: 1, failures: 0 },
        ],
      },
    })
  })
  await select(page, 'order.validated')
  const row = page.locator('.log-row').filter({ hasText: 'order.validated' })
  await expect(row.locator('[data-column="delivered"]')).toHaveText('?')
  await expect(row).not.toContainText('pending')
  const detail = page.getByRole('complementary', { name: 'Detail' })
  await expect(detail).toContainText('relayed')
  await detail.getByRole('tab', { name: /^Delivery/ }).click()
  await expect(detail).toContainText(
    'Whether order.validated came to orders · node is not known: nobody captured what happened there then.',
  )
  await expect(detail).not.toContainText('missing')
  await show(page, 'Sequence')
  await expect(
    page.getByRole('option', { name: /^order\.validated: orders · node to tab 1/ }),
  ).toHaveAccessibleName(/when it was sent is not known$/)
})

test('a link is broken for a while: said above every view, mended at once', async ({
  openStory,
}) => {
  const page = await openStory()
  await show(page, 'Peers')
  await page.getByRole('button', { name: 'tab 1 · Cart', exact: true }).click()
  await page.getByText('Break a link of it for a while').click()
  await page.getByLabel('What happens').selectOption('loses')
  await page.getByLabel('Of 100, so many').fill('50')
  await page
    .getByRole('region', { name: 'tab 1 · Cart' })
    .getByLabel('Only types that match')
    .fill('cart.*')
  await page.getByRole('button', { name: 'Break it' }).click()
  const banner = page.getByRole('region', { name: 'Faults in force' })
  await expect(banner).toContainText(
    'tab 1 · Cart loses 50 % of what has events of cart.* between it and the relay',
  )
  await expect(banner).toContainText(/Ends in \d+ s/)
  await show(page, 'Log')
  await banner.getByRole('button', { name: 'Mend it now' }).click()
  await expect(banner).toBeHidden()
  expect((await asked(page, 'fault')).filter((ask) => 'set' in ask)).toMatchObject([
    { set: { link: 'relay', do: 'drop', share: 0.5, patterns: ['cart.*'], forMs: 30_000 } },
    { set: null },
  ])
})

const VIEWS = ['Sequence', 'Causes', 'Peers', 'Consumers', 'Store', 'Publish']

test.describe('consumers', () => {
  test('how far each is, who shares a group, and what state a breaker is in', async ({
    openStory,
  }) => {
    const page = await openStory()
    await show(page, 'Consumers')
    const row = (table: string, name: RegExp) =>
      page.getByRole('table', { name: table }).getByRole('row', { name })
    await expect(row('Durable consumers', /^invoices/)).toContainText('orders · node')
    await expect(row('Durable consumers', /^analytics/)).toContainText('needs an upgrade')
    // Three contexts of the browser tell of it.
    await expect(row('Durable consumers', /^search-index/)).toHaveCount(1)
    await expect(row('Durable consumers', /^search-index/)).toContainText('tab 1')
    await expect(row('Groups', /^mailers/)).toContainText('orders · node 3 leased')
    await expect(row('Groups', /^thumbnails/)).toContainText('nobody takes part')
    await expect(row('Handlers with options', /^payment/)).toContainText('2 of 2')
    await expect(row('Handlers with options', /^payment/)).toContainText('open')
  })

  test('dead letters are redriven and discarded by keyboard', async ({ openStory }) => {
    const page = await openStory()
    await page.keyboard.press('5')
    const letters = page.getByRole('table', { name: /^Dead letters/ })
    await expect(letters.getByRole('row')).toHaveCount(4)
    const redrive = page.getByRole('button', { name: /^Redrive/ })
    await expect(redrive).toBeDisabled()
    const [first] = await letters.getByRole('checkbox', { name: /order.placed/ }).all()
    await first?.focus()
    await page.keyboard.press('Space')
    await expect(redrive).toHaveText('Redrive 1')
    await redrive.focus()
    await page.keyboard.press('Enter')
    await expect(letters.getByRole('row')).toHaveCount(3)
    await expect(page.getByText('1 dead letter given to its consumer again')).toBeVisible()
    expect(await asked(page, 'redrive')).toMatchObject([{ letters: ['invoices tabAaaaaaaa-4'] }])

    await letters.getByRole('checkbox', { name: 'Event', exact: true }).focus()
    await page.keyboard.press('Space')
    await page.getByRole('button', { name: 'Discard 2…' }).focus()
    await page.keyboard.press('Enter')
    await expect(page.getByRole('button', { name: 'Discard now' })).toBeFocused()
    await page.keyboard.press('Enter')
    await expect(page.getByText('None. An event stands here that a consumer gave up')).toBeVisible()
    // Each of who has them: the service of its consumer, the relay of its group.
    expect(await asked(page, 'discard')).toHaveLength(2)
    const invoices = page
      .getByRole('table', { name: 'Durable consumers' })
      .getByRole('row', { name: /^invoices/ })
    await expect(invoices.getByRole('cell').nth(3)).toHaveText('0')
  })

  test('who rests is not asked again, and who does not answer is named', async ({ openStory }) => {
    const page = await openStory({ mute: ['phonEeeeeeee'] })
    await show(page, 'Consumers')
    await expect(page.getByRole('table', { name: 'Groups' })).toBeVisible()
    await show(page, 'Peers')
    await show(page, 'Consumers')
    // Some rounds later.
    await expect(page.locator('.notice')).toContainText(/tab 3.*(did|does) not answer/)
    const times = await page.evaluate(
      () =>
        window.story.asked.filter(
          ({ peer, ask }) => peer === 'tabAaaaaaaa' && ask.what === 'consumers',
        ).length,
    )
    expect(times).toBe(2)
  })
})

test.describe('axe finds nothing', () => {
  // Each look at a whole view takes seconds on a busy machine.
  test.slow()

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [name, width] of [
      ['narrow', 320],
      ['wide', 1600],
    ] as const) {
      const clean = async (page: Page, what: string, within = 'main') =>
        expect(await findings(page, within), what).toEqual([])
      const begin = async (page: Page) => {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 700 })
      }

      test(`in any view: ${colorScheme}, ${name}`, async ({ openStory, page }) => {
        await begin(page)
        await openStory({ purchases: 8 })
        for (const view of VIEWS.slice(0, 2)) {
          await show(page, view)
          await clean(page, `${view}, empty`)
        }
        await select(page, 'order.placed')
        for (const view of VIEWS) {
          await show(page, view)
          await expect(page.getByRole('tabpanel', { name: view })).toBeVisible()
          await clean(page, view)
        }
      })

      test(`where something is broken, compared or of before: ${colorScheme}, ${name}`, async ({
        openStory,
        page,
      }) => {
        await begin(page)
        await openStory({ purchases: 4 })
        // Of both docks, and between them.
        const everywhere = async (what: string, where = 'body') => {
          for (const size of name === 'narrow' ? [320, 480] : [760, 1600]) {
            await page.setViewportSize({ width: size, height: 700 })
            await clean(page, `${what} at ${size} px`, where)
          }
        }
        const grid = page.getByRole('grid', { name: 'Events' })
        const compare = page.getByRole('dialog', { name: 'Compare' })
        await select(page, 'order.placed')
        await grid.focus()
        await page.keyboard.press('d')
        await expect(compare).toContainText('No event is marked')
        await everywhere('nothing to compare with', 'dialog')
        await page.keyboard.press('Escape')
        await page.keyboard.press('m')
        await select(page, 'order.confirmed')
        await grid.focus()
        await page.keyboard.press('d')
        await expect(compare.locator('.changes')).toContainText('qty')
        await everywhere('a comparison', 'dialog')
        await page.keyboard.press('Escape')

        await show(page, 'Peers')
        await page.getByRole('button', { name: 'tab 1 · Cart', exact: true }).click()
        await page.getByText('Break a link of it for a while').click()
        const what = page.getByLabel('What happens')
        await what.selectOption('drop')
        await page.getByLabel('Of 100, so many').fill('500')
        await everywhere('a form to break a link, faulty')
        await what.selectOption('delay')
        await page.getByLabel('Of 100, so many').fill('50')
        await everywhere('a form to break a link')
        await page.getByRole('button', { name: 'Break it' }).click()
        await expect(page.getByRole('region', { name: 'Faults in force' })).toBeVisible()
        await everywhere('a fault in force')

        await show(page, 'Consumers')
        await page.getByRole('checkbox', { name: 'Event', exact: true }).check()
        await page.getByRole('button', { name: /^Discard 3/ }).click()
        await everywhere('dead letters to be discarded')

        await show(page, 'Store')
        await page.getByRole('tab', { name: 'Time travel' }).click()
        await page.getByRole('slider', { name: 'Moment' }).focus()
        await page.keyboard.press('Home')
        await page.getByRole('button', { name: 'Show the application this state' }).click()
        await expect(page.getByRole('alert').filter({ hasText: 'an old state' })).toBeVisible()
        await everywhere('an application that shows an old state')
      })

      test(`in their parts: ${colorScheme}, ${name}`, async ({ openStory, page }) => {
        await begin(page)
        await openStory({ purchases: 8 })
        await page.getByRole('button', { name: /^Session: export/ }).click()
        await clean(page, 'the dialog for session files', 'dialog')
        await page.keyboard.press('Escape')
        await show(page, 'Publish')
        await page.getByRole('combobox', { name: 'Type' }).fill('x..')
        await page.getByRole('textbox', { name: 'Data' }).fill('{')
        await clean(page, 'a faulty draft')
        await show(page, 'Peers')
        await page.getByRole('button', { name: /^tab 2/ }).click()
        await page.getByLabel('Event type').fill('cart.item_added')
        await page.keyboard.press('Enter')
        await clean(page, 'an explanation')
        await show(page, 'Store')
        const parts = page.getByRole('tablist', { name: 'Parts of the store' })
        for (const part of ['Log', 'Replay', 'Time travel']) {
          await parts.getByRole('tab', { name: part }).click()
          await expect(page.getByRole('tabpanel', { name: part })).toBeVisible()
          await clean(page, part)
        }
        await show(page, 'Sequence')
        await page.getByRole('radio', { name: 'All shown' }).check()
        await page.getByRole('radio', { name: 'Table' }).check()
        await clean(page, 'a table of messages')
      })
    }
  }
})
