/**
 * One run of the kill test: five devices publish, the relay or the engine under it is killed at a moment
 * that the seed chose, and started again on what it had written. Then everything that was confirmed has
 * to be in the room and in every log, once, in one order, and nothing else.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Random } from '@crosstown/bus/testing'
import type { StoredEvent } from './engine-readers.ts'
import { type Aim, aimFor, isSqlite, Trigger } from './kill-aim.ts'
import { KillDevice, type Seen } from './kill-device.ts'
import { Gate } from './kill-gate.ts'
import { readRoom } from './read-room.ts'
import { type RelayProcessHandle, ROOM } from './relay-handle.ts'
import type { Runtime } from './relay-process.ts'
import type { WorkerHandle } from './worker-process.ts'

const DEVICES = 5
/** A run takes seconds; on a machine with much else to do, minutes. */
const PATIENCE_MS = 150_000
/** Every so many runs the relay is killed a second time, while the devices come back. */
const TWICE_EVERY = 3
/** On workerd in turn. */
const ENDINGS: readonly Ending[] = ['hibernate', 'kill', 'close']
/** In every run on an engine, one way or the other round. */
const ENGINE_ENDINGS: readonly Ending[] = ['engine', 'kill']

/** An engine is told of several batches before its files change once: so many times as seldom as SQLite's. */
const ENGINE_WRITES = 5

/**
 * What ends by SIGKILL: the relay (`kill`), the `engine` under it, `both`. Or, on workerd, the room is put
 * out of memory as an idle one is, whose sockets stay and wake it up again, or go with it.
 */
export type Ending = 'kill' | 'engine' | 'both' | 'hibernate' | 'close'

/** One end of a relay, of its room, or of its engine. */
export interface Strike extends Aim {
  readonly by: Ending
}

/** What became of one run. */
export interface KillReport {
  readonly seed: number
  readonly strikes: readonly Strike[]
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

/** What ends in the run of a seed, and when. With an engine, both it and the relay do in every run. */
export function strikesOf(seed: number, hasEngine = false): Strike[] {
  const random = chanceOf(seed, DEVICES)
  const twice = seed % TWICE_EVERY === 0
  const engineEnds: Ending[] = [...ENGINE_ENDINGS, ...(twice ? (['both'] as const) : [])]
  if (seed % 2 === 0) engineEnds.reverse()
  const strikes = hasEngine ? engineEnds.length : twice ? 2 : 1
  return Array.from({ length: strikes }, (_, i) => {
    const by = hasEngine ? engineEnds[i] : ENDINGS[(seed + i) % ENDINGS.length]
    const aim = aimFor(i === 0 ? seed : random.below(4), random)
    const seldom = hasEngine && aim.at === 'write'
    const count = seldom ? Math.ceil(aim.count / ENGINE_WRITES) : aim.count
    return { ...aim, count, by: by as Ending }
  })
}

/**
 * @param folder an empty one, for the logs and the store
 * @throws where a relay does not start
 */
export async function killRun(runtime: Runtime, seed: number, folder: string): Promise<KillReport> {
  if (!runtime.start) throw new Error(`${runtime.name} is not installed here`)
  const began = performance.now()
  const run = new Run(runtime.start, strikesOf(seed, runtime.hasEngine), seed, folder)
  return { ...(await run.play()), ms: performance.now() - began }
}

class Run {
  readonly #start: NonNullable<Runtime['start']>
  readonly #wanted: readonly Strike[]
  readonly #seed: number
  readonly #folder: string
  readonly #broken = Promise.withResolvers<never>()
  /** Relays that are asked to end, or killed. */
  readonly #ending = new WeakSet<object>()
  #trigger: Trigger | undefined

  constructor(
    start: NonNullable<Runtime['start']>,
    wanted: readonly Strike[],
    seed: number,
    folder: string,
  ) {
    this.#start = start
    this.#wanted = wanted
    this.#seed = seed
    this.#folder = folder
    this.#broken.promise.catch(() => {})
  }

  async play(): Promise<Omit<KillReport, 'ms'>> {
    const patience = setTimeout(() => {
      this.#broken.reject(new Error(`seed ${this.#seed} stands still`))
    }, PATIENCE_MS)
    try {
      return await Promise.race([this.#play(), this.#broken.promise])
    } finally {
      clearTimeout(patience)
    }
  }

  async #play(): Promise<Omit<KillReport, 'ms'>> {
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
      const strikes: Strike[] = []
      let confirmed: Seen[] = []
      for (const wanted of this.#wanted) {
        const struck = this.#strike(wanted, relay, gate)
        const by = await Promise.race([struck, Promise.all(load).then((): Ending => 'kill')])
        strikes.push({ ...wanted, by })
        confirmed = devices.flatMap((device) => [...device.confirmed.values()])
        if (by !== 'hibernate' && by !== 'close') relay = await this.#open(gate)
      }
      stopped = true
      await Promise.all(load)
      await devices[0]?.bus.publish('load.ended', null, { until: 'relayed' })
      await Promise.all(devices.map(({ ended }) => ended))
      const room = await readRoom(relay.url)
      const logs = await Promise.all(devices.map((device) => device.read('room')))
      const own = await Promise.all(devices.map((device) => device.read('device')))
      const stored = await relay.engine?.read(ROOM, 'load.said')
      return {
        seed: this.#seed,
        strikes,
        published: devices.reduce((sum, { said }) => sum + said.length, 0),
        confirmedBefore: confirmed.length,
        ...judge(devices, confirmed, room, logs, own, stored),
      }
    } finally {
      this.#trigger?.stop()
      await Promise.all(devices.map(({ bus }) => bus.close()))
      await gate.close()
      if (relay) await this.#end(relay)
    }
  }

  async #end(relay: RelayProcessHandle): Promise<void> {
    if (relay.ended) this.#ending.add(relay.ended)
    await relay.end('SIGKILL')
  }

  get #store(): string {
    return join(this.#folder, 'relay')
  }

  async #open(gate: Gate): Promise<RelayProcessHandle> {
    const relay = await this.#start({ file: join(this.#store, 'events.db') })
    gate.lead(relay.url)
    const { ended } = relay
    void ended?.then((code) => {
      if (this.#ending.has(ended)) return
      const what = `the relay ended by itself with ${code}: ${relay.output()}`
      this.#broken.reject(new Error(`seed ${this.#seed}: ${what}`))
    })
    return relay
  }

  /** Resolves when it is gone, with how. */
  async #strike({ by, ...aim }: Strike, relay: RelayProcessHandle, gate: Gate): Promise<Ending> {
    const { engine } = relay
    const end = async (): Promise<Ending> => {
      if (by === 'hibernate' || by === 'close') {
        if (canEvict(relay) && (await evicted(relay, by, gate))) return by
      }
      const engineGone = by === 'engine' || by === 'both' ? engine?.kill() : undefined
      if (by !== 'engine') {
        const gone = this.#end(relay)
        gate.cut()
        await gone
      }
      await engineGone
      return engine ? by : 'kill'
    }
    return new Promise((resolve, reject) => {
      const hit = (): void => void end().then(resolve, reject)
      this.#trigger = engine
        ? new Trigger(aim, engine.folder, () => true, hit)
        : new Trigger(aim, this.#store, isSqlite, hit)
    })
  }
}

/** Whether workerd put the room out of memory: some it does not let go of. */
async function evicted(
  relay: WorkerHandle,
  by: 'hibernate' | 'close',
  gate: Gate,
): Promise<boolean> {
  // It does that between two messages only: those to come wait on their way.
  const release = await gate.hold()
  try {
    await relay.evict(by)
    return true
  } catch {
    return false
  } finally {
    release()
  }
}

function canEvict(relay: RelayProcessHandle): relay is WorkerHandle {
  return 'evict' in relay
}

/** Holds what was confirmed, and what was published, against the room, all logs, and the engine. */
function judge(
  devices: readonly KillDevice[],
  confirmedBefore: readonly Seen[],
  room: readonly Seen[],
  logs: readonly Seen[][],
  own: readonly Seen[][],
  stored: readonly StoredEvent[] | undefined,
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
  const inEngine = stored?.map(({ id, data }) => ({ id, said: data }))
  const told = room.map(({ id, said }) => ({ id, said }))
  must(!inEngine || isDeepStrictEqual(inEngine, told), 'the engine has other events than the room')
  return { lost: lost.length, doubled, faults }
}
