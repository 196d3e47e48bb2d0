/**
 * What writers and readers of streams did, and what they were told: recorded, and held against a room of
 * which everybody asks one after the other.
 */
import { type Judgement, judge, type Model, type Operation } from './linearizable.ts'

/** What an event expects of its stream, as its publisher says it. */
export type Expectation = 'any' | 'none' | 'exists' | number

export interface HistoryEvent {
  readonly id: string
  readonly stream: string
  readonly expects: Expectation
}

/** Publish these events, all or none; or read a stream from its beginning. */
export type StreamInput = { readonly publish: readonly HistoryEvent[] } | { readonly read: string }

/**
 * The revisions that the events got; the revision of the stream on which another one was expected; or the
 * ids of a stream, in order of their revisions.
 */
export type StreamOutput =
  | { readonly revisions: readonly number[] }
  | { readonly conflict: number }
  | { readonly ids: readonly string[] }

export type StreamOperation = Operation<StreamInput, StreamOutput>

/** Ends an operation: with its answer, or without one where nobody knows what became of it. */
export type Answered = (output?: StreamOutput) => void

interface Recorded {
  readonly operation: StreamOperation
  answer?: StreamOperation['answer']
}

/** A history as it is made. Everything that is recorded in it must be recorded by one process. */
export class StreamHistory {
  readonly #recorded: Recorded[] = []
  #faults: { readonly at: number; readonly found: readonly string[] | undefined } | undefined
  #moment = 0

  /** An operation begins. */
  call(client: string, input: StreamInput): Answered {
    const entry: Recorded = { operation: { client, input, called: this.#moment++ } }
    this.#recorded.push(entry)
    return (output) => {
      if (output) entry.answer = { at: this.#moment++, output }
    }
  }

  /** All of it; what was read and not answered says nothing, and is left out. */
  get operations(): readonly StreamOperation[] {
    return this.#recorded.flatMap(({ answer, operation }) =>
      answer || 'publish' in operation.input ? [{ ...operation, answer }] : [],
    )
  }

  /** What is wrong with it, as lines to read; empty where nothing is, `undefined` where nobody can say. */
  faults(): readonly string[] | undefined {
    // It may take long, and says the same until something else happens.
    if (this.#faults?.at !== this.#moment) this.#faults = { at: this.#moment, found: this.#judge() }
    return this.#faults.found
  }

  #judge(): readonly string[] | undefined {
    const { operations } = this
    const { linearizable, order, stuck, undecided } = judgeStreams(operations)
    if (undecided) return undefined
    if (linearizable) return []
    const near = operations.filter(
      (one) => !order.includes(one) && one.called <= (stuck?.answer?.at ?? 0),
    )
    return [
      `no order of all ${operations.length} operations is possible`,
      ...order.slice(-8).map((one) => `  ${lineOf(one)}`),
      '  and then none of',
      ...near.slice(0, 12).map((one) => `  ${lineOf(one)}`),
    ]
  }
}

/** Whether these operations could have been one after the other. */
export function judgeStreams(
  operations: readonly StreamOperation[],
): Judgement<StreamInput, StreamOutput> {
  return judge(operations, streamModel())
}

/** The newest event of a stream, with those before it: one object for the same events in the same order. */
interface Newest {
  readonly number: number
  readonly revision: number
}

type Streams = ReadonlyMap<string, Newest>

/** A room as its writers and readers may think of it. */
export function streamModel(): Model<Streams, StreamInput, StreamOutput> {
  const EMPTY: Newest = { number: 0, revision: 0 }
  const known = new Map<string, Newest>()
  const after = (before: Newest, id: string): Newest => {
    const key = `${before.number} ${id}`
    let found = known.get(key)
    if (!found) {
      found = { number: known.size + 1, revision: before.revision + 1 }
      known.set(key, found)
    }
    return found
  }
  return {
    initial: new Map(),
    key: (streams) =>
      [...streams]
        .map(([name, { number }]) => `${name}=${number}`)
        .sort()
        .join(),
    step(streams, input, output) {
      if ('read' in input) {
        if (!output || !('ids' in output)) return undefined
        const there = streams.get(input.read) ?? EMPTY
        return output.ids.reduce(after, EMPTY) === there ? streams : undefined
      }
      const changed = new Map(streams)
      const revisions: number[] = []
      for (const { expects, id, stream } of input.publish) {
        const before = changed.get(stream) ?? EMPTY
        if (!holds(expects, before.revision)) {
          // None of them counts.
          const current = streams.get(stream)?.revision ?? 0
          return output && 'conflict' in output && output.conflict === current ? streams : undefined
        }
        const newest = after(before, id)
        changed.set(stream, newest)
        revisions.push(newest.revision)
      }
      if (!output) return changed
      return 'revisions' in output && output.revisions.join() === revisions.join()
        ? changed
        : undefined
    },
  }
}

function holds(expects: Expectation, revision: number): boolean {
  if (expects === 'any') return true
  if (expects === 'none') return revision === 0
  return expects === 'exists' ? revision > 0 : revision === expects
}

function lineOf({ answer, called, client, input }: StreamOperation): string {
  const asked =
    'read' in input
      ? `reads ${input.read}`
      : `publishes ${input.publish.map((one) => `${one.id} to ${one.stream} at ${one.expects}`).join(', ')}`
  return `${called}-${answer?.at ?? ''} ${client} ${asked}: ${answer ? textOf(answer.output) : 'no answer'}`
}

/** Of what was read, how much and the newest. */
function textOf(output: StreamOutput): string {
  if (!('ids' in output)) return JSON.stringify(output)
  return `${output.ids.length} up to ${output.ids.slice(-3).join(' ')}`
}
