/** An engine that comes back with an older copy of what it had: from a backup, or from a replica that was behind. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Bus, createBus, memoryLog, relayLink } from '@crosstown/bus'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type EngineServer,
  type StartEngine,
  startNats,
  startPostgres,
  startRedis,
} from './testing/engine-servers.ts'
import { Gate } from './testing/kill-gate.ts'
import { STRACE } from './testing/power-cut.ts'
import { endAll, type RelayProcessHandle, RUNTIMES } from './testing/relay-process.ts'

const ENGINES = [
  ['PostgreSQL', startPostgres],
  ['Redis', startRedis],
  ['NATS', startNats],
] as const

const run = promisify(execFile)

const PER_DEVICE = 60

type Notes = { 'note.said': { readonly by: string; readonly n: number } }

interface Device {
  readonly bus: Bus<Notes>
  readonly gaps: string[]
  /** Ids, each time that a handler was given one. */
  readonly heard: string[]
}

const devices: Device[] = []

/** One that is in the room, and hears all that is said from now on. */
async function device(name: string, url: string): Promise<Device> {
  const gaps: string[] = []
  const heard: string[] = []
  const bus = createBus<Notes>({
    name: `${name}-${devices.length}`,
    log: memoryLog(),
    tabs: false,
    relay: relayLink({ url, room: '42' }),
    onGap: ({ reason }) => void gaps.push(reason),
    onError: () => {
      // That the relay, or its engine, is away.
    },
  })
  bus.subscribe('note.said', ({ id }) => void heard.push(id))
  const made = { bus, gaps, heard }
  devices.push(made)
  await expect.poll(() => bus.status.relay).toBe('online')
  return made
}

async function say(by: string, { bus }: Device, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await bus.publish('note.said', { by, n }, { until: 'relayed' })
}

/** Ids in the room, as its relay has it. */
async function room(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/rooms/42/events?type=note.said&limit=1000`)
  if (!answer.ok) throw new Error(await answer.text())
  return ((await answer.json()) as { events: { id: string }[] }).events.map(({ id }) => id)
}

/** Ids that are in the room, as the device's log has it: those it lost have no place there. */
async function logged({ bus }: Device): Promise<string[]> {
  const ids: string[] = []
  for await (const { id, position } of bus.replay({ order: 'room', pattern: 'note.said' }))
    if (position !== undefined) ids.push(id)
  return ids
}

describe.each(ENGINES)('%s, put back to an older copy', (_, start) => {
  let server: EngineServer
  let copy = ''
  let gate: Gate
  let relay: RelayProcessHandle

  const serve = async (): Promise<void> => {
    const [node] = RUNTIMES
    relay = (await node?.start?.({ args: ['--store', server.url] })) as RelayProcessHandle
    gate.lead(relay.url)
  }

  beforeEach(async () => {
    if (!start) return
    server = await (start as StartEngine)()
    copy = await mkdtemp(join(tmpdir(), 'restored-'))
    gate = await Gate.open({ up: () => {}, down: () => {} })
    await serve()
  })
  afterEach(async () => {
    await Promise.all(devices.splice(0).map(({ bus }) => bus.close()))
    if (!start) return
    await gate.close()
    await endAll()
    await server.stop()
    await rm(copy, { recursive: true, force: true })
  })

  /** While it is down: no engine takes kindly to being copied as it writes. */
  async function keepCopy(): Promise<void> {
    await server.kill()
    await run('cp', ['-a', `${server.folder}/.`, copy])
    await server.restart()
  }

  async function putBack(): Promise<void> {
    await server.kill()
    await run('find', [server.folder, '-mindepth', '1', '-delete'])
    await run('cp', ['-a', `${copy}/.`, server.folder])
    await server.restart()
  }

  const cases = [
    ['under a relay that stays', false],
    ['with its relay', true],
  ] as const
  it.skipIf(!start).each(cases)(
    '%s: devices are told, send their own again, and nothing is there twice',
    async (_title, withRelay) => {
      const [a, b] = [await device('a', gate.url), await device('b', gate.url)]
      await Promise.all([say('a', a, 1, 5), say('b', b, 1, 5)])
      await keepCopy()
      await Promise.all([say('a', a, 6, 10), say('b', b, 6, 10)])
      await expect.poll(() => a.heard.length + b.heard.length).toBe(40)
      if (withRelay) await relay.end('SIGKILL')
      if (withRelay) gate.cut()
      await putBack()
      if (withRelay) await serve()
      await say('a', a, 11, 11)
      await say('b', b, 11, 11)
      await expect.poll(async () => (await room(relay.url)).length).toBe(22)
      const ids = await room(relay.url)
      expect(new Set(ids).size).toBe(22)
      for (const each of [a, b]) {
        await expect.poll(() => logged(each)).toEqual(ids)
        expect(each.gaps).toEqual(['restored'])
        expect(each.heard.toSorted()).toEqual(ids.toSorted())
      }
    },
    180_000,
  )

  it.skipIf(!start)(
    'what nobody has any more stays lost: it is no more in the room, and those who heard it are told of a gap',
    async () => {
      const a = await device('a', gate.url)
      await say('a', a, 1, 3)
      await keepCopy()
      const gone = await device('gone', gate.url)
      await say('gone', gone, 1, 3)
      await expect.poll(() => a.heard.length).toBe(6)
      const lost = a.heard.slice(3)
      await gone.bus.clear()
      await gone.bus.close()
      await putBack()
      await say('a', a, 4, 4)
      const ids = await room(relay.url)
      expect(ids).toHaveLength(4)
      await expect.poll(() => logged(a)).toEqual(ids)
      expect(a.gaps).toEqual(['restored'])
      expect(ids.filter((id) => lost.includes(id))).toEqual([])
    },
    180_000,
  )
})

const WEAK = [
  ['PostgreSQL with synchronous_commit = off', startPostgres, [], '&synchronous_commit=off'],
  ['Redis with appendfsync everysec', startRedis, ['--appendonly', 'yes'], ''],
  ['Redis with snapshots only', startRedis, ['--appendonly', 'no', '--save', '60', '1'], ''],
  ['NATS that syncs every two minutes', startNats, ['jetstream: enabled'], ''],
] as const

describe.each(WEAK)('%s, after its machine lost its power', (_, start, settings, option) => {
  it.skipIf(!start || !STRACE)(
    'has all that its devices had published, each once: what it lost they send again',
    async () => {
      const server = await (start as StartEngine)({ settings, recorded: true })
      const gate = await Gate.open({ up: () => {}, down: () => {} })
      try {
        const [node] = RUNTIMES
        const args = ['--store', `${server.url}${option}`]
        const serve = () => node?.start?.({ args }) as Promise<RelayProcessHandle>
        const before = await serve()
        gate.lead(before.url)
        const both = [await device('a', gate.url), await device('b', gate.url)]
        const load = both.map((each, i) => say(`${i}`, each, 1, PER_DEVICE))
        await expect.poll(() => both[0]?.heard.length).toBeGreaterThan(PER_DEVICE / 2)
        const gone = before.end('SIGKILL')
        gate.cut()
        await Promise.all([gone, server.cutPower()])
        await server.restart()
        const after = await serve()
        gate.lead(after.url)
        await Promise.all(load)
        await expect.poll(async () => (await room(after.url)).length).toBe(2 * PER_DEVICE)
        const ids = await room(after.url)
        expect(new Set(ids).size).toBe(ids.length)
        for (const each of both) {
          await expect.poll(() => logged(each)).toEqual(ids)
          expect(each.heard.toSorted()).toEqual(ids.toSorted())
        }
      } finally {
        await Promise.all(devices.splice(0).map(({ bus }) => bus.close()))
        await gate.close()
        await endAll()
        await server.stop()
      }
    },
    180_000,
  )
})
