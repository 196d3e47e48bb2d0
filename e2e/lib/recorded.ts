/** Tests that see what the buses of their pages publish and hear. */

import { test as crosstown } from '@crosstown/bus/testing/playwright'
import { mergeTests } from '@playwright/test'
import { test as shared } from '../fixtures.ts'

export type * from '@crosstown/bus/testing/playwright'
export { expect } from '@playwright/test'

export const test = mergeTests(shared, crosstown)
