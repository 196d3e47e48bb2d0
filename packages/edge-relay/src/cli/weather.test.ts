/** What a relay process keeps when it is killed, asked to end, or given an older copy of its file. */
import { cpSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RawDevice } from '../testing/raw-device.ts'
import { endAll, type RelayProcessHandle, RUNTIMES } from '../testing/relay-process.ts'

let folder = ''
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-weather-'))
})
afterEach(endAll)
afterAll(() => rm(folder, { recursive: true, force: true }))

const newFile = (): string => join(folder, `${++files}.db`)

/** All ids of the room, in its order, over HTTP. */
async function readRoom(http: string): Promise<string[]> {
  const ids: string[] = []
  let after = ''
  for (;;) {
    const query = `limit=1000${after && `&after=${encodeURIComponent(after)}`}`
    const response = await fetch(`${http}/rooms/42/events?${query}`)
    const page = (await response.json()) as { events: { id: string }[]; next?: string }
    ids.push(...page.events.map(({ id }) => id))
    if (page.next === undefined) return ids
    after = page.next
  }
}

/** Every event of every device once, each device's in its order, and the same room on all. */
function expectWhole(room: readonly string[], devices: readonly RawDevice[]): void {
  for (const device of devices) {
    expect(device.room).toEqual(room)
    expect(room.filter((id) => id.startsWith(device.id))).toEqual(device.published)
  }
  expect(room.length).toBe(devices.reduce((sum, { published }) => sum + published.length, 0))
}

/** Devices that connect again and again, to whatever relay is there, until each has everything of all. */
class Devices {
  readonly all: readonly RawDevice[]

  constructor(ids: string, onAck: () => void = () => {}) {
    this.all = [...ids].map(
      (id) =>
        new RawDevice(id, (name) => {
          if (name === 'ack') onAck()
          if (this.#done) for (const device of this.all) device.close()
        }),
    )
  }

  async run(relay: () => Promise<RelayProcessHandle>): Promise<void> {
    await Promise.all(
      this.all.map(async (device) => {
        do await device.connect((await relay()).socket)
        while (!this.#done)
      }),
    )
  }

  get #done(): boolean {
    const total = this.all.reduce((sum, { published }) => sum + published.length, 0)
    return this.all.every(({ done, room }) => done && room.length === total)
  }
}

describe.each(RUNTIMES)('on $name', ({ start: startHere, hasProcesses }) => {
  const start = async (file: string): Promise<RelayProcessHandle> => {
    if (!startHere) throw new Error('it is not installed here')
    return startHere({ file })
  }
  const describeHere = describe.skipIf(!startHere)

  describeHere('a relay that is killed', { timeout: 60_000 }, () => {
    it('at any moment under load, again and again: has every acknowledged event once, and in order', async () => {
      const KILLS = 5
      const BATCHES = 120
      const file = newFile()
      let relay = start(file)
      let acks = 0
      let kills = 0
      // A different number of acks after each start, so that it dies in a different place.
      let next = 17
      const onAck = (): void => {
        acks += 1
        if (kills === KILLS || acks < next) return
        kills += 1
        next = acks + 13 + kills * 7
        const dying = relay
        relay = dying.then((process) => process.end('SIGKILL')).then(() => start(file))
      }
      const devices = new Devices('abcd', onAck)
      for (const device of devices.all) device.add(BATCHES)
      await devices.run(() => relay)
      expect(kills).toBe(KILLS)
      for (const { codes } of devices.all) expect(codes.length).toBeGreaterThan(1)
      const last = await relay
      expectWhole(await readRoom(last.url), devices.all)
      if (hasProcesses) expect(await last.end('SIGTERM')).toBe(0)
    })
  })

  // What follows is of processes that can be asked to end, on files that can be copied.
  if (!hasProcesses) return

  describeHere('a relay that is asked to end', { timeout: 60_000 }, () => {
    it('answers what it took, sends everyone away to come back at different times, and ends with 0', async () => {
      const file = newFile()
      const first = await start(file)
      let acks = 0
      let exited: Promise<number | null> | undefined
      const devices = new Devices('abcd', () => {
        // One that still connects would be turned away, not sent away.
        if (++acks >= 40 && devices.all.every(({ acked }) => acked.length > 0))
          exited ??= first.end('SIGTERM')
      })
      for (const device of devices.all) device.add(300)
      await Promise.all(devices.all.map((device) => device.connect(first.socket)))
      expect(await exited).toBe(0)
      for (const { codes, goaways, done } of devices.all) {
        expect(done).toBe(false)
        expect(codes).toEqual([3000])
        expect(goaways).toEqual([{ frame: 'goaway', afterMs: 500, jitterMs: 2_000 }])
      }
      const second = await start(file)
      // Nothing was taken without an answer: what was committed was acknowledged before the end.
      const acked = devices.all.flatMap((device) => device.acked)
      expect((await readRoom(second.url)).sort()).toEqual(acked.sort())
      await devices.run(async () => second)
      expectWhole(await readRoom(second.url), devices.all)
      expect(await second.end('SIGTERM')).toBe(0)
    })
  })

  describeHere('a relay that is given an older copy of its file', { timeout: 60_000 }, () => {
    it('says that it was restored, and is fed again by its devices: nothing lost, nothing twice', async () => {
      const file = newFile()
      const copy = newFile()
      const devices = new Devices('abc')
      const [a, b, c] = devices.all as [RawDevice, RawDevice, RawDevice]
      const first = await start(file)
      for (const device of devices.all) device.add(20)
      await devices.run(async () => first)
      expect(await first.end('SIGTERM')).toBe(0)
      cpSync(file, copy)

      const second = await start(file)
      a.add(10)
      b.add(10)
      await devices.run(async () => second)
      const { head: before } = (await (await fetch(`${second.url}/rooms/42/stats`)).json()) as Stats
      expect(await second.end('SIGTERM')).toBe(0)
      rmSync(file)
      cpSync(copy, file)

      const third = await start(file)
      const stats = (await (await fetch(`${third.url}/rooms/42/stats`)).json()) as Stats
      expect(stats).toMatchObject({ devices: 3 })
      expect(stats.head).not.toBe(before)
      await devices.run(async () => third)
      for (const device of devices.all) {
        const welcome = device.welcomes.find(({ reason }) => reason !== undefined)
        expect(welcome).toMatchObject({
          recovered: false,
          reason: 'restored',
          taken: { batch: 20 },
        })
        expect(welcome?.epoch).toBe(device.welcomes[0]?.epoch)
      }
      expect(c.published.length).toBeLessThan(a.published.length)
      expectWhole(await readRoom(third.url), devices.all)
      expect(await third.end('SIGTERM')).toBe(0)
    })
  })
})

interface Stats {
  readonly head: string
  readonly devices: number
}
