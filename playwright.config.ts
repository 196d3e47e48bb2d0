import type { CrosstownFixtures } from '@crosstown/bus/testing/playwright'
import { defineConfig, type ReporterDescription } from '@playwright/test'
import { chromiumLaunch } from './scripts/lib/chromium.ts'

// `npm test` reads the numbers from a JSON report; it says where that goes.
const report = process.env.CROSSTOWN_PLAYWRIGHT_REPORT
const reporters: ReporterDescription[] = [[process.stdout.isTTY ? 'line' : 'list']]
if (report) reporters.push(['json', { outputFile: report }])

// Servers are started by e2e/fixtures.ts, on ports the system picks.
export default defineConfig<CrosstownFixtures>({
  testDir: 'e2e',
  outputDir: 'test-results',
  timeout: 60_000,
  // What comes at once on an idle machine may take its time on a busy one.
  expect: { timeout: 20_000 },
  retries: 0,
  workers: 2,
  fullyParallel: true,
  forbidOnly: Boolean(process.env.CI),
  reporter: reporters,
  use: {
    browserName: 'chromium',
    headless: true,
    launchOptions: chromiumLaunch,
    crosstownOptions: { timeout: 20_000 },
    trace: 'retain-on-failure',
  },
})
