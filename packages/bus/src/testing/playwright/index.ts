/**
 * Playwright's `test` with a recorder of all events: of a browser context's pages, frames, workers and
 * service workers. The application is not changed for it; it only has to use a bus. A test that fails
 * has what was recorded attached, as a session file that the DevTools panel opens.
 *
 * @example
 * import { expect, test } from '@crosstown/bus/testing/playwright'
 *
 * test('what is put into the cart is there on the phone', async ({ page, crosstown }) => {
 *   const phone = await crosstown.device('phone')
 *   await phone.newPage('/cart')
 *   await page.goto('/cart')
 *   await page.getByRole('button', { name: 'Add' }).click()
 *   await phone.expectEvent('cart.item_added')
 * })
 */
import {
  type BrowserContext,
  test as base,
  type PlaywrightTestArgs,
  type PlaywrightTestOptions,
  type PlaywrightWorkerArgs,
  type PlaywrightWorkerOptions,
  type TestInfo,
  type TestType,
} from '@playwright/test'
import type { Device } from './api.ts'
import { RecordedDevice, within } from './device.ts'
import { TestSession } from './session.ts'

export { expect } from '@playwright/test'
export type {
  Device,
  ExpectOptions,
  PublishInPageOptions,
  Recorded,
  RecordedError,
  RecordedEvent,
} from './api.ts'

export interface CrosstownOptions {
  /** Milliseconds that `expectEvent`, `publish` and `offline` wait at most. @default 5000 */
  readonly timeout?: number | undefined
}

/** The device of the test's own context, and the way to others. */
export interface Crosstown<Events extends object = Record<string, unknown>> extends Device<Events> {
  /**
   * One more device: a new browser context, with the options of the test, or one that is given, which
   * stays its owner's to close.
   *
   * @param name in messages, and of the file. @default 'device 2', ...
   */
  device(name?: string, context?: BrowserContext): Promise<Device<Events>>
}

export interface CrosstownFixtures<Events extends object = Record<string, unknown>> {
  /** Of `use` in the configuration, or of `test.use`. */
  crosstownOptions: CrosstownOptions
  crosstown: Crosstown<Events>
}

/** Playwright's `test` with the fixture `crosstown`. */
export type CrosstownTest<Events extends object = Record<string, unknown>> = TestType<
  PlaywrightTestArgs & PlaywrightTestOptions & CrosstownFixtures<Events>,
  PlaywrightWorkerArgs & PlaywrightWorkerOptions
>

const TIMEOUT_MS = 5_000
/** How long a test that failed waits for what is not there yet. */
const DATA_MS = 10_000

/** What is recorded in one test. */
class TestRecording {
  readonly #session = new TestSession()
  readonly #devices: RecordedDevice[] = []
  readonly #own: BrowserContext[] = []
  readonly #timeout: number

  constructor({ timeout = TIMEOUT_MS }: CrosstownOptions) {
    this.#timeout = timeout
  }

  async add(name: string, context: BrowserContext): Promise<RecordedDevice> {
    const device = new RecordedDevice({
      name,
      context,
      written: this.#session,
      timeout: this.#timeout,
    })
    this.#devices.push(device)
    await device.record()
    return device
  }

  async another(
    first: BrowserContext,
    name = `device ${this.#devices.length + 1}`,
    given?: BrowserContext,
  ): Promise<Device> {
    const context = given ?? (await first.browser()?.newContext())
    if (!context) throw new Error('this context has no browser: give device() one of your own')
    if (!given) this.#own.push(context)
    return this.add(name, context)
  }

  /** Writes what was recorded where the report of the test has it. */
  async attach(info: TestInfo): Promise<void> {
    await within(
      DATA_MS,
      Promise.all(
        this.#devices.map(async ({ recorder }) => {
          await recorder.settle()
          await recorder.events(() => true)
        }),
      ),
    )
    const { writeFile } = await import('node:fs/promises')
    const name = 'crosstown-session.ndjson'
    const path = info.outputPath(name)
    await writeFile(path, this.#session.text(info.title.slice(0, 200), Date.now()))
    await info.attach(name, { path, contentType: 'application/x-ndjson' })
  }

  async close(): Promise<void> {
    await Promise.all(this.#own.map((context) => context.close()))
  }
}

const RECORDINGS = new WeakMap<
  BrowserContext,
  { recording: TestRecording; device: RecordedDevice }
>()

export const test: CrosstownTest = base.extend<CrosstownFixtures>({
  crosstownOptions: [{}, { option: true }],
  // Not `crosstown` itself: whoever uses a page is recorded, for when it fails.
  context: async ({ context, crosstownOptions }, use, info) => {
    const recording = new TestRecording(crosstownOptions)
    const device = await recording.add('device 1', context)
    RECORDINGS.set(context, { recording, device })
    await use(context)
    if (info.status !== info.expectedStatus) await recording.attach(info)
    await recording.close()
  },
  crosstown: async ({ context }, use) => {
    const { recording, device } = RECORDINGS.get(context) ?? {}
    if (!recording || !device)
      throw new Error('crosstown: another fixture put a context in place of the recorded one')
    const others = {
      device: (name?: string, other?: BrowserContext) => recording.another(context, name, other),
    }
    await use(Object.assign(device, others) as unknown as Crosstown)
  },
})

/**
 * The same `test`, with the types of your events.
 *
 * @example const test = crosstownTest<Shop>()
 */
export function crosstownTest<Events extends object>(): CrosstownTest<Events> {
  return test as unknown as CrosstownTest<Events>
}
