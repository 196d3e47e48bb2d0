import { expect, test } from 'vitest'
import { runtimePlatform } from './platform.ts'

test('a wait longer than a timer can be set to does not end at once', async () => {
  const platform = runtimePlatform()
  const ended: string[] = []
  const cancels = [2 ** 31, 1e300, Number.POSITIVE_INFINITY].map((ms) =>
    platform.timer(ms, () => ended.push(String(ms))),
  )
  const release = platform.hold()
  await new Promise<void>((resolve) => platform.timer(20, resolve))
  release()
  for (const cancel of cancels) cancel()
  expect(ended).toEqual([])
})
