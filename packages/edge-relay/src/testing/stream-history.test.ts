/** The judge is judged: it must take what could have been, and find what could not. */
import { Random } from '@crosstown/bus/testing'
import { describe, expect, it } from 'vitest'
import { judge, type Model, type Operation } from './linearizable.ts'
import {
  type Expectation,
  type HistoryEvent,
  judgeStreams,
  StreamHistory,
  type StreamInput,
  type StreamOperation,
  type StreamOutput,
} from './stream-history.ts'

/** One operation, from one moment to another, or to no end. */
const during = (
  called: number,
  at: number | undefined,
  input: StreamInput,
  output?: StreamOutput,
): StreamOperation => ({
  client: `client-${called}`,
  called,
  input,
  answer: at === undefined || !output ? undefined : { at, output },
})
const publish = (id: string, expects: Expectation, stream = 's'): StreamInput => ({
  publish: [{ id, stream, expects }],
})
const both = (...events: readonly [id: string, expects: Expectation, stream: string][]) => ({
  publish: events.map(([id, expects, stream]) => ({ id, expects, stream })),
})
const read = (stream = 's'): StreamInput => ({ read: stream })
const at = (...revisions: number[]): StreamOutput => ({ revisions })
const conflict = (current: number): StreamOutput => ({ conflict: current })
const ids = (...all: string[]): StreamOutput => ({ ids: all })

const POSSIBLE: readonly (readonly [string, readonly StreamOperation[]])[] = [
  ['nothing', []],
  [
    'one after the other',
    [
      during(1, 2, publish('a', 'none'), at(1)),
      during(3, 4, publish('b', 1), at(2)),
      during(5, 6, read(), ids('a', 'b')),
    ],
  ],
  [
    'two at once that expect the same, and one of them is refused',
    [during(1, 4, publish('a', 0), at(1)), during(2, 3, publish('b', 0), conflict(1))],
  ],
  [
    'a read during a publish that sees it, and one that does not',
    [
      during(1, 9, publish('a', 'any'), at(1)),
      during(2, 4, read(), ids()),
      during(3, 6, read(), ids('a')),
    ],
  ],
  [
    'no answer, and it was carried out long after',
    [
      during(1, undefined, publish('a', 'any')),
      during(2, 3, read(), ids()),
      during(4, 5, read(), ids('a')),
    ],
  ],
  [
    'no answer, and it never was carried out',
    [during(1, undefined, publish('a', 0)), during(2, 3, publish('b', 0), at(1))],
  ],
  [
    'events of a batch that build on each other, on two streams',
    [
      during(1, 2, both(['a', 'none', 's'], ['b', 1, 's'], ['c', 'none', 't']), at(1, 2, 1)),
      during(3, 4, both(['d', 'exists', 's'], ['e', 'none', 't']), conflict(1)),
      during(5, 6, read(), ids('a', 'b')),
    ],
  ],
]

const IMPOSSIBLE: readonly (readonly [string, readonly StreamOperation[]])[] = [
  [
    'a revision that two events got',
    [during(1, 2, publish('a', 'any'), at(1)), during(1, 2, publish('b', 'any'), at(1))],
  ],
  ['a revision that nobody got', [during(1, 2, publish('a', 'any'), at(2))]],
  [
    'an event taken on a revision that was over',
    [
      during(1, 2, publish('a', 0), at(1)),
      during(3, 4, publish('b', 1), at(2)),
      during(5, 6, publish('c', 1), at(3)),
    ],
  ],
  [
    'a conflict with what the stream had been before',
    [
      during(1, 2, publish('a', 0), at(1)),
      during(3, 4, publish('b', 1), at(2)),
      during(5, 6, publish('c', 2), conflict(1)),
    ],
  ],
  [
    'a conflict with what nobody had published yet',
    [during(1, 2, publish('a', 1), conflict(1)), during(3, 4, publish('b', 'any'), at(1))],
  ],
  [
    'a refused event that is read',
    [
      during(1, 2, publish('a', 0), at(1)),
      during(3, 4, publish('b', 0), conflict(1)),
      during(5, 6, read(), ids('a', 'b')),
    ],
  ],
  [
    'a taken event that is not read',
    [during(1, 2, publish('a', 0), at(1)), during(3, 4, read(), ids())],
  ],
  [
    'an event that is read, and then is not',
    [
      during(1, undefined, publish('a', 'any')),
      during(2, 3, read(), ids('a')),
      during(4, 5, read(), ids()),
    ],
  ],
  [
    'an event that is read twice',
    [during(1, undefined, publish('a', 'any')), during(2, 3, read(), ids('a', 'a'))],
  ],
  [
    'two readers who saw two orders',
    [
      during(1, 9, publish('a', 'any'), at(1)),
      during(1, 9, publish('b', 'any'), at(2)),
      during(2, 8, read(), ids('b', 'a')),
    ],
  ],
  [
    'half a batch',
    [
      during(1, undefined, both(['a', 'any', 's'], ['b', 'any', 't'])),
      during(2, 3, read(), ids('a')),
      during(4, 5, read('t'), ids()),
    ],
  ],
  [
    'an unanswered event that came in on a revision that was over',
    [
      during(1, 2, publish('a', 0), at(1)),
      during(3, undefined, publish('b', 0)),
      during(4, 5, read(), ids('a', 'b')),
    ],
  ],
]

describe('a history', () => {
  it.each(POSSIBLE)('is linearizable: %s', (_, operations) => {
    expect(judgeStreams(operations)).toMatchObject({ linearizable: true })
  })

  it.each(IMPOSSIBLE)('is not linearizable: %s', (_, operations) => {
    expect(judgeStreams(operations)).toMatchObject({ linearizable: false })
  })

  it('that is not linearizable is told as what went before, and what then could not be', () => {
    const history = new StreamHistory()
    history.call('ann', publish('a', 0))(at(1))
    history.call('bob', publish('b', 1))(conflict(0))
    history.call('eve', read())()
    expect(history.faults()).toEqual([
      'no order of all 2 operations is possible',
      '  0-1 ann publishes a to s at 0: {"revisions":[1]}',
      '  and then none of',
      '  2-3 bob publishes b to s at 1: {"conflict":0}',
    ])
  })
})

/** Whoever does one thing at a time, and is asked by many. */
function recorded(random: Random, clients: number, steps: number): StreamOperation[] {
  const streams = new Map<string, string[]>()
  const operations: StreamOperation[] = []
  const busy = new Map<number, { operation: StreamOperation; output?: StreamOutput }>()
  let moment = 0
  const carryOut = (entry: { operation: StreamOperation; output?: StreamOutput }): void => {
    const { input } = entry.operation
    if ('read' in input) entry.output = ids(...(streams.get(input.read) ?? []))
    else {
      const [{ expects, id, stream }] = input.publish as [HistoryEvent]
      const events = streams.get(stream) ?? []
      streams.set(stream, events)
      entry.output =
        expects === 'any' || expects === events.length
          ? at(events.push(id))
          : conflict(events.length)
    }
  }
  for (let step = 0; step < steps; step++) {
    const client = random.below(clients)
    const entry = busy.get(client)
    if (!entry) {
      const stream = random.chance(0.7) ? 's' : 't'
      const length = streams.get(stream)?.length ?? 0
      const input = random.chance(0.3)
        ? read(stream)
        : publish(`e${step}`, random.chance(0.2) ? 'any' : length, stream)
      const operation: StreamOperation = { client: `c${client}`, input, called: moment++ }
      busy.set(client, { operation })
    } else if (!entry.output) carryOut(entry)
    else {
      busy.delete(client)
      // Some answers are lost.
      if (random.chance(0.05)) {
        if ('publish' in entry.operation.input) operations.push(entry.operation)
      } else operations.push({ ...entry.operation, answer: { at: moment++, output: entry.output } })
    }
  }
  for (const { operation } of busy.values())
    if ('publish' in operation.input) operations.push(operation)
  return operations
}

describe('a history of ten clients', () => {
  it('is linearizable where one at a time was served, whatever answers were lost', () => {
    for (let seed = 1; seed <= 40; seed++)
      expect(judgeStreams(recorded(new Random(seed), 10, 600)), `seed ${seed}`).toMatchObject({
        linearizable: true,
      })
  })

  it('is not any more when one answer in it is made another', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed)
      const operations = recorded(random, 10, 600)
      const answered = operations.filter(({ answer }) => answer)
      const chosen = random.pick(answered)
      const changed = operations.map((one) => (one === chosen ? altered(one) : one))
      expect(judgeStreams(changed), `seed ${seed}`).toMatchObject({ linearizable: false })
    }
  })
})

/** The same with another answer, as a relay with a fault might give it. */
function altered({ answer, ...operation }: StreamOperation): StreamOperation {
  const { at: moment, output } = answer as NonNullable<StreamOperation['answer']>
  const wrong: StreamOutput =
    'ids' in output
      ? ids(...output.ids, 'ghost')
      : 'conflict' in output
        ? conflict(output.conflict + 1_000)
        : at(1_000)
  return { ...operation, answer: { at: moment, output: wrong } }
}

describe('any model', () => {
  it('can be judged by: a register that is written and read', () => {
    type Op = Operation<'write' | 'read', number>
    const op = (called: number, at: number, input: Op['input'], output: number): Op => ({
      client: 'c',
      called,
      input,
      answer: { at, output },
    })
    const register: Model<number, Op['input'], number> = {
      initial: 0,
      key: String,
      step: (state, input, output) => (input === 'write' || state === output ? output : undefined),
    }
    const write = op(1, 6, 'write', 7)
    const back = [write, op(2, 3, 'read', 7), op(4, 5, 'read', 0)]
    expect(judge(back, register).linearizable).toBe(false)
    const forth = [write, op(2, 3, 'read', 0), op(4, 5, 'read', 7)]
    expect(judge(forth, register).order).toEqual([forth[1], write, forth[2]])
  })

  it('is given up where too many never heard what became of what they asked', () => {
    const sum: Model<number, number, number> = {
      initial: 0,
      key: String,
      step: (state, input, output) =>
        output === undefined ? state + input : state === output ? state : undefined,
    }
    const added = Array.from({ length: 30 }, (_, i) => ({
      client: `${i}`,
      called: i,
      input: 2 ** i,
    }))
    const read = { client: 'r', called: 40, input: 0, answer: { at: 41, output: -1 } }
    expect(judge([...added, read], sum)).toMatchObject({ linearizable: false, undecided: true })
  })
})
