/** Tests that see what the buses of their pages publish and hear. */
import type { CrosstownFixtures } from '@crosstown/bus/testing/playwright'
import { test as crosstown } from '@crosstown/bus/testing/playwright'
import {
  mergeTests,
  type PlaywrightTestArgs,
  type PlaywrightTestOptions,
  type PlaywrightWorkerArgs,
  type PlaywrightWorkerOptions,
  type TestType,
} from '@playwright/test'
import { type Shared, test as shared } from '../fixtures.ts'

export type * from '@crosstown/bus/testing/playwright'
export { expect } from '@playwright/test'

type RecordedTest<Events extends object> = TestType<
  PlaywrightTestArgs & PlaywrightTestOptions & CrosstownFixtures<Events>,
  PlaywrightWorkerArgs & PlaywrightWorkerOptions & Shared
>

const merged = mergeTests(shared, crosstown)

/** With the types of events. */
export const recordedTest = <Events extends object>(): RecordedTest<Events> =>
  merged as unknown as RecordedTest<Events>

export const test: RecordedTest<Record<string, unknown>> = recordedTest()
