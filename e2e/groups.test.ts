/**
 * A group whose members are processes and pages: what a room publishes is shared by them, whoever is
 * killed meanwhile.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext } from '@playwright/test'
import { expect, type Relay, root, start, stop, test } from './fixtures.ts'
import { endAll, join as joinRoom, numbers, run, sqliteFile } from './relay-devices.ts'

const ROOM = 'office'
const EVENTS = 5_000
const STREAMS = 50

/** What a member did: in a file to which all append, before they settle. */
interface Note {
  readonly what: 'begun' | 'done'
  readonly n: number
  readonly attempt: number
  readonly by: string
}

let folder = ''
const processes = new Set<ChildProcess>()

test.beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crosstown-'))
  writeFileSync(journal(), '')
})

test.afterEach(async () => {
  await endAll()
  await Promise.all([...processes].map(stop))
  processes.clear()
  rmSync(folder, { recursive: true, force: true })
})

const journal = (): string => join(folder, 'journal')

function notes(): Note[] {
  return readFileSync(journal(), 'utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Note]))
}

const done = (): Set<number> =>
  new Set(notes().flatMap(({ what, n }) => (what === 'done' ? [n] : [])))

const handled = (count: number) =>
  expect.poll(() => done().size, { timeout: 45_000 }).toBeGreaterThanOrEqual(count)

/** A member in a process; resolves once it is one. */
async function startMember(name: string, { url }: Relay): Promise<{ kill(): Promise<void> }> {
  const script = join(root, 'e2e/peers/group-member.ts')
  const { child } = await start(process.execPath, [script, name, url, ROOM, journal()], /^member/)
  processes.add(child)
  return {
    async kill() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      processes.delete(child)
    },
  }
}

/** A member in a page of a device of its own. */
async function openMember(context: BrowserContext, name: string, site: string, { url }: Relay) {
  const page = await context.newPage()
  await page.exposeFunction('note', (what: Note['what'], n: number, attempt: number) =>
    appendFileSync(journal(), `${JSON.stringify({ what, n, attempt, by: name })}\n`),
  )
  await page.goto(`${site}/?name=${name}&relay=${encodeURIComponent(url)}&room=${ROOM}`)
  await page.evaluate(() => {
    const { note } = globalThis as unknown as { note(...told: unknown[]): Promise<void> }
    peer.subscribe(
      'work.**',
      async ({ data: n }, { attempt }) => {
        await note('begun', n, attempt)
        await note('done', n, attempt)
      },
      { group: 'workers', orderBy: 'stream' },
    )
  })
  await expect.poll(() => page.evaluate(() => peer.stats().groups[0]?.state)).toBe('member')
  return page
}

test('four processes and two devices share 5,000 events, members killed and the relay restarted on the way', async ({
  browser,
  site,
}) => {
  test.setTimeout(180_000)
  const store = sqliteFile()
  const first = await run(store)
  const { relay } = first
  const names = ['node-1', 'node-2', 'node-3', 'node-4']
  const [killedFirst, killedLast] = await Promise.all(names.map((name) => startMember(name, relay)))
  const devices = await Promise.all([browser.newContext(), browser.newContext()])
  const pages = await Promise.all(
    devices.map((device, i) => openMember(device, `page-${i + 1}`, site, relay)),
  )

  const publisher = joinRoom(relay.url)
  const publish = async (from: number, to: number): Promise<void> => {
    for (const n of numbers(from, to)) {
      const stream = `stream-${n % STREAMS}`
      void publisher.bus.publish(`work.${n % 3}`, n, { stream })
      if (n % 10 === 9) await publisher.bus.flush()
    }
  }
  const publishing = publish(0, EVENTS)
  await handled(1_000)
  await killedFirst?.kill()
  await handled(2_000)
  await first.kill()
  await run(store, first.port)
  await handled(3_000)
  await killedLast?.kill()
  await startMember('node-5', relay)
  await publishing
  await handled(EVENTS)

  const all = notes()
  await test.step('nothing is lost', () => {
    expect([...done()].sort((a, b) => a - b)).toEqual(numbers(0, EVENTS))
  })
  await test.step('each was handled by one member, but what a killed one had in its hands', () => {
    const killed = new Set(['node-1', 'node-2'])
    const begun = Map.groupBy(
      all.filter(({ what }) => what === 'begun'),
      ({ n }) => n,
    )
    const again = [...begun.values()].filter(({ length }) => length > 1)
    // Those whose member was not killed between beginning and being heard.
    expect(again.filter((tries) => tries.slice(0, -1).some(({ by }) => !killed.has(by)))).toEqual(
      [],
    )
    for (const tries of begun.values())
      expect(tries.map(({ attempt }) => attempt)).toEqual(
        [...tries.map(({ attempt }) => attempt)].sort((a, b) => a - b),
      )
  })
  await test.step('all took part', () => {
    const took = new Set(all.map(({ by }) => by))
    expect([...names, 'page-1', 'page-2'].filter((name) => !took.has(name))).toEqual([])
  })
  await test.step('each stream was handled in its order', () => {
    const streams = Map.groupBy(all, ({ n }) => n % STREAMS)
    for (const of of streams.values()) {
      const begun = of.filter(({ what }) => what === 'begun').map(({ n }) => n)
      expect(begun).toEqual([...begun].sort((a, b) => a - b))
      // Nothing begins before what it follows is done.
      const finished = new Set<number>()
      for (const { what, n } of of) {
        if (what === 'done') finished.add(n)
        else if (n >= STREAMS) expect(finished.has(n - STREAMS)).toBe(true)
      }
    }
  })
  await Promise.all(pages.map((page) => page.context().close()))
})
