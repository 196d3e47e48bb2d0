/** Two thousand devices that are gone at once, and come back: over real sockets, on a real store. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { createRelay } from './relay.ts'
import { type RelayServer, serve } from './runtimes/node.ts'
import { sqliteStore } from './stores/sqlite.ts'
import { CountingStore } from './testing/counting-store.ts'
import { RawDevice } from './testing/raw-device.ts'

const DEVICES = 2_000
const ROOM = '42'
const PATIENCE = { timeout: 120_000 }
/** They share a machine with the relay: how soon it gets to each says nothing of it. */
const LIMITS = { helloMs: 120_000 }

let folder = ''
let server: RelayServer | undefined
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-storm-'))
})
afterEach(() => server?.close())
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Until it was welcomed: a handshake may end for want of time, where two thousand share a machine. */
async function come(device: RawDevice, url: string): Promise<void> {
  const welcomes = device.welcomes.length
  do await device.connect(url)
  while (device.welcomes.length === welcomes && server)
}

/** All of them, and a relay on a file; they stay through its restarts. */
class Storm {
  readonly devices: readonly RawDevice[] = Array.from(
    { length: DEVICES },
    (_, i) => new RawDevice(`d${i}`, () => {}),
  )
  readonly #file: string
  #ends: Promise<void>[] = []
  #published = 0

  constructor(file: string) {
    this.#file = file
  }

  /** A relay on the file, and what it asks of its store. */
  async start(): Promise<CountingStore> {
    const counting = new CountingStore(sqliteStore(this.#file))
    server = await serve(createRelay({ store: counting.store, limits: LIMITS }), { port: 0 })
    return counting
  }

  async publish(count: number): Promise<void> {
    const events = Array.from({ length: count }, () => ({ type: 'a.b', data: ++this.#published }))
    const answer = await fetch(`${server?.url}/rooms/${ROOM}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(events),
    })
    expect(answer.status).toBe(201)
  }

  /** All of them come at once; resolves when each has everything. */
  async join(): Promise<void> {
    const url = `${server?.url.replace('http', 'ws')}/rooms/${ROOM}/socket`
    this.#ends = this.devices.map((device) => come(device, url))
    await vi.waitFor(() => {
      expect(this.devices.filter(({ room }) => room.length < this.#published)).toHaveLength(0)
    }, PATIENCE)
  }

  /** Resolves when all are gone; throws where the relay broke a promise to one of them. */
  async gone(): Promise<void> {
    await Promise.all(this.#ends)
  }

  expectWhole(): void {
    const [first] = this.devices
    expect(new Set(first?.room).size).toBe(this.#published)
    for (const { room, welcomes } of this.devices) {
      expect(room).toEqual(first?.room)
      expect(welcomes.at(-1)?.recovered).toBe(true)
    }
  }
}

it('two thousand devices that come back at once, after their sockets broke off or a relay sent them away spread out, read a room once', async () => {
  const storm = new Storm(join(folder, 'events.db'))
  let asked = await storm.start()
  await storm.publish(50)
  await storm.join()

  for (const device of storm.devices) device.close()
  await storm.gone()
  await storm.publish(300)
  asked.reset()
  await storm.join()
  // Retention looks after a room that grew, whoever is in it.
  const { first = 0, read = 0, trim: _, ...others } = asked.of(ROOM)
  expect(others).toEqual({})
  expect(first).toBeLessThanOrEqual(1)
  expect(read).toBeLessThanOrEqual(1)
  storm.expectWhole()

  await server?.close()
  await storm.gone()
  for (const { codes, goaways } of storm.devices) {
    expect(codes.at(-1)).toBe(3000)
    // At most one in a millisecond.
    expect(goaways).toEqual([{ frame: 'goaway', afterMs: 500, jitterMs: DEVICES }])
  }
  asked = await storm.start()
  await storm.publish(300)
  asked.reset()
  // None waits for as long as it was told: nothing worse can come.
  await storm.join()
  const { trim: __, ...again } = asked.of(ROOM)
  expect(again).toEqual({ first: 1, read: 1 })
  storm.expectWhole()
}, 400_000)
