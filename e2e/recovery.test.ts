/**
 * What comes back together after a log or a room went back in time: cloned and restored logs on
 * SQLite files, a relay put back from an older copy of its file, another user's token.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { type Bus, type BusEvent, createBus, type Gap, relayLink } from '@crosstown/bus'
import { sqliteLog } from '@crosstown/bus/log/sqlite'
import { createRelay } from '@crosstown/edge-relay'
import { type RelayServer, serve } from '@crosstown/edge-relay/node'
import { expect, startRelay, stop, test } from './fixtures.ts'

type Any = Record<string, unknown>

const relays = new Set<ChildProcess>()
const servers: RelayServer[] = []
const buses = new Set<Bus<Any>>()
let folder = ''

test.beforeEach(() => {
  folder = mkdtempSync(joinPath(tmpdir(), 'crosstown-'))
})

test.afterEach(async () => {
  await Promise.all([...buses].map((bus) => bus.close()))
  buses.clear()
  await Promise.all([...relays].map(stop))
  relays.clear()
  await Promise.all(servers.splice(0).map((server) => server.close()))
  rmSync(folder, { recursive: true })
})

interface Device {
  readonly bus: Bus<Any>
  readonly gaps: Gap[]
  close(): Promise<void>
}

/** A server process's device, its log in a file. */
function device(file: string, url: string, token?: () => string): Device {
  const gaps: Gap[] = []
  const bus = createBus<Any>({
    name: 'recovery',
    log: sqliteLog(joinPath(folder, file)),
    tabs: false,
    relay: relayLink({ url, room: 'office', ...(token && { token }) }),
    onError: () => {},
    onGap: (gap) => gaps.push(gap),
  })
  buses.add(bus)
  return {
    bus,
    gaps,
    async close() {
      buses.delete(bus)
      await bus.close()
    },
  }
}

async function relayOn(file: string, port = '0') {
  const { child, relay } = await startRelay(`sqlite:${joinPath(folder, file)}`, port)
  relays.add(child)
  return {
    url: relay.url,
    http: relay.http,
    port: new URL(relay.http).port,
    async kill() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      relays.delete(child)
    },
  }
}

/** Puts a copy of a database that nobody has open in another's place. */
function copy(from: string, to: string): void {
  for (const end of ['', '-wal', '-shm']) {
    const [source, target] = [joinPath(folder, from + end), joinPath(folder, to + end)]
    rmSync(target, { force: true })
    if (existsSync(source)) copyFileSync(source, target)
  }
}

async function logOf(bus: Bus<Any>): Promise<BusEvent[]> {
  const events: BusEvent[] = []
  const last = await bus.publish('end.of_log', undefined, { scope: 'device' })
  for await (const event of bus.events('**', { from: 'start', buffer: 100_000 })) {
    if (event.id === last.id) return events
    if (event.type !== 'end.of_log') events.push(event)
  }
  return events
}

const dataOf = async ({ bus }: Device) => (await logOf(bus)).map(({ data }) => data as string)

/** Their logs hold these data, each once, and agree on every position. */
async function expectSame(devices: readonly Device[], data: readonly string[]): Promise<void> {
  for (const one of devices) {
    await expect.poll(async () => (await dataOf(one)).sort()).toEqual([...data].sort())
    await expect.poll(() => one.bus.status.outbox.pending).toBe(0)
  }
  const places = async ({ bus }: Device) =>
    Object.fromEntries((await logOf(bus)).map(({ id, position }) => [id, position]))
  // What a room lost has its old position until the welcome that says so.
  await expect(async () => {
    const [first, ...others] = await Promise.all(devices.map(places))
    expect(Object.values(first ?? {})).not.toContain(undefined)
    for (const other of others) expect(other).toEqual(first)
  }).toPass()
}

/** Offline: the relay's port, on which nobody listens. */
const NOWHERE = 'ws://127.0.0.1:9'

const online = ({ bus }: Device) => expect.poll(() => bus.status.relay).toBe('online')

async function publish({ bus }: Device, ...data: string[]): Promise<void> {
  for (const one of data) await bus.publish('said', one)
}

async function relayed({ bus }: Device, ...data: string[]): Promise<void> {
  await Promise.all(data.map((one) => bus.publish('said', one, { until: 'relayed' })))
}

test('a cloned log ends as two devices, with nothing lost and nothing doubled', async () => {
  const relay = await relayOn('relay.db')
  const before = device('a.db', relay.url)
  await relayed(before, 'both 1', 'both 2')
  await before.close()
  const offline = device('a.db', NOWHERE)
  await publish(offline, 'waiting 1', 'waiting 2')
  await offline.close()
  copy('a.db', 'b.db')

  const [a, b] = [device('a.db', relay.url), device('b.db', relay.url)]
  const said = [publish(a, 'a 1', 'a 2'), publish(b, 'b 1', 'b 2')]
  await Promise.all(said)
  await Promise.all([a.bus.flush({ until: 'relayed' }), b.bus.flush({ until: 'relayed' })])
  const other = device('c.db', relay.url)
  const all = ['both 1', 'both 2', 'waiting 1', 'waiting 2', 'a 1', 'a 2', 'b 1', 'b 2']
  await expectSame([a, b, other], all)
  await relayed(a, 'a 3')
  await relayed(b, 'b 3')
  await expectSame([a, b, other], [...all, 'a 3', 'b 3'])
})

test('a log that lost its last commits gets them back from the room, and its new events get out', async () => {
  const relay = await relayOn('relay.db')
  const before = device('a.db', relay.url)
  const other = device('b.db', relay.url)
  await relayed(before, 'kept')
  await relayed(other, 'of another device')
  await expect.poll(() => dataOf(before)).toHaveLength(2)
  await before.close()
  copy('a.db', 'older.db')
  const later = device('a.db', relay.url)
  await relayed(later, 'lost 1', 'lost 2')
  await later.close()
  copy('older.db', 'a.db')

  const after = device('a.db', relay.url)
  await publish(after, 'new')
  await after.bus.flush({ until: 'relayed' })
  await expectSame([after, other], ['kept', 'of another device', 'lost 1', 'lost 2', 'new'])
})

test('a relay restored from an older copy of its file is fed again by its devices, without doubles', async () => {
  const first = await relayOn('relay.db')
  const [a, b] = [device('a.db', first.url), device('b.db', first.url)]
  await relayed(a, 'a 1', 'a 2')
  await relayed(b, 'b 1')
  await first.kill()
  copy('relay.db', 'older.db')
  const second = await relayOn('relay.db', first.port)
  await Promise.all([online(a), online(b)])
  await relayed(a, 'a 3', 'a 4')
  await relayed(b, 'b 2', 'b 3')
  await expect.poll(() => dataOf(a)).toHaveLength(7)
  await expect.poll(() => dataOf(b)).toHaveLength(7)
  await second.kill()
  copy('older.db', 'relay.db')
  await publish(a, 'a 5')

  const third = await relayOn('relay.db', first.port)
  const all = ['a 1', 'a 2', 'a 3', 'a 4', 'a 5', 'b 1', 'b 2', 'b 3']
  await expectSame([a, b], all)
  expect(a.gaps.map(({ reason }) => reason)).toContain('restored')
  expect(b.gaps.map(({ reason }) => reason)).toContain('restored')
  const answer = await fetch(`${third.http}/rooms/office/events?limit=100`)
  const events = (await answer.json()) as { events: { data: string }[] }
  expect(events.events.map(({ data }) => data).sort()).toEqual(all)
  const late = device('late.db', third.url)
  await expectSame([a, b, late], all)
})

test('a restored room that was fed again by others does not pass for the one a sleeping device knew', async () => {
  const first = await relayOn('relay.db')
  const [a, b, c] = [
    device('a.db', first.url),
    device('b.db', first.url),
    device('c.db', first.url),
  ]
  await relayed(a, 'kept')
  for (const one of [b, c]) await expect.poll(() => dataOf(one)).toEqual(['kept'])
  await Promise.all([b.close(), c.close()])
  await first.kill()
  copy('relay.db', 'older.db')

  // The room goes on as a 1, b 1, b 2, c 1; then everybody sleeps, and the room loses all of that.
  const second = await relayOn('relay.db', first.port)
  await online(a)
  await relayed(a, 'a 1')
  const awake = device('b.db', second.url)
  await relayed(awake, 'b 1', 'b 2')
  const last = device('c.db', second.url)
  await relayed(last, 'c 1')
  const all = ['a 1', 'b 1', 'b 2', 'c 1', 'kept']
  await expectSame([a, awake, last], all)
  const knew = (await logOf(a.bus)).at(-1)
  await Promise.all([a.close(), awake.close(), last.close()])
  await second.kill()
  copy('older.db', 'relay.db')

  // It is fed again without a, and with one event more of b: so c 1 stands where it stood.
  const third = await relayOn('relay.db', first.port)
  const room = async () => {
    const answer = await fetch(`${third.http}/rooms/office/events?limit=100`)
    const { events } = (await answer.json()) as { events: { data: string; position: string }[] }
    return events
  }
  const feeding = device('b.db', third.url)
  await relayed(feeding, 'b 3')
  const following = device('c.db', third.url)
  expect(await dataOf(following)).toContain('c 1')
  await expect
    .poll(async () => (await room()).map(({ data }) => data))
    .toEqual(['kept', 'b 1', 'b 2', 'b 3', 'c 1'])
  expect((await room()).at(-1)?.position).toBe(knew?.position)

  const woken = device('a.db', third.url)
  await expectSame([woken, feeding, following], [...all, 'b 3'])
  expect(woken.gaps.map(({ reason }) => reason)).toContain('restored')
})

test('a room made anew gets every device back, and no log doubles what it holds', async () => {
  const first = await relayOn('relay.db')
  const [a, b] = [device('a.db', first.url), device('b.db', first.url)]
  await relayed(a, 'a 1', 'a 2')
  await relayed(b, 'b 1')
  await expect.poll(() => dataOf(b)).toHaveLength(3)
  await first.kill()
  await relayOn('another.db', first.port)
  await publish(a, 'a 3')
  await expectSame([a, b], ['a 1', 'a 2', 'a 3', 'b 1'])
  expect(a.gaps.map(({ reason }) => reason)).toContain('new_epoch')
})

test("another user's token is refused, and nothing of the log is sent, until clear()", async () => {
  const relay = createRelay({
    auth: (token: string | undefined) => ({
      subject: token ?? '',
      rights: { publish: ['**'], subscribe: ['**'] },
    }),
  })
  const server = await serve(relay, { port: 0 })
  servers.push(server)
  const url = server.url.replace('http', 'ws')
  let user = 'ann'
  const first = device('a.db', url, () => user)
  await relayed(first, 'of ann')
  await first.close()
  user = 'bob'
  const second = device('a.db', url, () => user)
  await publish(second, 'not for bob')
  await expect.poll(() => second.bus.status.relay).toBe('refused')
  expect(second.bus.status.lastError?.code).toBe('subject_changed')

  await second.bus.clear()
  await relayed(second, 'of bob')
  expect(await dataOf(second)).not.toContain('not for bob')
  const watcher = device('w.db', url, () => 'bob')
  await expect.poll(() => dataOf(watcher)).toEqual(['of ann', 'of bob'])
})
