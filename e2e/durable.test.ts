/** Durable consumers in a real browser: reloaded, closed, frozen, and killed at random. */
import { expect, test } from './fixtures.ts'
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

test(`of ${EVENTS} events none is skipped and none overtaken, its tab killed ${KILLS} times`, async ({
  context,
  site,
}) => {
  test.setTimeout(120_000 + EVENTS * 20 + KILLS * 3_000)
  const url = (name: string): string => `${site}/?name=${name}`
  const outcome = await durableRun(context, { events: EVENTS, kills: KILLS, seed: SEED, url })
  expect(outcome).toMatchObject({ lost: 0, disorder: 0, killed: KILLS })
  console.log(`durable: seed ${SEED}, ${EVENTS} events, ${KILLS} kills, ${outcome.calls} calls`)
})
