import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { MemoryLog } from '../log/memory.ts'
import { LogWriter } from '../log/writer.ts'
import type { PublishFrame, Term } from '../protocol/frames.ts'
import { decodeFrame } from '../protocol/text.ts'
import { EntryMaker } from '../testing/entries.ts'
import type { VirtualPlatform } from '../testing/virtual-platform.ts'
import type { PublishOptions } from '../types.ts'
import { Outgoing } from './outgoing.ts'
import type { Written } from './sync.ts'

class CountedLog extends MemoryLog {
  reads = 0

  override read(from: number, limit: number): ReturnType<MemoryLog['read']> {
    this.reads += 1
    return super.read(from, limit)
  }
}

/** A context that leads, and what it sends. */
class Leader {
  readonly #maker = new EntryMaker()
  readonly platform: VirtualPlatform = this.#maker.platform
  readonly log: CountedLog = new CountedLog(this.#maker.platform)
  readonly #writer = new LogWriter(this.log, this.#maker.platform)
  readonly #term: Term = [1, 'n']
  readonly #sent: string[] = []
  readonly outgoing: Outgoing = new Outgoing({
    taps: { tap: undefined },
    log: this.log,
    term: this.#term,
    platform: this.#maker.platform,
    send: (text) => void this.#sent.push(text),
    failed: (error) => expect.unreachable(String(error)),
    report: (error) => expect.unreachable(String(error)),
  })

  /** Commits a batch of events; its number, and what its writer hands on. */
  async write(...scopes: PublishOptions['scope'][]): Promise<[number, Written]> {
    const entries = scopes.map((scope, i) => this.#maker.entry('a', i, scope && { scope }))
    const record = this.#writer.record(entries)
    return [await this.#writer.write(record), { log: this.log, record }]
  }

  /** Publishes an event for the room, as this context does. */
  async publish(): Promise<void> {
    this.outgoing.grew(...(await this.write('room')))
  }

  /** Sent since last looked at, as `number after prev`; and how often the log was read for it. */
  async look(): Promise<{ sent: string[]; reads: number }> {
    await setImmediate()
    const { reads } = this.log
    this.log.reads = 0
    return { sent: this.frames().map(({ batch, prev }) => `${batch} after ${prev}`), reads }
  }

  frames(): PublishFrame[] {
    return this.#sent.splice(0).map((text) => decodeFrame(text)?.frame as PublishFrame)
  }
}

describe('a batch that was just committed is sent without being read back', () => {
  test('and says what one says that was read', async () => {
    const leader = new Leader()
    await leader.write('room', 'room')
    leader.outgoing.begin(undefined, 1)
    await setImmediate()
    const read = leader.frames()[0] as PublishFrame
    leader.log.reads = 0
    leader.outgoing.grew(...(await leader.write('room', 'room')))
    const [unread] = leader.frames()
    expect(leader.log.reads).toBe(0)
    const events = read.events.map((header, i) => ({ ...header, id: unread?.events[i]?.id }))
    expect(unread).toEqual({ ...read, batch: 2, prev: 1, events })
  })

  test('each names the one before', async () => {
    const leader = new Leader()
    leader.outgoing.begin(undefined, 0)
    for (let i = 0; i < 3; i++) await leader.publish()
    expect(await leader.look()).toEqual({
      sent: ['1 after undefined', '2 after 1', '3 after 2'],
      reads: 0,
    })
  })

  test('behind batches of the room', async () => {
    const leader = new Leader()
    leader.outgoing.begin(undefined, 0)
    await leader.publish()
    // Any record stands for one of the room: it is not looked at.
    for (let i = 0; i < 2; i++) leader.outgoing.passed((await leader.write('device'))[0])
    await leader.publish()
    expect(await leader.look()).toEqual({ sent: ['1 after undefined', '4 after 1'], reads: 0 })
  })
})

describe('a batch is read from the log', () => {
  test('where a record before it was not heard of', async () => {
    const leader = new Leader()
    leader.outgoing.begin(undefined, 0)
    const [other] = await leader.write('room')
    await leader.publish()
    leader.outgoing.grew(other)
    expect(await leader.look()).toEqual({ sent: ['1 after undefined', '2 after 1'], reads: 1 })
  })

  test('where another context committed it', async () => {
    const leader = new Leader()
    leader.outgoing.begin(undefined, 0)
    leader.outgoing.grew((await leader.write('room'))[0])
    expect(await leader.look()).toEqual({ sent: ['1 after undefined'], reads: 1 })
  })

  test('where some of it is not for the room', async () => {
    const leader = new Leader()
    leader.outgoing.begin(undefined, 0)
    leader.outgoing.grew(...(await leader.write('device', 'room')))
    await setImmediate()
    expect(leader.frames()[0]).toMatchObject({ batch: 1, indexes: [1] })
    expect(leader.log.reads).toBe(1)
  })

  test('where it was committed to a log that is gone', async () => {
    const [leader, before] = [new Leader(), new Leader()]
    leader.outgoing.begin(undefined, 0)
    leader.outgoing.grew(...(await before.write('room')))
    expect(await leader.look()).toEqual({ sent: [], reads: 1 })
  })

  test('where it was committed before the relay was there', async () => {
    const leader = new Leader()
    await leader.publish()
    leader.outgoing.begin(undefined, 1)
    expect(await leader.look()).toEqual({ sent: ['1 after undefined'], reads: 1 })
  })

  test('where it is sent again', async () => {
    const leader = new Leader()
    leader.outgoing.begin(undefined, 0)
    await leader.publish()
    leader.outgoing.end()
    leader.outgoing.begin(undefined, 1)
    expect(await leader.look()).toEqual({
      sent: ['1 after undefined', '1 after undefined'],
      reads: 1,
    })
  })

  test('where 16 before it are on their way, once one of them is taken', async () => {
    const leader = new Leader()
    leader.outgoing.begin(undefined, 0)
    for (let i = 0; i < 17; i++) await leader.publish()
    expect((await leader.look()).sent).toHaveLength(16)
    leader.outgoing.acknowledged(1)
    expect(await leader.look()).toEqual({ sent: ['17 after 16'], reads: 1 })
  })

  test('where those before it are being read', async () => {
    const leader = new Leader()
    await leader.write('room')
    const second = await leader.write('room')
    leader.outgoing.begin(undefined, 1)
    leader.outgoing.grew(...second)
    expect(await leader.look()).toEqual({ sent: ['1 after undefined', '2 after 1'], reads: 1 })
  })

  test('where the relay said no to one before it', async () => {
    const leader = new Leader()
    leader.outgoing.begin(undefined, 0)
    await leader.publish()
    leader.outgoing.rejected({ frame: 'reject', batch: 1, code: 'unavailable', retryAfterMs: 5 })
    await leader.publish()
    expect(await leader.look()).toEqual({ sent: ['1 after undefined'], reads: 0 })
    leader.platform.advance(5)
    expect(await leader.look()).toEqual({ sent: ['1 after undefined', '2 after 1'], reads: 1 })
  })
})
