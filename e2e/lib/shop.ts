/** The demo as a customer sees it: one relay, both services and the site, for a file of tests. */
import { expect, type Locator, type Page, test } from '@playwright/test'
import { startDemo } from '../../scripts/lib/demo-stack.mjs'

export const WIDE = { width: 1440, height: 900 } as const
export const NARROW = { width: 360, height: 740 } as const

/** For tests that need the warehouse, which runs on Deno. */
export const noDeno: boolean = !process.env['CROSSTOWN_DENO']

let demo: Awaited<ReturnType<typeof startDemo>>

export function withDemo(): void {
  test.describe.configure({ mode: 'default', timeout: 180_000 })
  test.beforeAll(async () => {
    test.setTimeout(180_000)
    demo = await startDemo({ room: 'demo' })
  })
  test.afterAll(async () => {
    await demo.stop()
  })
}

/** Ends a service; what it gives brings it back. */
export const sendAway = (service: 'orders' | 'warehouse'): Promise<() => Promise<void>> =>
  demo.sendAway(service)

export function address(room: string, hash = '', file = ''): string {
  const url = new URL(file, demo.url)
  url.searchParams.set('room', room)
  url.hash = hash
  return url.href
}

/** The services answer in the room `demo` only; any other is a room of its own. */
export async function visit(page: Page, room: string, hash = ''): Promise<void> {
  await page.goto(address(room, hash))
  await expect(page.getByTestId('status-relay')).toHaveAttribute('data-state', 'online')
}

/** Another screen of the page that is open. */
export async function show(page: Page, hash: string): Promise<void> {
  await page.evaluate((to) => {
    location.hash = to
  }, hash)
}

type Shown = Pick<Page, 'getByTestId'>

export const add = (page: Shown, sku: string): Promise<void> =>
  page.getByTestId(`add-${sku}`).click()

/** `bread 2`, `tea 1`. */
export const cart = (page: Shown): Promise<string[]> => lines(page, 'cart-line')
export const pastCart = (page: Shown): Promise<string[]> => lines(page, 'past-line')

const lines = (page: Shown, id: string): Promise<string[]> =>
  page
    .getByTestId(id)
    .evaluateAll((all) =>
      all.map(({ dataset }) => `${dataset['sku']} ${dataset['quantity']}`).sort(),
    )

export async function cartIs(pages: readonly Shown[], wanted: readonly string[]): Promise<void> {
  for (const page of pages) await expect.poll(() => cart(page)).toEqual(wanted)
}

/** What is in the cart becomes an order; gives its id, which is in the address then. */
export async function order(page: Page, choices: Record<string, string> = {}): Promise<string> {
  for (const [name, value] of Object.entries(choices)) {
    await page.getByTestId(name).selectOption(value)
  }
  await page.getByTestId('checkout').click()
  await expect(page).toHaveURL(/#\/orders\/./)
  const id = new URL(page.url()).hash.split('/').at(-1) as string
  await expect(orderOf(page, id)).toBeVisible()
  return id
}

export const orderOf = (page: Page, id: string): Locator => page.locator(`[data-order="${id}"]`)

export const steps = (page: Page, id: string): Promise<(string | undefined)[]> =>
  orderOf(page, id)
    .locator('[data-testid=order-step][data-done=true]')
    .evaluateAll((all) => all.map((step) => step.dataset['type']))
