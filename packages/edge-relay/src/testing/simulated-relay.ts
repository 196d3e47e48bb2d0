/**
 * The relay of a test network: the real rooms, connections and memory store, in a process that can
 * end at any step. Each read and write of the store takes its time, so that a crash falls between
 * a commit and what leaves after it.
 */
import { checkOf } from '@crosstown/bus/protocol'
import type {
  Joined,
  ReadEvent,
  RelayHost,
  RelayProcess,
  RelayProgram,
  RoomContents,
  SignalFaults,
  StoreLink,
} from '@crosstown/bus/testing'
import { type Auth, authenticate } from '../auth.ts'
import type { DeviceRow } from '../commands.ts'
import { parsePost } from '../http/publish.ts'
import { parseQuery } from '../http/query.ts'
import { readPage } from '../http/read.ts'
import { type Limits, resolveLimits } from '../limits.ts'
import type { Platform } from '../platform.ts'
import { headPosition, positionIn } from '../record.ts'
import { Rooms } from '../rooms.ts'
import { sharedReads } from '../shared-reads.ts'
import { memoryStore } from '../stores/memory.ts'
import { DEVICE_KEY, type StatePut, type Store } from '../stores/store.ts'
import { Committed } from './committed.ts'
import { SimulatedSignals } from './simulated-signals.ts'
import { SimulatedStore, type StoreFaults, type Write } from './simulated-store.ts'

export interface SimulatedRelayOptions {
  /** @default everyone may do everything */
  readonly auth?: Auth
  readonly limits?: Partial<Limits>
  /** Told of what the relay reports. @default ignored */
  readonly onError?: (error: unknown) => void
}

/**
 * The relay for `createTestNetwork`.
 *
 * @example
 * const network = createTestNetwork({ seed: 1, relay: simulatedRelay() })
 */
export function simulatedRelay(options: SimulatedRelayOptions = {}): RelayProgram {
  return new SimulatedRelay(options)
}

class SimulatedRelay implements RelayProgram {
  readonly #options: SimulatedRelayOptions
  /** Every write that was committed: the store is made anew from them. */
  readonly #journal: Write[] = []
  /** Ids of what rooms lost, by room. */
  readonly #lost = new Map<string, Set<string>>()
  /** Ids of what they had trimmed away when they were restored. */
  readonly #returned = new Map<string, Set<string>>()
  readonly #committed = new Committed()
  readonly joined: Joined[] = []
  readonly #faults: StoreFaults = { failure: 0 }
  readonly #signals = new SimulatedSignals()
  #store: Store = memoryStore()

  constructor(options: SimulatedRelayOptions) {
    this.#options = options
  }

  get violations(): readonly string[] {
    return this.#committed.violations
  }

  fail(probability: number): void {
    this.#faults.failure = probability
  }

  link(node: number, link: StoreLink): void {
    this.#signals.link(node, link)
  }

  signals(faults: SignalFaults | undefined): void {
    this.#signals.faults = faults
  }

  get writes(): number {
    return this.#journal.length
  }

  start(host: RelayHost): RelayProcess {
    const { auth, limits, onError = () => {} } = this.#options
    const written = (write: Write): void => {
      this.#journal.push(write)
      this.#committed.add(write.room, write.append?.records ?? [])
      this.#join(write.append?.state ?? [])
    }
    const access = host.nodes > 1 ? this.#signals.access(host) : undefined
    const store = new SimulatedStore(this.#store, host, this.#faults, written, access)
    const platform = platformOf(host)
    const resolved = resolveLimits(limits)
    const patience = { limits: resolved, platform }
    const shared = access ? sharedReads(store) : store
    const rooms = new Rooms({ store: shared, auth, ...patience, report: onError })
    return {
      accept: (end, room) =>
        this.#committed.watch(room, end, (watched) => rooms.accept(watched, { room })),
      async post(name, body) {
        const asked = { room: name }
        const { subject, rights } = await authenticate(auth, undefined, asked, patience, onError)
        const defaults = { subject, time: platform.now() }
        const events = await parsePost(body, resolved.postEvents, defaults, platform.sha256)
        const room = rooms.host(name)
        const mayPublish = room.publishRights(rights.publish)
        const bytes = JSON.stringify(body).length
        const posted = await room.post({ mayPublish, events }, bytes)
        return posted.events.map(({ existing: _, ...event }) => event)
      },
      async read(name, text) {
        const asked = { room: name }
        const identity = await authenticate(auth, undefined, asked, patience, onError)
        const query = parseQuery(new URLSearchParams(text), 'page', resolved.pageEvents)
        const page = await readPage(
          { store: shared, platform, readers: rooms.readers },
          { ...asked, identity, query, known: undefined, signal: new AbortController().signal },
        )
        return (JSON.parse(page.text ?? '{}') as { events: ReadEvent[] }).events
      },
      drain: () => rooms.close(),
    }
  }

  #join(state: readonly StatePut[]): void {
    for (const [key, value] of state) {
      if (!key.startsWith(DEVICE_KEY)) continue
      const device = key.slice(DEVICE_KEY.length)
      const { log, subject } = JSON.parse(value) as DeviceRow
      const known = this.joined.find((one) => one.device === device && one.subject === subject)
      if (known) known.lost = false
      else this.joined.push({ device, log, subject, lost: false })
    }
  }

  async restore(writes: number): Promise<void> {
    for (const name of new Set(this.#journal.map(({ room }) => room))) {
      const { came, events, returned } = await this.room(name)
      const kept = new Set(events.map(({ id }) => id))
      const gone = [...came.keys()].filter((id) => !kept.has(id))
      this.#returned.set(name, new Set([...returned, ...gone]))
    }
    this.#lose(writes)
    this.#store = memoryStore()
    this.#committed.clear()
    for (const { room, append, to } of this.#journal) {
      await to(this.#store)
      this.#committed.add(room, append?.records ?? [])
    }
  }

  wipe(): void {
    this.#lose(0)
    this.#committed.clear()
    this.#store = memoryStore()
  }

  async head(room: string): Promise<string | undefined> {
    const head = await this.#store.head(room)
    return head && headPosition(head)
  }

  async room(name: string): Promise<RoomContents> {
    const head = await this.#store.head(name)
    const came = this.#came(name)
    const lost = this.#lost.get(name) ?? new Set()
    const returned = this.#returned.get(name) ?? new Set()
    if (!head) return { head: undefined, trimmed: 0, events: [], came, lost, returned }
    const records = await this.#store.read(name, 0, {
      events: Number.MAX_SAFE_INTEGER,
      bytes: Number.MAX_SAFE_INTEGER,
    })
    const events = records.flatMap((record) =>
      record.headers.map(({ id, type, stream, revision }, i) => ({
        id,
        type,
        ...(stream !== undefined && { stream }),
        ...(revision !== undefined && { revision }),
        position: positionIn(head.epoch, record, record.place + i),
        data: record.data[i] as string,
      })),
    )
    const { place: trimmed } = await this.#store.first(name)
    return { head: headPosition(head), trimmed, events, came, lost, returned }
  }

  #lose(from: number): void {
    for (const one of this.joined) one.lost = true
    for (const { append } of this.#journal.slice(0, from)) this.#join(append?.state ?? [])
    for (const { room, append } of this.#journal.splice(from)) {
      const lost = this.#lost.get(room) ?? new Set()
      this.#lost.set(room, lost)
      for (const { headers } of append?.records ?? []) for (const { id } of headers) lost.add(id)
    }
  }

  #came(name: string): Map<string, number> {
    const came = new Map<string, number>()
    for (const { room, append } of this.#journal) {
      if (room !== name) continue
      for (const { headers } of append?.records ?? [])
        for (const { id } of headers) came.set(id, (came.get(id) ?? 0) + 1)
    }
    return came
  }
}

function platformOf(host: RelayHost): Platform {
  return {
    now: () => host.now(),
    monotonic: () => host.monotonic(),
    every(intervalMs, run) {
      let cancel = (): void => {}
      const again = (): void => {
        cancel = host.timer(intervalMs, 'relay tick', () => {
          again()
          run()
        })
      }
      again()
      return () => cancel()
    },
    soon: (run) => void host.timer(0, 'relay turn', run),
    randomName: (length) => host.randomText(length),
    sha256: async (text) => digest(text),
  }
}

/** Tells texts apart as a hash does; nobody attacks a simulation. */
function digest(text: string): string {
  let digest = ''
  for (let part = 0; digest.length < 43; part++) digest += checkOf(`${part} ${text} ${digest}`)
  return digest.slice(0, 43)
}
