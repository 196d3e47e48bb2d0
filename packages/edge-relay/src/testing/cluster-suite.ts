/**
 * Two relays on one engine are one relay, also while one of them is killed, cut off from the engine, or
 * cut off from its devices: one order, nothing lost, nothing twice, and all see who is there.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { ClusterBus, type Witness } from './cluster-device.ts'
import { CutProxy, proxied } from './cut-proxy.ts'
import type { EngineServer, StartEngine } from './engine-servers.ts'
import { endAll, type RelayProcessHandle, RUNTIMES } from './relay-process.ts'

/** Long enough for a device to be missed, on a machine that has much else to do. */
const LONG = { timeout: 60_000, interval: 100 }

let devices: ClusterBus[] = []
let closing: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(devices.map(({ bus }) => bus.close({ timeout: 0 })))
  await endAll()
  for (const close of closing.reverse()) await close()
  devices = []
  closing = []
})

async function relayOn(url: string): Promise<RelayProcessHandle> {
  const start = RUNTIMES[0]?.start as NonNullable<(typeof RUNTIMES)[number]['start']>
  return start({ args: ['--store', url] })
}

const portOf = ({ url }: RelayProcessHandle): number => Number(new URL(url).port)

/** A way to a relay. */
async function door(relay: RelayProcessHandle): Promise<CutProxy> {
  const proxy = await CutProxy.open(portOf(relay))
  closing.push(() => proxy.close())
  return proxy
}

/** What is in the room, as the engine has it. */
async function roomAt({ url }: RelayProcessHandle): Promise<string[]> {
  const ids: string[] = []
  for (let after = ''; ; ) {
    const page = await fetch(`${url}/rooms/town/events?limit=500${after}`)
    const { events, next } = (await page.json()) as { events: { id: string }[]; next?: string }
    ids.push(...events.map(({ id }) => id))
    if (next === undefined || events.length === 0) return ids
    after = `&after=${encodeURIComponent(next)}`
  }
}

const names = (): string[] => devices.map(({ name }) => name).sort()
const allSee = (which: readonly ClusterBus[], seen: readonly string[]): Promise<void> =>
  expect.poll(() => which.map(({ sees }) => sees), LONG).toEqual(which.map(() => seen))

/** All that must hold at the end, however it came to that. */
async function check(relay: RelayProcessHandle, { confirmed, done }: Witness): Promise<void> {
  for (const device of devices) await device.confirmed()
  const room = await roomAt(relay)
  expect(new Set(room).size).toBe(room.length)
  expect([...confirmed.keys()].filter((id) => !room.includes(id))).toEqual([])
  expect(room).toHaveLength(confirmed.size)
  // Who said something, in which order.
  const said = Map.groupBy(
    room.map((id) => confirmed.get(id) as string),
    (what) => what.slice(0, what.lastIndexOf(' ')),
  )
  for (const [by, all] of said) expect(all).toEqual(all.map((_, n) => `${by} ${n + 1}`))
  const words = room
    .map((id) => confirmed.get(id) as string)
    .filter((what) => !what.startsWith('job of '))
  for (const device of devices) {
    await expect.poll(() => device.log(), LONG).toEqual(room)
    await expect.poll(() => device.heard.toSorted(), LONG).toEqual(words.toSorted())
  }
  const jobs = [...confirmed.values()].filter((what) => what.startsWith('job of '))
  await expect
    .poll(() => [...done.keys()].map((job) => `job of ${job}`).sort(), LONG)
    .toEqual(jobs.sort())
  // Only what was leased once more may have been done once more.
  for (const attempts of done.values())
    expect(attempts.length).toBeLessThanOrEqual(Math.max(...attempts))
  const groups = async (): Promise<unknown> =>
    (await fetch(`${relay.url}/rooms/town/groups`)).json()
  await expect.poll(groups, LONG).toMatchObject({ groups: [{ leased: 0, waiting: 0, dead: 0 }] })
  for (const { errors, name } of devices) expect([name, errors]).toEqual([name, []])
}

/** Each engine has a test file of its own, so that they are tried at once: most of it is waiting. */
export function clusterSuite(name: string, start: StartEngine | undefined): void {
  describe.skipIf(!start)(`two relays on ${name}`, () => {
    async function setup() {
      const server: EngineServer = await (start as StartEngine)()
      closing.push(() => server.stop())
      const way = await proxied(server.url)
      closing.push(() => way.proxy.close())
      const [a, b] = [await relayOn(server.url), await relayOn(way.url)]
      const doors = [await door(a), await door(b)] as const
      const witness: Witness = { confirmed: new Map(), done: new Map() }
      devices = ['ann', 'ben', 'cem', 'dot'].map(
        (name, i) => new ClusterBus(name, (doors[i % 2] as CutProxy).port, witness),
      )
      for (const device of devices) device.work()
      await allSee(devices, names())
      for (const device of devices) device.say(5)
      return { server, a, b, doors, engine: way.proxy, witness }
    }

    it('are one: devices at both see and ask each other, and share their work', async () => {
      const { a, b, witness } = await setup()
      const [ann, ben, cem] = devices as [ClusterBus, ClusterBus, ClusterBus]
      ben.respond()
      await expect
        .poll(() => ann.bus.request('who.is', 'ann').catch(({ code }) => code), LONG)
        .toBe('ben to ann')
      // Large enough that no notification could hold it.
      const long = 'x'.repeat(100_000)
      expect(await cem.bus.request('who.is', long)).toBe(`ben to ${long}`)
      for (const relay of [a, b]) await check(relay, witness)
    })

    it('one is killed: its devices go on at the other, and nobody was gone', async () => {
      const { a, b, doors, witness } = await setup()
      const [ann, ben] = devices as [ClusterBus, ClusterBus]
      const seen: string[][] = []
      ben.bus.presence.subscribe(() => void seen.push(ben.sees))
      for (const device of devices) device.say(20)
      doors[0].lead(portOf(b))
      await a.end('SIGKILL')
      for (const device of devices) device.say(20)
      await allSee(devices, names())
      ann.respond()
      await expect
        .poll(() => ben.bus.request('who.is', 'ben').catch(({ code }) => code), LONG)
        .toBe('ann to ben')
      await check(b, witness)
      // Those who come back in time were there all along.
      expect(seen.filter((names) => !names.includes('ann'))).toEqual([])
    })

    it('one is killed with its devices: they are gone, and what they held is done by others', async () => {
      const { a, b, doors, witness } = await setup()
      const [ann, ben, cem, dot] = devices as [ClusterBus, ClusterBus, ClusterBus, ClusterBus]
      for (const device of devices) await device.confirmed()
      let asked: string[] = []
      for (const device of [ann, cem])
        device.bus.respond('who.is', () => {
          asked.push(device.name)
          return new Promise(() => {})
        })
      const asking = expect
        .poll(() => asked.length, LONG)
        .toBe(2)
        .then(() => a.end('SIGKILL'))
      let code: unknown
      for (let tries = 0; asked.length === 0 && tries < 100; tries++) {
        asked = []
        code = await ben.bus
          .request('who.is', 'ben', { timeout: 50_000 })
          .catch((error: { code: string }) => error.code)
      }
      await asking
      expect(code).toBe('no_responder')
      doors[0].refuse()
      await allSee([ben, dot], ['ben', 'dot'])
      for (const device of [ben, dot]) device.say(10)
      doors[0].lead(portOf(b))
      doors[0].heal()
      await allSee(devices, names())
      await check(b, witness)
    })

    it.each(['silence', 'refuse'] as const)(
      'one is cut off from the engine (%s): what it is given waits, and is there once when it is back',
      async (how) => {
        const { a, b, engine, witness } = await setup()
        const [ann, ben, cem, dot] = devices as [ClusterBus, ClusterBus, ClusterBus, ClusterBus]
        engine[how]()
        for (const device of devices) device.say(20)
        // To those at the one its devices are gone, and the other way round.
        await allSee([ann, cem], ['ann', 'cem'])
        await allSee([ben, dot], ['ben', 'dot'])
        for (const device of [ann, cem]) device.say(10)
        for (const device of [ann, cem]) await device.confirmed()
        engine.heal()
        await allSee(devices, names())
        for (const relay of [a, b]) await check(relay, witness)
      },
    )

    it('one is cut off from its devices, which come to the other: nobody was gone', async () => {
      const { a, b, doors, witness } = await setup()
      const [ann, ben] = devices as [ClusterBus, ClusterBus]
      const seen: string[][] = []
      ann.bus.presence.subscribe(() => void seen.push(ann.sees))
      doors[1].lead(portOf(a))
      for (const device of devices) device.say(20)
      doors[1].refuse()
      for (const device of devices) device.say(20)
      doors[1].heal()
      await expect.poll(() => ben.bus.status.relay, LONG).toBe('online')
      await allSee(devices, names())
      for (const relay of [a, b]) await check(relay, witness)
      expect(seen.filter((names) => !names.includes('ben'))).toEqual([])
    })
  })
}
