import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The browser phase of `npm test`, where there is no browser to be found. */
function gate(require: string): Promise<{ code: number | null; last: string }> {
  const env = {
    ...process.env,
    CROSSTOWN_CHROMIUM: '/nowhere/chromium',
    CROSSTOWN_REQUIRE: require,
  }
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['scripts/test.mjs', 'browser'],
      { cwd: root, env },
      (_, output) => {
        resolve({ code: child.exitCode, last: output.trim().split('\n').at(-1) ?? '' })
      },
    )
  })
}

describe('npm test', { timeout: 60_000 }, () => {
  it('skips what a missing browser would be needed for', async () => {
    expect((await gate('')).last).toBe('0 passed, 0 failed, 1 skipped')
  })

  it('fails instead where CROSSTOWN_REQUIRE names it', async () => {
    const { code, last } = await gate('chromium')
    expect(last).toBe('0 passed, 1 failed, 1 skipped')
    expect(code).toBe(1)
  })

  it('fails where CROSSTOWN_REQUIRE names nothing it knows', async () => {
    const { code, last } = await gate('chromiun')
    expect(last).toMatch(/, [1-9]\d* failed, /)
    expect(code).toBe(1)
  })
})
