/** Writers that compete for one stream: each revision once, and who loses hears what it is by now. */
import { type BusError, type BusEvent, isBusError } from '@crosstown/bus'
import type { Page } from '@playwright/test'
import { expect, test } from './fixtures.ts'
import { endAll, join, online, run, sqliteFile } from './relay-devices.ts'

test.afterEach(endAll)

const WRITERS = 10
const EACH = 4
const whole = Array.from({ length: WRITERS * EACH }, (_, i) => i + 1)

/** Writes until so many were taken, each time at what it was told last; the revisions it got. */
async function compete(write: (expected: number) => Promise<number | BusError>): Promise<number[]> {
  const won: number[] = []
  let known = 0
  while (won.length < EACH) {
    const said = await write(known)
    if (typeof said === 'number') won.push(said)
    known = typeof said === 'number' ? said : (said.currentRevision as number)
  }
  return won
}

const overSocket =
  (publish: (options: object) => Promise<BusEvent>) =>
  async (expectedRevision: number): Promise<number | BusError> => {
    try {
      return (await publish({ stream: 's', expectedRevision })).revision as number
    } catch (error) {
      if (isBusError(error, 'conflict')) return error
      throw error
    }
  }

const overHttp =
  (http: string) =>
  async (expectedRevision: number): Promise<number | BusError> => {
    const response = await fetch(`${http}/rooms/office/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'was.posted', stream: 's', expectedRevision }),
    })
    const { events, error } = await response.json()
    expect(response.status).toBe(error ? 409 : 201)
    if (error) expect(error.code).toBe('conflict')
    return error ?? events[0].revision
  }

async function inRoom(http: string): Promise<unknown[]> {
  const page = await (await fetch(`${http}/rooms/office/events?stream=s&limit=1000`)).json()
  return page.events.map(({ revision }: { revision: number }) => revision)
}

const sorted = (lists: readonly number[][]): number[] => lists.flat().sort((a, b) => a - b)

test('ten devices over WebSocket have each revision once, also when the relay is killed meanwhile', async () => {
  const store = sqliteFile()
  const first = await run(store)
  const devices = Array.from({ length: WRITERS }, () => join(first.relay.url))
  await Promise.all(devices.map(online))
  let conflicts = 0
  const competing = devices.map(({ bus }) =>
    compete(async (expected) => {
      const said = await overSocket((options) => bus.publish('was.said', 1, options))(expected)
      if (typeof said !== 'number') conflicts += 1
      return said
    }),
  )
  await expect
    .poll(async () => (await inRoom(first.relay.http)).length, { timeout: 30_000 })
    .toBeGreaterThan(WRITERS)
  await first.kill()
  const again = await run(store, first.port)
  expect(sorted(await Promise.all(competing))).toEqual(whole)
  expect(conflicts).toBeGreaterThan(0)
  expect(await inRoom(again.relay.http)).toEqual(whole)
  for (const { bus } of devices) {
    await expect
      .poll(async () => (await bus.loadStream('s')).map(({ revision }) => revision))
      .toEqual(whole)
  }
})

test('ten writers over HTTP, and five of each, have each revision once', async () => {
  const { relay } = await run(sqliteFile())
  const posting = Array.from({ length: WRITERS }, () => compete(overHttp(relay.http)))
  expect(sorted(await Promise.all(posting))).toEqual(whole)
  expect(await inRoom(relay.http)).toEqual(whole)

  const devices = Array.from({ length: 5 }, () => join(relay.url))
  await Promise.all(devices.map(online))
  const both = [
    ...devices.map(({ bus }) =>
      compete(overSocket((options) => bus.publish('was.said', 1, options))),
    ),
    ...devices.map(() => compete(overHttp(relay.http))),
  ]
  const next = whole.map((revision) => revision + whole.length)
  expect(sorted(await Promise.all(both))).toEqual(next)
  expect(await inRoom(relay.http)).toEqual([...whole, ...next])
})

test('ten tabs without a relay have each revision once, and hear no event that was refused', async ({
  browser,
  site,
}) => {
  const context = await browser.newContext()
  const pages: Page[] = []
  for (let i = 0; i < WRITERS; i++) {
    const page = await context.newPage()
    await page.goto(`${site}/?name=tab${i}`)
    await page.evaluate(() => {
      const heard: unknown[] = []
      Object.assign(globalThis, { heard })
      peer.subscribe('was.said', ({ data, revision }) => heard.push([data, revision]))
      return peer.publish('ready')
    })
    pages.push(page)
  }
  const won = await Promise.all(
    pages.map((page, who) =>
      page.evaluate(
        async ([who, each]) => {
          const won: number[] = []
          let known = 0
          while (won.length < each) {
            try {
              const options = { stream: 's', expectedRevision: known } as const
              known = (await peer.publish('was.said', `${who}`, options)).revision as number
              won.push(known)
            } catch (error) {
              const { code, currentRevision } = error as BusError
              if (code !== 'conflict') throw error
              known = currentRevision as number
            }
          }
          return won
        },
        [who, EACH] as const,
      ),
    ),
  )
  expect(sorted(won)).toEqual(whole)
  const stream = await (pages[0] as Page).evaluate(async () =>
    (await peer.loadStream('s')).map(({ data, revision }) => [data, revision]),
  )
  expect(stream).toEqual(
    whole.map((revision) => [`${won.findIndex((mine) => mine.includes(revision))}`, revision]),
  )
  for (const page of pages) {
    const heard = (): Promise<unknown> =>
      page.evaluate(() => (globalThis as unknown as { heard: unknown[] }).heard)
    await expect.poll(heard).toHaveLength(whole.length)
    const all = (await heard()) as [unknown, number][]
    expect(all.sort((a, b) => a[1] - b[1])).toEqual(stream)
  }
  await context.close()
})
