/**
 * One run of the kill test: five devices publish, the relay is killed at a moment that the seed chose,
 * and started again on what it had written. Then everything that was confirmed has to be in the room
 * and in every log, once, in one order, and nothing else.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Random } from '@crosstown/bus/testing'
import { type Aim, aimFor, Trigger } from './kill-aim.ts'
import { KillDevice, type Said, type Seen } from './kill-device.ts'
import { Gate } from './kill-gate.ts'
import type { RelayProcessHandle } from './relay-handle.ts'
import type { Runtime } from './relay-process.ts'

const DEVICES = 5
/** Every so many runs the relay is killed a second time, while the devices come back. */
const TWICE_EVERY = 3

/** What became of one run. */
export interface KillReport {
  readonly seed: number
  readonly aims: readonly Aim[]
  /** Events published. */
  readonly published: number
  /** Of these, the ones confirmed to their publishers when the relay was killed. */
  readonly confirmedBefore: number
  /** Confirmed events that the room does not have, or has elsewhere than it said. */
  readonly lost: number
  /** Events that the room, or a log, has more than once. */
  readonly doubled: number
  /** What else is not as it must be; empty where all is well. */
  readonly faults: readonly string[]
  readonly ms: number
}

/** Chance of its own for each part of a run, so that what one part draws changes nothing for the others. */
function chanceOf(seed: number, part: number): Random {
  return new Random(seed * (DEVICES + 1) + part)
}

/** When the relay is killed in the run of a seed. */
export function aimsOf(seed: number): Aim[] {
  const random = chanceOf(seed, DEVICES)
  const aims = [aimFor(seed, random)]
  if (seed % TWICE_EVERY === 0) aims.push(aimFor(random.below(4), random))
  return aims
}

/**
 * @param folder an empty one, for the logs and the store
 * @throws where a relay does not start
 */
export async function killRun(runtime: Runtime, seed: number, folder: string): Promise<KillReport> {
  if (!runtime.start) throw new Error(`${runtime.name} is not installed here`)
  const began = performance.now()
  const run = new Run(runtime.start, seed, folder)
  return { ...(await run.play()), ms: performance.now() - began }
}

class Run {
  readonly #start: NonNullable<Runtime['start']>
  readonly #seed: number
  readonly #folder: string
  #trigger: Trigger | undefined

  constructor(start: NonNullable<Runtime['start']>, seed: number, folder: string) {
    this.#start = start
    this.#seed = seed
    this.#folder = folder
  }

  async play(): Promise<Omit<KillReport, 'ms'>> {
    await mkdir(this.#store)
    const gate = await Gate.open({
      up: (chunk) => this.#trigger?.up(chunk),
      down: (chunk) => this.#trigger?.down(chunk),
    })
    let relay: RelayProcessHandle | undefined
    const devices = Array.from({ length: DEVICES }, (_, i) => {
      const name = 'abcde'.charAt(i)
      return new KillDevice(name, gate.url, this.#folder, chanceOf(this.#seed, i))
    })
    try {
      relay = await this.#open(gate)
      let stopped = false
      const load = devices.map((device) => device.publishUntil(() => stopped))
      const aims = aimsOf(this.#seed)
      let confirmed: Seen[] = []
      for (const aim of aims) {
        await Promise.race([this.#kill(aim, relay, gate), Promise.all(load)])
        confirmed = devices.flatMap((device) => [...device.confirmed.values()])
        relay = await this.#open(gate)
      }
      stopped = true
      await Promise.all(load)
      await devices[0]?.bus.publish('load.ended', null, { until: 'relayed' })
      await Promise.all(devices.map(({ ended }) => ended))
      const room = await readRoom(relay.url)
      const logs = await Promise.all(devices.map((device) => device.read('room')))
      const own = await Promise.all(devices.map((device) => device.read('device')))
      return {
        seed: this.#seed,
        aims,
        published: devices.reduce((sum, { said }) => sum + said.length, 0),
        confirmedBefore: confirmed.length,
        ...judge(devices, confirmed, room, logs, own),
      }
    } finally {
      this.#trigger?.stop()
      await Promise.all(devices.map(({ bus }) => bus.close()))
      await gate.close()
      await relay?.end('SIGKILL')
    }
  }

  get #store(): string {
    return join(this.#folder, 'relay')
  }

  async #open(gate: Gate): Promise<RelayProcessHandle> {
    const relay = await this.#start({ file: join(this.#store, 'events.db') })
    gate.lead(relay.url)
    return relay
  }

  /** Resolves when it is gone. */
  async #kill(aim: Aim, relay: RelayProcessHandle, gate: Gate): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#trigger = new Trigger(aim, this.#store, () => {
        const gone = relay.end('SIGKILL')
        gate.cut()
        gone.then(() => resolve(), reject)
      })
    })
  }
}

/** All events of the room, in its order, over HTTP. */
async function readRoom(url: string): Promise<Seen[]> {
  const seen: Seen[] = []
  let after = ''
  for (;;) {
    const query = `type=load.said&limit=1000${after && `&after=${encodeURIComponent(after)}`}`
    const response = await fetch(`${url}/rooms/42/events?${query}`)
    const page = (await response.json()) as {
      events: { id: string; position: string; data: Said }[]
      next?: string
    }
    seen.push(...page.events.map(({ id, position, data }) => ({ id, position, said: data })))
    if (page.next === undefined) return seen
    after = page.next
  }
}

/** Holds what was confirmed, and what was published, against the room and all logs. */
function judge(
  devices: readonly KillDevice[],
  confirmedBefore: readonly Seen[],
  room: readonly Seen[],
  logs: readonly Seen[][],
  own: readonly Seen[][],
): Pick<KillReport, 'lost' | 'doubled' | 'faults'> {
  const faults: string[] = []
  const must = (holds: boolean, what: string): void => {
    if (!holds) faults.push(what)
  }
  const places = new Map(room.map((seen) => [seen.id, seen]))
  const confirmed = devices.flatMap((device) => [...device.confirmed.values()])
  const lost = [...confirmedBefore, ...confirmed].filter(
    (seen) => !isDeepStrictEqual(places.get(seen.id), seen),
  )
  const doubled = [room, ...logs, ...own].reduce(
    (sum, list) => sum + list.length - new Set(list.map(({ id }) => id)).size,
    0,
  )
  for (const [i, device] of devices.entries()) {
    const { name, said, failures } = device
    for (const failure of failures) faults.push(`${name} was told ${JSON.stringify(failure)}`)
    must(device.confirmed.size === said.length, `${name} has unconfirmed events`)
    const inRoom = room.flatMap((seen) => (seen.said.by === name ? [seen.said] : []))
    must(isDeepStrictEqual(inRoom, said), `the room has other events of ${name} than it published`)
    must(isDeepStrictEqual(logs[i], room), `the log of ${name} is not the room`)
    const inLog = (own[i] ?? []).flatMap((seen) => (seen.said.by === name ? [seen.said] : []))
    must(isDeepStrictEqual(inLog, said), `the log of ${name} has its own events in another order`)
  }
  const published = devices.reduce((sum, { said }) => sum + said.length, 0)
  must(room.length === published, `the room has ${room.length} events, ${published} were published`)
  must(places.size === room.length, 'the room has an event twice')
  return { lost: lost.length, doubled, faults }
}
