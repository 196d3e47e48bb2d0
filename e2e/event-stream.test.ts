/** A page follows a room with nothing but the browser's own EventSource. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRelay } from '@crosstown/edge-relay'
import { type RelayServer, serve } from '@crosstown/edge-relay/node'
import { sqliteStore } from '@crosstown/edge-relay/stores/sqlite'
import { expect, test } from './fixtures.ts'

let folder = ''
let server: RelayServer

const start = async (port: number): Promise<void> => {
  const store = sqliteStore(join(folder, 'events.db'))
  server = await serve(createRelay({ store }), { port })
}

test.beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-stream-'))
  await start(0)
})
test.afterEach(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

const post = async (...numbers: number[]): Promise<void> => {
  const { status } = await fetch(`${server.url}/rooms/office/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(numbers.map((data) => ({ type: 'a.b', data }))),
  })
  expect(status).toBe(201)
}

interface Following {
  heard: number[]
  gaps: string[]
  opened: number
}

test('EventSource hears each event once, over a restart of the relay and what it missed meanwhile', async ({
  page,
}) => {
  await post(1, 2)
  await page.goto(`${server.url}/health`)
  await page.evaluate(() => {
    const following: Following = { heard: [], gaps: [], opened: 0 }
    const source = new EventSource('/rooms/office/events')
    source.onopen = () => {
      following.opened += 1
    }
    source.onmessage = ({ data }) => following.heard.push(JSON.parse(data).data)
    source.addEventListener('gap', ({ data }) => following.gaps.push(data))
    Object.assign(window, { following })
  })
  const following = () =>
    page.evaluate(() => (window as unknown as { following: Following }).following)
  await expect.poll(async () => (await following()).heard).toEqual([1, 2])
  await post(3)
  await expect.poll(async () => (await following()).heard).toEqual([1, 2, 3])

  const { port } = server
  await server.close()
  await start(port)
  await post(4, 5)
  await expect
    .poll(async () => (await following()).heard, { timeout: 20_000 })
    .toEqual([1, 2, 3, 4, 5])
  expect(await following()).toMatchObject({ gaps: [], opened: 2 })
})
