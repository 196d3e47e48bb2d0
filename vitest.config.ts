import { availableParallelism } from 'node:os'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { chromiumLaunch, chromiumPath } from './scripts/lib/chromium.ts'

const excluded = ['**/node_modules/**', '**/dist/**']
const browserTests = 'packages/*/src/**/*.browser.test.{ts,tsx}'

/** For what hangs; thousands of runs of a property take their time on a busy machine. */
const testTimeout = 60_000
/** What is waited for comes at once, but for a machine that does other things as well. */
const poll = { timeout: 20_000 }

const unit: TestProjectConfiguration = {
  test: {
    name: 'unit',
    testTimeout,
    // A database that is made anew takes its time as well.
    hookTimeout: testTimeout,
    expect: { poll },
    environment: 'node',
    include: [
      '{packages/*/src,scripts,bench,demo/src,demo/services,demo/examples}/**/*.test.{ts,tsx}',
    ],
    exclude: [...excluded, browserTests],
    setupFiles: ['scripts/lib/property-tests.ts'],
  },
}

// Whole networks from seeds, in processes of their own.
const simulation: TestProjectConfiguration = {
  test: {
    name: 'simulation',
    environment: 'node',
    include: ['simulator/**/*.test.ts'],
    exclude: excluded,
    maxConcurrency: 2,
  },
}

// In a real Chromium: IndexedDB, BroadcastChannel, Web Locks. Only where one was found.
const browser: TestProjectConfiguration = {
  test: {
    name: 'browser',
    testTimeout,
    expect: { poll },
    include: [browserTests],
    exclude: excluded,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions: chromiumLaunch }),
      instances: [{ browser: 'chromium' }],
    },
  },
}

export default defineConfig({
  test: {
    // Many tests wait for processes of their own, so that one worker more than cores keeps these busy.
    maxWorkers: availableParallelism() + 1,
    projects: chromiumPath === undefined ? [unit, simulation] : [unit, simulation, browser],
  },
})
