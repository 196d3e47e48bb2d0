/**
 * Writers and readers of a few streams, at two relays on one store: half of the writers are devices, half
 * post by HTTP. What they asked and were told is recorded. One of the relays is killed in the middle of
 * it, and started again; the other serves on.
 */
import { type Bus, createBus, isBusError, memoryLog, relayLink } from '@crosstown/bus'
import { Random } from '@crosstown/bus/testing'
import { Gate } from './kill-gate.ts'
import type { RelayProcessHandle } from './relay-handle.ts'
import { type Expectation, type HistoryEvent, StreamHistory } from './stream-history.ts'

const POSTING = 5
const DEVICES = 5
const READERS = 2
/** Operations of each. */
const TURNS = 16
const STREAMS = ['s', 's', 's', 't'] as const
/** A relay is killed when so many operations have an answer, and is away for so many. */
const KILLED_AFTER = 50
const AWAY_FOR = 25
/** How long a client waits for an answer, and until it asks again. */
const PATIENCE_MS = 5_000
const AGAIN_MS = 20

type Keys = { 'key.put': { readonly key: string } }

/** What a run was. */
export interface HistoryRun {
  readonly history: StreamHistory
  /** Each stream as both relays have it in the end: keys with revisions. */
  readonly streams: readonly (readonly (readonly [string, number])[])[]
  /** Answers of each kind. */
  readonly counts: Readonly<Record<'taken' | 'refused' | 'unknown' | 'read' | 'resent', number>>
}

/** One of the relays, which may be away. */
interface Node {
  readonly gate: Gate
  relay: RelayProcessHandle
}

/** @param start starts a relay on the one store */
export async function runHistory(
  start: () => Promise<RelayProcessHandle>,
  seed: number,
): Promise<HistoryRun> {
  const nodes = await Promise.all([open(start), open(start)])
  const run = new Run(nodes as [Node, Node], start, seed)
  try {
    return await run.play()
  } finally {
    await Promise.all(nodes.map(({ gate }) => gate.close()))
  }
}

async function open(start: () => Promise<RelayProcessHandle>): Promise<Node> {
  const gate = await Gate.open({ up() {}, down() {} })
  const relay = await start()
  gate.lead(relay.url)
  return { gate, relay }
}

class Run {
  readonly #nodes: readonly [Node, Node]
  readonly #start: () => Promise<RelayProcessHandle>
  readonly #seed: number
  readonly #room: string
  readonly #history = new StreamHistory()
  readonly #counts = { taken: 0, refused: 0, unknown: 0, read: 0, resent: 0 }
  /** Who waits until so many operations are over. */
  readonly #waiting: { readonly over: number; readonly go: () => void }[] = []
  #over = 0
  /** What is known of a stream: nobody expects what nobody was told. */
  readonly #known = new Map<string, number>()

  constructor(
    nodes: readonly [Node, Node],
    start: () => Promise<RelayProcessHandle>,
    seed: number,
  ) {
    this.#nodes = nodes
    this.#start = start
    this.#seed = seed
    this.#room = `history-${seed}`
  }

  async play(): Promise<HistoryRun> {
    const times = <T>(count: number, make: (i: number) => T): T[] =>
      Array.from({ length: count }, (_, i) => make(i))
    await Promise.all([
      this.#strike(),
      ...times(POSTING, (i) => this.#post(`post-${i}`, i)),
      ...times(DEVICES, (i) => this.#publish(`device-${i}`, i)),
      ...times(READERS, (i) => this.#read(`reader-${i}`, i)),
    ])
    const streams: (readonly [string, number])[][] = []
    for (const { relay } of this.#nodes)
      for (const stream of new Set(STREAMS))
        streams.push(await keysOf(this.#eventsOf(relay), stream))
    return { history: this.#history, streams, counts: this.#counts }
  }

  async #strike(): Promise<void> {
    const [node] = this.#nodes
    await this.#isOver(KILLED_AFTER)
    await node.relay.end('SIGKILL')
    node.gate.cut()
    await this.#isOver(KILLED_AFTER + AWAY_FOR)
    node.relay = await this.#start()
    node.gate.lead(node.relay.url)
  }

  #isOver(over: number): Promise<void> {
    return new Promise((go) => this.#waiting.push({ over, go }))
  }

  #end(as: keyof HistoryRun['counts']): void {
    this.#counts[as] += 1
    this.#over += 1
    for (const { go, over } of this.#waiting) if (this.#over >= over) go()
  }

  async #post(client: string, i: number): Promise<void> {
    const random = new Random(this.#seed * 100 + i)
    for (let turn = 0; turn < TURNS; turn++) {
      const stream = random.pick(STREAMS)
      const known = this.#known.get(stream) ?? 0
      const expects = random.pick<Expectation>([
        known,
        known,
        known,
        known,
        'any',
        'exists',
        'none',
      ])
      const events: HistoryEvent[] = [{ id: `${client}-${turn}`, stream, expects }]
      if (random.chance(0.3)) events.push(follower(events[0] as HistoryEvent, random))
      const answered = this.#history.call(client, { publish: events })
      const resends = !random.chance(0.1)
      for (let attempt = 0; ; attempt++) {
        const answer = await posted(this.#at(i + attempt), events)
        if (answer === undefined) {
          if (resends) {
            this.#counts.resent += 1
            await later()
            continue
          }
          answered()
          this.#end('unknown')
        } else {
          answered(answer)
          this.#end('conflict' in answer ? 'refused' : 'taken')
          if ('conflict' in answer) this.#known.set(stream, answer.conflict)
          else this.#known.set(stream, answer.revisions[0] as number)
        }
        break
      }
    }
  }

  async #publish(client: string, i: number): Promise<void> {
    const random = new Random(this.#seed * 100 + POSTING + i)
    const bus: Bus<Keys> = createBus<Keys>({
      name: `${client}-${this.#room}`,
      log: memoryLog(),
      tabs: false,
      relay: relayLink({ url: (this.#nodes[i % 2] as Node).gate.url, room: this.#room }),
      // Of relays that are away.
      onError() {},
    })
    try {
      for (let turn = 0; turn < TURNS; turn++) {
        const stream = random.pick(STREAMS)
        const has = await bus.loadStream(stream)
        const expectedRevision = has.length
        const first: HistoryEvent = { id: `${client}-${turn}`, stream, expects: expectedRevision }
        const events = random.chance(0.3)
          ? [first, { ...first, id: `${first.id}b`, expects: expectedRevision + 1 }]
          : [first]
        const answered = this.#history.call(client, { publish: events })
        try {
          const taken = await bus.publishBatch(
            events.map(({ id, expects }) => ({
              type: 'key.put' as const,
              data: { key: id },
              stream,
              expectedRevision: expects,
            })),
            { until: 'relayed' },
          )
          answered({ revisions: taken.map(({ revision }) => revision as number) })
          this.#end('taken')
        } catch (error) {
          if (!isBusError(error, 'conflict')) throw error
          answered({ conflict: error.currentRevision as number })
          this.#end('refused')
        }
      }
    } finally {
      await bus.close()
    }
  }

  async #read(client: string, i: number): Promise<void> {
    const random = new Random(this.#seed * 100 + POSTING + DEVICES + i)
    for (let turn = 0; turn < TURNS * 2; turn++) {
      const stream = random.pick(STREAMS)
      const answered = this.#history.call(client, { read: stream })
      const keys = await keysOf(this.#at(i + turn), stream).catch(() => undefined)
      answered(keys && { ids: keys.map(([key]) => key) })
      this.#end('read')
      if (keys) this.#known.set(stream, keys.length)
      else await later()
    }
  }

  /** Where a relay has the events of the room. */
  #at(i: number): string {
    return this.#eventsOf((this.#nodes[i % 2] as Node).relay)
  }

  #eventsOf({ url }: RelayProcessHandle): string {
    return `${url}/rooms/${this.#room}/events`
  }
}

/** What is published together with an event: on its stream behind it, or on another one. */
function follower({ expects, id, stream }: HistoryEvent, random: Random): HistoryEvent {
  if (random.chance(0.5))
    return { id: `${id}b`, stream: stream === 's' ? 't' : 's', expects: 'any' }
  return { id: `${id}b`, stream, expects: typeof expects === 'number' ? expects + 1 : 'any' }
}

/** The answer to a post; `undefined` where there is none. It may come again: its events have ids. */
async function posted(
  url: string,
  events: readonly HistoryEvent[],
): Promise<{ revisions: number[] } | { conflict: number } | undefined> {
  const body = events.map(({ expects, id, stream }) => ({
    id,
    type: 'key.put',
    data: { key: id },
    stream,
    expectedRevision: expects,
  }))
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    text = await response.text()
  } catch {
    return undefined
  }
  if (response.status === 409) return { conflict: JSON.parse(text).error.currentRevision }
  if (response.ok)
    return { revisions: JSON.parse(text).events.map((one: { revision: number }) => one.revision) }
  if (response.status === 503) return undefined
  throw new Error(`${response.status} ${text}`)
}

/** A stream as a relay has it. */
async function keysOf(url: string, stream: string): Promise<(readonly [string, number])[]> {
  const response = await fetch(`${url}?stream=${stream}&limit=1000`, {
    signal: AbortSignal.timeout(PATIENCE_MS),
  })
  const { events } = (await response.json()) as {
    events: { data: { key: string }; revision: number }[]
  }
  return events.map(({ data, revision }) => [data.key, revision])
}

function later(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
}
