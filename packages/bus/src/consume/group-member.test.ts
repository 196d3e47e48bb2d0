import { describe, expect, it } from 'vitest'
import type { Delivery, Given } from '../dispatch/dispatch.ts'
import { BusError } from '../errors.ts'
import type { BusEvent, EventHeader } from '../event.ts'
import type {
  GroupedFrame,
  GroupFrame,
  Lease,
  LeaseRef,
  SettledFrame,
  SettleFrame,
  Settlement,
} from '../protocol/frames.ts'
import type { Line, MemberFrame } from '../sync/sync.ts'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { GroupMember } from './group-member.ts'
import { settlingOf } from './options.ts'
import type { Settle, SettleOptions } from './types.ts'

const WHO = { group: 'mail', member: 'me-1' } as const
const LINE: Line = { term: 1, round: 1, epoch: 'e' }

/** A call of the handler, which a test ends. */
interface Open {
  readonly n: number
  readonly attempt: number
  readonly settle: Settle
  readonly signal: () => AbortSignal
  end(): void
  fail(error: unknown): void
}

/** A member whose relay is the test. */
class Scene {
  readonly platform = new VirtualPlatform()
  readonly said: MemberFrame[] = []
  readonly reported: BusError[] = []
  readonly calls: Open[] = []
  readonly gaveUp: unknown[] = []
  readonly member: GroupMember

  constructor(options: SettleOptions = {}, given: Partial<Given> = {}) {
    this.member = new GroupMember({
      platform: this.platform,
      prefix: 'me',
      ...WHO,
      from: 'start',
      settling: settlingOf(options, 'group'),
      policy: undefined,
      given: {
        order: 1,
        patterns: ['a'],
        told: {
          retried() {},
          failed() {},
          handled() {},
          gaveUp: (_, error) => this.gaveUp.push(error),
        },
        matches: () => true,
        wants: () => true,
        call: (delivery, attempt, settle, signal) =>
          this.#called(delivery, attempt, settle, signal),
        signal: () => new AbortController().signal,
        end() {},
        ...given,
      },
      open: ({ header, position }) => ({ ...header, data: position }) as unknown as BusEvent,
      admits: ({ type }) => type !== 'unknown',
      positionOf: (epoch, place) => `${epoch}.${place}`,
      say: (frame) => this.said.push(frame),
      report: (error) => this.reported.push(error),
    })
  }

  #called(
    { event }: Delivery,
    attempt: number,
    settle: Settle,
    signal: () => AbortSignal,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const n = Number(event.id.split('-')[1])
    this.calls.push({ n, attempt, settle, signal, end: resolve, fail: reject })
    return promise
  }

  async pass(ms = 0): Promise<void> {
    await flushed()
    this.platform.advance(ms)
    await flushed()
  }

  joined(line: Line = LINE, answer: Partial<GroupedFrame> = {}): this {
    this.member.connected(line)
    this.member.heard({ frame: 'grouped', ...WHO, ...answer }, [], line)
    return this
  }

  /** Leases events of these numbers, at the places of their numbers. */
  lease(
    places: readonly number[],
    { generation = 1, attempt = 1, line = LINE, type = 'a' } = {},
  ): void {
    const leases = places.map((place): Lease => [place, generation, attempt, 1_000, 30_000])
    const events = places.map((place): EventHeader => {
      return { id: `you-${place}`, type, source: 'test', time: 1 }
    })
    const data = places.map(() => '1')
    this.member.heard({ frame: 'lease', ...WHO, leases, events }, data, line)
  }

  get joins(): NonNullable<GroupFrame['join']>[] {
    return this.said.flatMap((frame) => (frame.frame === 'group' && frame.join) || [])
  }

  get settles(): SettleFrame[] {
    return this.said.filter((frame) => frame.frame === 'settle')
  }

  get settlements(): Settlement[] {
    return this.settles.flatMap(({ settlements }) => settlements)
  }

  async settled(answer: Partial<SettledFrame> = {}): Promise<void> {
    const { number = 0 } = this.settles.at(-1) ?? {}
    this.member.heard({ frame: 'settled', ...WHO, number, ...answer }, [], LINE)
    await flushed()
  }

  get holds(): readonly LeaseRef[] | undefined {
    return this.joins.at(-1)?.holds
  }
}

async function flushed(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

describe('a member of a group', () => {
  it('joins by each line, with the leases that it holds', async () => {
    const scene = new Scene().joined()
    expect(scene.joins).toMatchObject([{ types: ['a'], from: 'start', maxDeliver: 10, holds: [] }])
    scene.lease([4, 5])
    scene.member.connected({ ...LINE, round: 2 })
    expect(scene.holds).toEqual([
      [4, 1],
      [5, 1],
    ])
    scene.member.connected({ ...LINE, round: 2 })
    expect(scene.joins.length).toBe(2)
  })

  it('says it again where the relay does not answer', async () => {
    const scene = new Scene()
    scene.member.connected(LINE)
    await scene.pass(5_000)
    expect(scene.joins.length).toBe(2)
    scene.joined()
    await scene.pass(60_000)
    expect(scene.joins.length).toBe(2)
  })

  it('says nothing while no relay is there, and waits for none', async () => {
    const scene = new Scene().joined()
    scene.member.connected(undefined)
    await scene.pass(60_000)
    expect(scene.joins.length).toBe(1)
  })

  it('handles so many at once as it may, in order, and acknowledges by returning', async () => {
    const scene = new Scene({ concurrency: 2 }).joined()
    scene.lease([1, 2, 3])
    expect(scene.calls.map(({ n }) => n)).toEqual([1, 2])
    scene.calls[1]?.end()
    await flushed()
    expect(scene.calls.map(({ n }) => n)).toEqual([1, 2, 3])
    expect(scene.settlements).toEqual([[2, 1, 'ack']])
  })

  it('says what became of many in one frame, while the one before is under way', async () => {
    const scene = new Scene({ concurrency: 5 }).joined()
    scene.lease([1, 2, 3, 4, 5])
    scene.calls[0]?.end()
    await flushed()
    for (const call of scene.calls.slice(1)) call.end()
    await flushed()
    expect(scene.settles.length).toBe(1)
    await scene.settled()
    expect(scene.settles.map(({ settlements }) => settlements.length)).toEqual([1, 4])
  })

  it('keeps what it settled while no relay was there, and says it by the next line', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    scene.member.connected(undefined)
    scene.calls[0]?.end()
    await flushed()
    expect(scene.settles).toEqual([])
    const next = { ...LINE, round: 2 }
    scene.joined(next)
    expect(scene.holds).toEqual([[1, 1]])
    await flushed()
    expect(scene.settlements).toEqual([[1, 1, 'ack']])
  })

  it('says again what it said before the connection went', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    scene.calls[0]?.end()
    await flushed()
    scene.joined({ ...LINE, round: 2 })
    await flushed()
    expect(scene.settlements).toEqual([
      [1, 1, 'ack'],
      [1, 1, 'ack'],
    ])
  })

  it('asks anew where what it settled is not answered', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    scene.calls[0]?.end()
    await scene.pass(5_000)
    expect(scene.joins.length).toBe(2)
    expect(scene.holds).toEqual([[1, 1]])
  })

  it('says again in a while what the relay could not take', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    scene.calls[0]?.end()
    await flushed()
    await scene.settled({ code: 'unavailable', retryAfterMs: 300 })
    expect(scene.settles.length).toBe(1)
    await scene.pass(300)
    expect(scene.settlements[1]).toEqual([1, 1, 'ack'])
  })

  it.each([
    ['taken', {}],
    ['refused as well', { code: 'unavailable', retryAfterMs: 300 } as const],
  ])(
    'works on when a new credit is refused while it settles, and that is %s',
    async (_, answer) => {
      const scene = new Scene().joined()
      scene.lease([1])
      scene.calls[0]?.end()
      await flushed()
      scene.member.heard(
        { frame: 'grouped', ...WHO, code: 'unavailable', retryAfterMs: 200 },
        [],
        LINE,
      )
      await scene.settled(answer)
      await scene.pass(1_000)
      expect(scene.joins.length).toBe(2)
      scene.joined()
      scene.lease([2])
      expect(scene.calls.map(({ n }) => n)).toEqual([1, 2])
    },
  )

  it('gives an event back by what its handler throws, after the pause of its attempt', async () => {
    const scene = new Scene({ backoff: [40, 900], concurrency: 2 }).joined()
    scene.lease([1])
    scene.lease([2], { attempt: 2 })
    scene.calls[0]?.fail(new TypeError('no'))
    await flushed()
    await scene.settled()
    scene.calls[1]?.fail(new Error('no'))
    await flushed()
    expect(scene.settlements).toEqual([
      [1, 1, 'nak', 40, 'TypeError: no'],
      [2, 1, 'nak', 900, 'Error: no'],
    ])
    expect(scene.gaveUp).toEqual([])
  })

  it('tells of an event that fails for the last time', async () => {
    const scene = new Scene({ maxDeliver: 3 }).joined()
    scene.lease([1], { attempt: 3 })
    const error = new Error('no')
    scene.calls[0]?.fail(error)
    await flushed()
    expect(scene.gaveUp).toEqual([error])
    expect(scene.settlements).toEqual([[1, 1, 'nak', 30_000, 'Error: no']])
  })

  it('takes what the handler says of an event: nak, term, inProgress', async () => {
    const scene = new Scene({ concurrency: 3 }).joined()
    scene.lease([1, 2, 3])
    scene.calls[0]?.settle.nak(70)
    scene.calls[1]?.settle.term('spam')
    scene.calls[2]?.settle.inProgress()
    await flushed()
    expect(scene.settlements).toEqual([
      [1, 1, 'nak', 70],
      [2, 1, 'term', 0, 'spam'],
      [3, 1, 'progress'],
    ])
  })

  it('aborts the signal of a call that takes too long', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    const signal = scene.calls[0]?.signal()
    await scene.pass(29_999)
    expect(signal?.aborted).toBe(false)
    await scene.pass(1)
    expect(signal?.reason).toMatchObject({ code: 'timeout' })
    expect(scene.settles).toEqual([])
  })

  it('leaves an event to others that comes again while it handles it too slowly', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    await scene.pass(30_000)
    scene.lease([1], { generation: 2, attempt: 2 })
    await flushed()
    expect(scene.settlements).toEqual([[1, 2, 'release']])
    expect(scene.calls.length).toBe(1)
  })

  it('does not start an event again that it is still handling, and settles the newest lease', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    await scene.pass(30_000)
    scene.lease([1], { generation: 2, attempt: 2 })
    await flushed()
    await scene.settled()
    // Nobody else is there.
    scene.lease([1], { generation: 3, attempt: 2 })
    expect(scene.calls.length).toBe(1)
    scene.calls[0]?.end()
    await flushed()
    expect(scene.settlements.slice(1)).toEqual([[1, 3, 'ack']])
  })

  it('handles an event again whose call came to nothing after it was leased once more', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    await scene.pass(30_000)
    scene.lease([1], { generation: 2, attempt: 2 })
    await flushed()
    await scene.settled()
    scene.lease([1], { generation: 3, attempt: 2 })
    scene.calls[0]?.fail(new Error('aborted'))
    await flushed()
    await scene.pass(7_500)
    expect(scene.calls.map(({ attempt }) => attempt)).toEqual([1, 2])
  })

  it('does not handle an event again whose time was over by the timer a moment before it was by the clock', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    const { platform } = scene
    const monotonic = platform.monotonic.bind(platform)
    platform.monotonic = () => monotonic() - 0.5
    await scene.pass(30_000)
    scene.calls[0]?.fail(new Error('aborted'))
    await flushed()
    await scene.pass(60_000)
    expect(scene.calls.length).toBe(1)
    expect(scene.settlements).toEqual([])
  })

  it('does not handle again what it has done, where the relay did not hear of it in time', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    scene.calls[0]?.end()
    await flushed()
    scene.lease([1], { generation: 2, attempt: 2 })
    await flushed()
    expect(scene.calls.length).toBe(1)
    await scene.settled({ lapsed: [[1, 1]] })
    expect(scene.settlements.at(-1)).toEqual([1, 2, 'ack'])
    expect(scene.reported).toEqual([])
  })

  it('handles an event again that it gave back, when it comes back to it', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    scene.calls[0]?.settle.nak()
    await flushed()
    await scene.settled()
    scene.lease([1], { generation: 2, attempt: 2 })
    expect(scene.calls.length).toBe(1)
    scene.calls[0]?.end()
    await flushed()
    expect(scene.calls.map(({ attempt }) => attempt)).toEqual([1, 2])
  })

  it('tells of an event that it handled after its lease had ended', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    scene.calls[0]?.end()
    await flushed()
    await scene.settled({ lapsed: [[1, 1]] })
    expect(scene.reported).toMatchObject([{ code: 'timeout', eventId: 'you-1' }])
    expect(scene.member.stats).toMatchObject({ acked: 1, lapsed: 1, unsettled: 0 })
  })

  it('leaves alone what turns out to be somebody else’s when it joins anew', async () => {
    const scene = new Scene({ concurrency: 1 }).joined()
    scene.lease([1, 2, 3])
    const signal = scene.calls[0]?.signal()
    scene.joined(
      { ...LINE, round: 2 },
      {
        lapsed: [
          [1, 1],
          [2, 1],
        ],
      },
    )
    expect(signal?.aborted).toBe(true)
    scene.calls[0]?.end()
    await flushed()
    expect(scene.calls.map(({ n }) => n)).toEqual([1, 3])
    expect(scene.settlements).toEqual([])
  })

  it('takes no leases of another line, nor before it is a member again', async () => {
    const scene = new Scene().joined()
    scene.lease([1], { line: { ...LINE, round: 0 } })
    scene.member.connected({ ...LINE, round: 2 })
    scene.lease([2], { line: { ...LINE, round: 2 } })
    expect(scene.calls).toEqual([])
  })

  it('forgets what it was leased in a room that is no more', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    const signal = scene.calls[0]?.signal()
    scene.joined({ term: 1, round: 2, epoch: 'another' })
    expect(scene.holds).toEqual([])
    expect(signal?.aborted).toBe(true)
    scene.calls[0]?.end()
    await flushed()
    expect(scene.settlements).toEqual([])
  })

  it('gives back what has waited for its turn for half of its time', async () => {
    const scene = new Scene().joined()
    scene.lease([1, 2, 3])
    await scene.pass(14_999)
    expect(scene.settlements).toEqual([])
    await scene.pass(1)
    expect(scene.settlements).toEqual([
      [2, 1, 'release'],
      [3, 1, 'release'],
    ])
    scene.calls[0]?.end()
    await flushed()
    expect(scene.calls.length).toBe(1)
  })

  it('asks for all of its time for what has waited', async () => {
    const scene = new Scene().joined()
    scene.lease([1, 2])
    await scene.pass(10_000)
    scene.calls[0]?.end()
    await flushed()
    const signal = scene.calls[1]?.signal()
    await scene.settled()
    expect(scene.settlements).toEqual([
      [1, 1, 'ack'],
      [2, 1, 'progress'],
    ])
    await scene.pass(29_000)
    expect(signal?.aborted).toBe(false)
    await scene.pass(1_000)
    expect(signal?.aborted).toBe(true)
  })

  it('leaves at once, and gives back what it holds', async () => {
    const scene = new Scene({ concurrency: 2 }).joined()
    scene.lease([1, 2, 3])
    scene.calls[0]?.settle.ack()
    const signal = scene.calls[1]?.signal()
    scene.member.end(new BusError('closed', 'over'))
    expect(signal?.aborted).toBe(true)
    expect(scene.settlements).toEqual([
      [1, 1, 'ack'],
      [2, 1, 'nak'],
      [3, 1, 'release'],
    ])
    expect(scene.said.at(-1)).toEqual({ frame: 'group', ...WHO })
    scene.calls[1]?.end()
    await scene.pass(60_000)
    expect(scene.settles.length).toBe(1)
  })

  it('comes back after it left with its page', async () => {
    const scene = new Scene().joined()
    scene.lease([1])
    scene.member.leave(new BusError('aborted', 'frozen'))
    scene.joined()
    expect(scene.holds).toEqual([])
    scene.lease([1], { generation: 2, attempt: 2 })
    // The call from before still runs, and may be the only one.
    expect(scene.calls.length).toBe(1)
    scene.calls[0]?.end()
    await flushed()
    expect(scene.calls.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(scene.settlements).toEqual([[1, 1, 'nak']])
  })

  it('says that it was refused, and tries again where that may help', async () => {
    const scene = new Scene()
    scene.joined(LINE, { code: 'rate_limited', message: 'too many', retryAfterMs: 200 })
    expect(scene.reported).toMatchObject([{ code: 'rate_limited' }])
    expect(scene.member.stats.state).toBe('refused')
    await scene.pass(200)
    expect(scene.joins.length).toBe(2)
    scene.joined()
    expect(scene.member.stats.state).toBe('member')
  })

  it('stays refused until the next line where nothing else can help', async () => {
    const scene = new Scene()
    scene.joined(LINE, { code: 'forbidden' })
    await scene.pass(60_000)
    expect(scene.joins.length).toBe(1)
    scene.member.connected({ ...LINE, round: 2 })
    expect(scene.joins.length).toBe(2)
  })

  it('counts as handled what its filter does not want, or what this bus passes over', async () => {
    const scene = new Scene({}, { wants: ({ id }) => id !== 'you-1' }).joined()
    scene.lease([1, 2])
    scene.lease([3], { type: 'unknown' })
    await flushed()
    expect(scene.settlements).toEqual([
      [1, 1, 'ack'],
      [3, 1, 'ack'],
    ])
    expect(scene.calls.map(({ n }) => n)).toEqual([2])
  })

  it('gives back what its filter throws on', async () => {
    const wants = () => {
      throw new Error('filter')
    }
    const scene = new Scene({}, { wants }).joined()
    scene.lease([1])
    await flushed()
    expect(scene.settlements).toEqual([[1, 1, 'nak', 1_000, 'Error: filter']])
    expect(scene.reported).toMatchObject([{ code: 'handler_failed', eventId: 'you-1' }])
  })

  it('holds more where calls are quick and the relay is far, and few where they are slow', async () => {
    const quick = new Scene({ concurrency: 5 }).joined()
    quick.lease([1])
    quick.calls[0]?.end()
    await quick.pass(20)
    await quick.settled()
    expect(quick.joins.at(-1)?.credit).toBe(1_000)
    expect(quick.joins.at(-1)?.holds).toBe(undefined)

    const slow = new Scene().joined()
    slow.lease([1])
    await slow.pass(5_000)
    slow.calls[0]?.end()
    await slow.pass(20)
    await slow.settled()
    expect(slow.joins.at(-1)?.credit).toBe(2)
  })
})
