/**
 * Two devices that are offline in turn, and a relay that is killed in the middle of a burst: in
 * real Chromium, over real sockets. And a browser profile that was copied.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from '@playwright/test'
import { chromiumLaunch } from '../scripts/lib/chromium.ts'
import { startRelay, stop } from './fixtures.ts'
import { type Wire, wireTo } from './lib/proxy.ts'
import { type Device, expect, test } from './lib/recorded.ts'

let folder = ''
const relays = new Set<ChildProcess>()
const wires = new Set<Wire>()

test.beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crosstown-'))
})

test.afterEach(async () => {
  await Promise.all([...wires].map((wire) => wire.close()))
  await Promise.all([...relays].map(stop))
  wires.clear()
  relays.clear()
  rmSync(folder, { recursive: true, force: true })
})

async function relayOn(port = '0') {
  const { child, relay } = await startRelay(`sqlite:${join(folder, 'relay.db')}`, port)
  relays.add(child)
  return {
    ...relay,
    port: new URL(relay.http).port,
    async kill() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      relays.delete(child)
    },
  }
}

async function wire(port: string): Promise<Wire> {
  const made = await wireTo(Number(port))
  wires.add(made)
  return made
}

interface Logged {
  readonly id: string
  readonly data: string
  readonly position: string | undefined
}

/** What the log holds, in its order. */
function readLog(page: Page): Promise<Logged[]> {
  return page.evaluate(async () => {
    const events: Logged[] = []
    const end = await peer.publish('end', undefined, { scope: 'device' })
    for await (const event of peer.events('**', { from: 'start', buffer: 100_000 })) {
      if (event.id === end.id) break
      if (event.type !== 'burst') continue
      const { id, data, position } = event
      events.push({ id, data: data as string, position })
    }
    return events
  })
}

/** Publishes so many, ten to a task; resolves with what came true of the promises, once all did. */
function burst(page: Page, from: string, first: number, end: number): Promise<Logged[]> {
  return page.evaluate(
    async ([from, first, end]) => {
      const relayed: Promise<Logged>[] = []
      for (let n = first; n < end; n++) {
        const data = `${from} ${n}`
        const promise = peer.publish('burst', data, { until: 'relayed' })
        relayed.push(promise.then(({ id, position }) => ({ id, data, position })))
        if (n % 10 === 9) await peer.flush()
      }
      return Promise.all(relayed)
    },
    [from, first, end] as const,
  )
}

const place = ({ position }: { position?: string | undefined }) => Number(position?.split('.')[1])

const numbered = (from: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${from} ${n}`)

const inRoomOrder = (log: readonly Logged[]) =>
  [...log].sort((a, b) => place(a) - place(b)).map(({ data }) => data)

test('two devices, each offline in turn, and the relay killed in a burst: logs end equal', async ({
  crosstown,
  site,
}) => {
  const first = await relayOn()
  const [near, far] = [await wire(first.port), await wire(first.port)]
  const other = await crosstown.device('b')
  const open = async (name: string, device: Device, { url }: Wire): Promise<Page> => {
    const page = await device.newPage(
      `${site}/?name=${name}&relay=${encodeURIComponent(url)}&room=two`,
    )
    await expect.poll(() => page.evaluate(() => peer.status.relay)).toBe('online')
    return page
  }
  const [a, b] = [await open('a', crosstown, near), await open('b', other, far)]
  const offline = (page: Page) =>
    expect.poll(() => page.evaluate(() => peer.status.relay)).toBe('offline')
  const counted = async () =>
    ((await (await fetch(`${first.http}/rooms/two/stats`)).json()) as { events: number }).events

  near.cut()
  await offline(a)
  const promises = [burst(a, 'a', 0, 500), burst(b, 'b', 0, 500)]
  await promises[1]
  near.mend()
  await promises[0]

  far.cut()
  await offline(b)
  promises.push(burst(a, 'a', 500, 1_000), burst(b, 'b', 500, 1_000))
  await expect.poll(counted).toBeGreaterThan(1_000)
  await first.kill()
  await relayOn(first.port)
  far.mend()
  const came = (await Promise.all(promises)).flat()

  const all = [...numbered('a', 1_000), ...numbered('b', 1_000)]
  await expect.poll(async () => (await readLog(a)).length).toBe(all.length)
  await expect.poll(async () => (await readLog(b)).length).toBe(all.length)
  const [logA, logB] = [await readLog(a), await readLog(b)]
  expect(new Set(logA.map(({ data }) => data))).toEqual(new Set(all))
  expect(inRoomOrder(logA)).toEqual(inRoomOrder(logB))
  const positions = (log: readonly Logged[]) =>
    Object.fromEntries(log.map(({ id, position }) => [id, position]))
  expect(positions(logB)).toEqual(positions(logA))
  for (const { id, position } of came) expect(position).toBe(positions(logA)[id])
  for (const from of ['a', 'b'])
    expect(inRoomOrder(logA).filter((data) => data.startsWith(from))).toEqual(numbered(from, 1_000))
  for (const device of [crosstown, other]) {
    const recorded = (await device.events('burst')).map(({ data }) => data)
    expect(recorded).toHaveLength(all.length)
    expect(new Set(recorded)).toEqual(new Set(all))
  }
})

test('a copied browser profile ends as two devices, with nothing lost and nothing doubled', async ({
  crosstown,
  site,
}) => {
  const relay = await relayOn()
  const address = (name: string) =>
    `${site}/?name=${name}&relay=${encodeURIComponent(relay.url)}&room=copied`
  const launch = async (profile: string, name = profile): Promise<[Device, Page]> => {
    const context = await chromium.launchPersistentContext(join(folder, profile), {
      headless: true,
      ...chromiumLaunch,
    })
    const device = await crosstown.device(name, context)
    return [device, await device.newPage(address('p'))]
  }
  const [original, before] = await launch('one', 'original')
  await burst(before, 'both', 0, 20)
  await original.offline()
  await expect.poll(() => before.evaluate(() => peer.status.relay)).toBe('offline')
  await before.evaluate(async () => {
    for (let n = 0; n < 20; n++) await peer.publish('burst', `waiting ${n}`)
  })
  await original.context.close()
  cpSync(join(folder, 'one'), join(folder, 'two'), { recursive: true })

  const [[one, first], [two, second]] = await Promise.all([launch('one'), launch('two')])
  await Promise.all([burst(first, 'one', 0, 30), burst(second, 'two', 0, 30)])
  const third = await crosstown.newPage(address('other'))
  const all = [
    ...numbered('both', 20),
    ...numbered('waiting', 20),
    ...numbered('one', 30),
    ...numbered('two', 30),
  ].sort()
  for (const page of [first, second, third]) {
    await expect
      .poll(async () => (await readLog(page)).map(({ data }) => data).sort(), { timeout: 20_000 })
      .toEqual(all)
  }
  const [ofFirst, ofSecond, ofThird] = await Promise.all([first, second, third].map(readLog))
  expect(inRoomOrder(ofSecond ?? [])).toEqual(inRoomOrder(ofFirst ?? []))
  expect(inRoomOrder(ofThird ?? [])).toEqual(inRoomOrder(ofFirst ?? []))
  for (const device of [one, two, crosstown]) expect(await device.errors()).toEqual([])
  await Promise.all([one.context.close(), two.context.close()])
})
