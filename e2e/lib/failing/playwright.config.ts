/** For tests that fail on purpose, run by a test. */
import { defineConfig } from '@playwright/test'
import { chromiumLaunch } from '../../../scripts/lib/chromium.ts'

export default defineConfig({
  testDir: '.',
  testMatch: 'fails.ts',
  outputDir: process.env.OUTPUT ?? 'test-results',
  timeout: 60_000,
  reporter: 'json',
  use: { browserName: 'chromium', headless: true, launchOptions: chromiumLaunch },
})
