import { describe, expect, test } from 'vitest'
import {
  OFFLINE_SENDER,
  type OutboxBatch,
  type SenderInput,
  type SenderOutput,
  type SenderState,
  stepSender,
} from './sender.ts'

/** A sender with a log that is read when the test says so. */
class Run {
  state: SenderState = OFFLINE_SENDER
  /** Batches sent since last looked at, as `number after prev`. */
  sent: string[] = []
  reads: Extract<SenderOutput, { do: 'read' }>[] = []
  waits: number[] = []

  step(input: SenderInput): this {
    const [state, outputs] = stepSender(this.state, input)
    this.state = state
    for (const output of outputs) {
      if (output.do === 'send') this.sent.push(`${output.batch} after ${output.prev}`)
      else if (output.do === 'read') this.reads.push(output)
      else this.waits.push(output.ms)
    }
    return this
  }

  welcomed(taken: number | undefined, newest: number): this {
    return this.step({ kind: 'welcomed', taken, newest })
  }

  /** Answers the oldest read from a log whose record `n` is of the n-th kind: r(oom) or o(ther). */
  read(log: string): this {
    const asked = this.reads.shift()
    if (!asked) throw new Error('nothing is being read')
    const { from, limit } = asked
    const batches: OutboxBatch[] = [...log]
      .map((kind, i) => ({ batch: i + 1, forRoom: kind === 'r' }))
      .slice(from - 1, from - 1 + limit)
    const through = batches.at(-1)?.batch ?? from - 1
    return this.step({ kind: 'read', from, batches, through })
  }

  look(): string[] {
    return this.sent.splice(0)
  }
}

test('offline, nothing is read or sent, and what grew is remembered', () => {
  const run = new Run().step({ kind: 'grew', newest: 3 })
  expect(run.reads).toEqual([])
  run.welcomed(undefined, 1)
  expect(run.reads).toEqual([{ do: 'read', from: 1, limit: 16 }])
  expect(run.state.newest).toBe(3)
})

describe('the chain', () => {
  test('each batch names the one sent before it; the first of all names none', () => {
    expect(new Run().welcomed(undefined, 3).read('rrr').look()).toEqual([
      '1 after undefined',
      '2 after 1',
      '3 after 2',
    ])
  })

  test('records without events for the room are passed over', () => {
    expect(new Run().welcomed(undefined, 5).read('roror').look()).toEqual([
      '1 after undefined',
      '3 after 1',
      '5 after 3',
    ])
  })

  test('goes on after what the relay has taken', () => {
    const run = new Run().welcomed(4, 6)
    expect(run.reads).toEqual([{ do: 'read', from: 5, limit: 16 }])
    expect(run.read('rrrrrr').look()).toEqual(['5 after 4', '6 after 5'])
  })

  test('goes on over passed records with the last one sent', () => {
    const run = new Run().welcomed(undefined, 2).read('ro')
    run.look()
    expect(run.step({ kind: 'grew', newest: 3 }).read('ror').look()).toEqual(['3 after 1'])
  })
})

test('with everything sent nothing is read until the log grows', () => {
  const run = new Run().welcomed(undefined, 1).read('r')
  expect(run.reads).toEqual([])
  run.step({ kind: 'grew', newest: 1 })
  expect(run.reads).toEqual([])
  run.step({ kind: 'grew', newest: 2 })
  expect(run.reads).toEqual([{ do: 'read', from: 2, limit: 15 }])
})

describe('a record of the room', () => {
  test('is passed over without being read', () => {
    const run = new Run().welcomed(undefined, 0).step({ kind: 'passed', batch: 1 })
    expect(run.step({ kind: 'grew', newest: 2, atHand: true }).look()).toEqual([
      '2 after undefined',
    ])
    expect(run.reads).toEqual([])
  })

  test('is not passed over with one before it that nobody told of', () => {
    const run = new Run().welcomed(undefined, 0).step({ kind: 'passed', batch: 2 })
    run.step({ kind: 'grew', newest: 3, atHand: true })
    expect(run.reads).toEqual([{ do: 'read', from: 1, limit: 16 }])
    expect(run.read('ror').look()).toEqual(['1 after undefined', '3 after 1'])
  })

  test('that comes while the log is read does not spoil the read', () => {
    const run = new Run().welcomed(undefined, 2).step({ kind: 'passed', batch: 1 })
    expect(run.read('or').look()).toEqual(['2 after undefined'])
    expect(run.reads).toEqual([])
  })
})

test('one read is under way at most', () => {
  const run = new Run().welcomed(undefined, 1)
  run.step({ kind: 'grew', newest: 2 }).step({ kind: 'grew', newest: 3 })
  expect(run.reads).toHaveLength(1)
})

describe('the window', () => {
  const log = 'r'.repeat(40)

  test('16 batches are on their way at most, and each ack makes room', () => {
    const run = new Run().welcomed(undefined, 40).read(log)
    expect(run.look()).toHaveLength(16)
    expect(run.reads).toEqual([])
    run.step({ kind: 'acknowledged', batch: 1 })
    expect(run.reads).toEqual([{ do: 'read', from: 17, limit: 1 }])
    expect(run.read(log).look()).toEqual(['17 after 16'])
  })

  test('an ack stands for all before it', () => {
    const run = new Run().welcomed(undefined, 40).read(log)
    run.step({ kind: 'acknowledged', batch: 10 })
    expect(run.state.unacknowledged.map((sent) => sent.batch)).toEqual([11, 12, 13, 14, 15, 16])
    expect(run.reads).toEqual([{ do: 'read', from: 17, limit: 10 }])
  })
})

describe('a temporary refusal', () => {
  const rejected = (taken: number | undefined, batch = (taken ?? 0) + 1): SenderInput => ({
    kind: 'rejected',
    batch,
    taken,
    retryAfterMs: 500,
  })

  test('rewinds to what was taken, waits, and sends from there again', () => {
    const run = new Run().welcomed(undefined, 3).read('rrr')
    run.look()
    run.step(rejected(1))
    expect(run.waits).toEqual([500])
    run.step({ kind: 'grew', newest: 4 })
    expect(run.reads).toEqual([])
    run.step({ kind: 'retry' })
    expect(run.read('rrrr').look()).toEqual(['2 after 1', '3 after 2', '4 after 3'])
  })

  test('of the first batch of a chain starts the chain again', () => {
    const run = new Run().welcomed(undefined, 1).read('r')
    run.look()
    expect(run.step(rejected(undefined)).step({ kind: 'retry' }).read('r').look()).toEqual([
      '1 after undefined',
    ])
  })

  test('of every batch on its way waits once', () => {
    const run = new Run().welcomed(undefined, 3).read('rrr')
    run.step(rejected(undefined, 1)).step(rejected(undefined, 2)).step(rejected(undefined, 3))
    expect(run.waits).toEqual([500])
    expect(run.step({ kind: 'retry' }).read('rrr').look()).toHaveLength(6)
  })

  test('by a relay that cannot say what it has starts with the first one not acknowledged', () => {
    const run = new Run().welcomed(2, 5).read('rrrrr')
    run.look()
    run.step({ kind: 'acknowledged', batch: 3 })
    run.step({ kind: 'rejected', batch: 4, taken: 'unknown', retryAfterMs: 500 })
    run.step({ kind: 'retry' })
    expect(run.read('rrrrr').look()).toEqual(['4 after 3', '5 after 4'])
  })

  test('of a batch that is not on its way any more changes nothing', () => {
    const run = new Run().welcomed(undefined, 2).read('rr')
    run.step({ kind: 'acknowledged', batch: 2 })
    expect(run.step(rejected(undefined, 1)).waits).toEqual([])
    expect(run.state.scanned).toBe(2)
  })

  test('during a read drops what is read then, and reads again from where it rewound to', () => {
    const run = new Run().welcomed(undefined, 2).read('rr').step({ kind: 'grew', newest: 3 })
    run.look()
    expect(run.reads).toEqual([{ do: 'read', from: 3, limit: 14 }])
    run.step(rejected(1)).step({ kind: 'retry' })
    expect(run.reads).toHaveLength(1)
    expect(run.read('rrr').look()).toEqual([])
    expect(run.reads).toEqual([{ do: 'read', from: 2, limit: 16 }])
    expect(run.read('rrr').look()).toEqual(['2 after 1', '3 after 2'])
  })

  test('during a read that ends while it waits sends nothing', () => {
    const run = new Run().welcomed(undefined, 2).read('rr').step({ kind: 'grew', newest: 3 })
    run.look()
    run.step(rejected(1)).read('rrr')
    expect(run.look()).toEqual([])
    expect(run.step({ kind: 'retry' }).read('rrr').look()).toEqual(['2 after 1', '3 after 2'])
  })
})

describe('a lost connection', () => {
  test('forgets everything but how far the log has grown', () => {
    const run = new Run().welcomed(undefined, 3).read('rrr').step({ kind: 'closed' })
    expect(run.state).toEqual({ ...OFFLINE_SENDER, newest: 3 })
  })

  test('makes what was being read worthless', () => {
    const run = new Run().welcomed(undefined, 1)
    run.step({ kind: 'closed' }).read('r')
    expect(run.look()).toEqual([])
    expect(run.reads).toEqual([])
  })

  test('is over with the next welcome, which says where to go on', () => {
    const run = new Run().welcomed(undefined, 3).read('rrr').step({ kind: 'closed' })
    run.look()
    expect(run.welcomed(2, 3).read('rrr').look()).toEqual(['3 after 2'])
  })
})
