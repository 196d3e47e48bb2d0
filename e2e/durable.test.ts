/** Durable consumers in a real browser: reloaded, closed, frozen, and killed at random. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from './fixtures.ts'
import { processRun } from './lib/durable-process-run.ts'
import { durableRun } from './lib/durable-run.ts'

/** `npm run kill -- durable` asks for more. */
const KILLS = Number(process.env.CROSSTOWN_DURABLE_KILLS ?? 10)
const EVENTS = Number(process.env.CROSSTOWN_DURABLE_EVENTS ?? 3_000)
const SEED = Number(process.env.CROSSTOWN_DURABLE_SEED ?? 1)

test('a durable consumer goes on after a reload', async ({ page, site }) => {
  const consumed = async (): Promise<unknown[]> =>
    page.evaluate(async () => {
      const seen: unknown[] = []
      const { promise, resolve } = Promise.withResolvers<void>()
      peer.subscribe(
        'note.*',
        (event) => {
          seen.push(event.data)
          if (event.data === 'last') resolve()
        },
        { durable: 'reader' },
      )
      await peer.publish('note.made', 'last')
      await promise
      return seen
    })
  await page.goto(`${site}/?name=reader`)
  await page.evaluate(async () => {
    for (let n = 0; n < 5; n++) await peer.publish('note.made', n)
  })
  expect(await consumed()).toEqual([0, 1, 2, 3, 4, 'last'])
  await page.reload()
  await page.evaluate(() => peer.publish('note.made', 'after'))
  expect(await consumed()).toEqual(['after', 'last'])
})

for (const transact of [false, true]) {
  const promise = transact ? 'each has its effect once' : 'none is skipped and none overtaken'
  test(`of ${EVENTS} events ${promise}, its tab killed ${KILLS} times`, async ({
    context,
    site,
  }) => {
    test.setTimeout(120_000 + EVENTS * 20 + KILLS * 3_000)
    const url = (name: string): string => `${site}/?name=${name}`
    const run = { events: EVENTS, kills: KILLS, seed: SEED, url, transact }
    const outcome = await durableRun(context, run)
    expect(outcome).toMatchObject({ lost: 0, disorder: 0, notOnce: 0, killed: KILLS })
    const how = transact ? 'transact' : 'at least once'
    console.log(
      `durable, ${how}: seed ${SEED}, ${KILLS} kills, ${EVENTS} events, ${outcome.calls} calls`,
    )
  })
}

test(`a process that is killed ${KILLS} times skips nothing, with its cursors in SQLite`, async () => {
  test.setTimeout(120_000 + EVENTS * 20 + KILLS * 3_000)
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-'))
  try {
    const outcome = await processRun(folder, { events: EVENTS, kills: KILLS, seed: SEED })
    expect(outcome).toMatchObject({ lost: 0, disorder: 0, notOnce: 0, killed: KILLS })
    console.log(
      `durable, process: seed ${SEED}, ${KILLS} kills, ${EVENTS} events, ${outcome.calls} calls`,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
