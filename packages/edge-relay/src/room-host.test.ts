import { BusError, type Expected } from '@crosstown/bus/protocol'
import { describe, expect, it } from 'vitest'
import type { Reply } from './commands.ts'
import { linesOf } from './judge.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { Meter } from './metrics.ts'
import { RoomHost } from './room-host.ts'
import { memoryStore } from './stores/memory.ts'
import type { Append, Store } from './stores/store.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { publishOf, TERM } from './testing/probe.ts'

const everything = (): boolean => true

/** A host over a memory store whose appends a test can watch and replace. */
async function setup(replace: Partial<Store> = {}, limits = {}) {
  const appends: Append[] = []
  const errors: unknown[] = []
  /** Heads that those who listen heard of. */
  const grown: number[] = []
  const memory = memoryStore()
  const store: Store = new Proxy(memory, {
    get(target, key) {
      if (key === 'append') {
        return (room: string, append: Append) => {
          appends.push(append)
          return (replace.append ?? ((...args) => target.append(...args)))(room, append)
        }
      }
      const own = replace[key as keyof Store] ?? target[key as keyof Store]
      return typeof own === 'function' ? own.bind(target) : own
    },
  })
  const platform = new ManualPlatform()
  const host = new RoomHost('r', {
    meter: new Meter(),
    store,
    platform,
    limits: { ...DEFAULT_LIMITS, ...limits },
    report: (error) => errors.push(error),
    grew: (_, __, { place }) => grown.push(place),
  })
  const publish = (batch: number, prev: number | undefined, ids: string[]): Promise<Reply> =>
    new Promise((resolve) =>
      host.publish(
        {
          device: 'd',
          mayPublish: everything,
          frame: publishOf(batch, prev, ids),
          lines: linesOf(publishOf(batch, prev, ids).events),
          data: ids.map(() => '0'),
        },
        100,
        resolve,
      ),
    )
  return { host, memory, store, appends, errors, grown, publish, platform }
}

const hello = { device: 'd', secretHash: 'hash', subject: 'ann', log: 'log', terms: [TERM] }
const event = { header: { type: 'a.b', source: 's', time: 1 }, data: '1' }

describe('RoomHost', () => {
  it('makes the room with the first append, and answers after it', async () => {
    const { appends, host, memory } = await setup()
    expect(() => host.head).toThrow(BusError)
    await host.hello(hello)
    expect(await memory.load('r')).toMatchObject({
      head: { epoch: host.head.epoch, version: 1, place: 0 },
    })
    expect(appends).toHaveLength(1)
    await host.hello(hello)
    expect(appends).toHaveLength(1)
    await expect(host.hello({ ...hello, secretHash: 'x' })).rejects.toMatchObject({
      code: 'bad_device',
    })
  })

  it('commits what gathers while an append is in flight in one next append', async () => {
    let release = (): void => {}
    const started: (() => void)[] = []
    const slow: Partial<Store> = {}
    const { appends, host, memory, publish } = await setup(slow)
    await host.hello(hello)
    slow.append = async (room, append) => {
      for (const wake of started.splice(0)) wake()
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return memory.append(room, append)
    }
    const running = new Promise<void>((resolve) => started.push(resolve))
    const replies = [publish(1, undefined, ['a-1'])]
    await running
    let answered = 0
    for (let batch = 2; batch <= 10; batch++)
      replies.push(publish(batch, batch - 1, [`a-${batch}`]))
    for (const reply of replies) void reply.then(() => (answered += 1))
    await new Promise((resolve) => setImmediate(resolve))
    expect(answered).toBe(0)
    const second = new Promise<void>((resolve) => started.push(resolve))
    release()
    await second
    release()
    expect(await Promise.all(replies)).toEqual(
      replies.map((_, i) => ({ frame: 'ack', batch: i + 1 })),
    )
    expect(appends.slice(1).map(({ records }) => records.length)).toEqual([1, 9])
  })

  it('decides anew where another process wrote first', async () => {
    const { appends, host, memory, publish } = await setup()
    await host.hello(hello)
    const other = await setup({
      append: (room, append) => memory.append(room, append),
      load: (room) => memory.load(room),
    })
    await other.host.post({ mayPublish: everything, events: [event] }, 10)
    expect(await publish(1, undefined, ['a-1'])).toEqual({ frame: 'ack', batch: 1 })
    expect(appends.map(({ expected }) => expected.version)).toEqual([0, 1, 2])
    expect(appends.at(-1)?.records).toMatchObject([{ place: 2, batch: 1 }])
    expect(host.head).toMatchObject({ version: 3, place: 2 })
  })

  it('reads again what another process wrote while it was read for the first time', async () => {
    const [read, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const memory = memoryStore()
    const own: Partial<Store> = {
      append: (room, append) => memory.append(room, append),
      load: (room) => memory.load(room),
      head: (room) => memory.head(room),
      state: (room, keys) => memory.state(room, keys),
    }
    const other = await setup(own)
    await other.host.hello(hello)
    const { host } = await setup({
      ...own,
      async load(room) {
        const loaded = await memory.load(room)
        read.resolve()
        await goOn.promise
        return loaded
      },
    })
    const admitted = host.hello(hello)
    await read.promise
    await other.host.post({ mayPublish: everything, events: [event] }, 10)
    host.wake()
    goOn.resolve()
    await admitted
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(host.head.place).toBe(1)
  })

  it('refuses nothing for a revision that another process has since made the right one', async () => {
    const { host, memory } = await setup()
    const other = await setup({
      append: (room, append) => memory.append(room, append),
      load: (room) => memory.load(room),
      head: (room) => memory.head(room),
      state: (room, keys) => memory.state(room, keys),
    })
    const expecting = (...expected: Expected[]) => ({
      mayPublish: everything,
      events: [
        {
          header: { ...event.header, stream: 's', ...(expected[0] && { expected: expected[0] }) },
          data: '1',
        },
      ],
    })
    await host.post(expecting('none'), 10)
    await other.host.post(expecting(1), 10)
    // Nobody told this one.
    await expect(host.post(expecting(2), 10)).resolves.toMatchObject({ events: [{ revision: 3 }] })
    await other.host.post(expecting(3), 10)
    await expect(host.post(expecting(3), 10)).rejects.toMatchObject({
      code: 'conflict',
      currentRevision: 4,
    })
    await other.host.post(expecting(), 10)
    await expect(host.post(expecting('none'), 10)).rejects.toMatchObject({ currentRevision: 5 })
  })

  it('gives up a race it loses again and again', async () => {
    const { appends, host, errors } = await setup({ append: async () => false })
    await expect(host.hello(hello)).rejects.toMatchObject({ code: 'unavailable' })
    expect(appends.length).toBeLessThan(100)
    expect(errors).toHaveLength(1)
  })

  it('rejects for now what the store fails to write, and goes on when it works again', async () => {
    const replace: Partial<Store> = {}
    const { host, errors, publish } = await setup(replace)
    await host.hello(hello)
    replace.append = () => Promise.reject(new Error('disk on fire'))
    expect(await publish(1, undefined, ['a-1'])).toEqual({
      frame: 'reject',
      batch: 1,
      code: 'unavailable',
      retryAfterMs: 1_000,
    })
    expect(errors).toMatchObject([{ message: 'disk on fire' }])
    await expect(host.post({ mayPublish: everything, events: [event] }, 10)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.not.stringContaining('fire'),
    })
    delete replace.append
    expect(await publish(1, undefined, ['a-1'])).toEqual({ frame: 'ack', batch: 1 })
  })

  it('recognises a batch whose append had failed after all was written', async () => {
    const replace: Partial<Store> = {}
    const { host, memory, publish } = await setup(replace)
    await host.hello(hello)
    replace.append = async (room, append) => {
      await memory.append(room, append)
      throw new Error('connection lost')
    }
    expect(await publish(1, undefined, ['a-1'])).toMatchObject({
      frame: 'reject',
      code: 'unavailable',
    })
    delete replace.append
    expect(await publish(1, undefined, ['a-1'])).toEqual({ frame: 'ack', batch: 1 })
    expect(host.head.place).toBe(1)
  })

  it('hands on what an append that failed had written after all, though nobody asks again', async () => {
    const replace: Partial<Store> = {}
    const { errors, grown, host, memory, platform } = await setup(replace)
    await host.hello(hello)
    replace.append = async (room, append) => {
      await memory.append(room, append)
      throw new Error('no answer')
    }
    replace.load = () => Promise.reject(new Error('no answer'))
    const post = host.post({ mayPublish: everything, events: [event] }, 10)
    await expect(post).rejects.toMatchObject({ code: 'unavailable' })
    platform.advance(1_000)
    await expect.poll(() => errors).toHaveLength(2)
    expect(grown).toEqual([])
    delete replace.load
    platform.advance(1_000)
    await expect.poll(() => grown).toEqual([1])
    platform.advance(1_000)
    expect([host.head.place, platform.timers]).toEqual([1, 0])
  })

  it('reads no more of what an append that failed had written once it is drained', async () => {
    const replace: Partial<Store> = {}
    const { host, platform } = await setup(replace)
    await host.hello(hello)
    replace.append = () => Promise.reject(new Error('no answer'))
    const post = host.post({ mayPublish: everything, events: [event] }, 10)
    await expect(post).rejects.toMatchObject({ code: 'unavailable' })
    await host.drain()
    expect(platform.timers).toBe(0)
  })

  it('writes an event of one id once, whether posted one after the other or at once', async () => {
    const { host } = await setup()
    const post = { mayPublish: everything, events: [{ ...event, id: 'h-x' }] }
    const [first, second] = await Promise.all([host.post(post, 10), host.post(post, 10)])
    const third = await host.post(post, 10)
    expect([first, second, third].map(({ events }) => events[0]?.existing)).toEqual([
      false,
      true,
      true,
    ])
    expect(new Set([first, second, third].map(({ events }) => events[0]?.position)).size).toBe(1)
    expect(host.head.place).toBe(1)
  })

  it('rejects for now what would wait beyond its limit', async () => {
    const { host, publish } = await setup({}, { queueBytes: 250 })
    await host.hello(hello)
    const replies = await Promise.all([
      publish(1, undefined, ['a-1']),
      publish(2, 1, ['a-2']),
      publish(3, 2, ['a-3']),
    ])
    expect(replies).toMatchObject([
      { frame: 'ack' },
      { frame: 'ack' },
      { frame: 'reject', code: 'rate_limited' },
    ])
    expect(await publish(3, 2, ['a-3'])).toMatchObject({ frame: 'ack' })
  })

  it('answers what it has and takes no more when it drains', async () => {
    const { host, publish } = await setup()
    await host.hello(hello)
    const last = publish(1, undefined, ['a-1'])
    await host.drain()
    expect(await last).toEqual({ frame: 'ack', batch: 1 })
    expect(await publish(2, 1, ['a-2'])).toMatchObject({ frame: 'reject', code: 'going_away' })
  })
})
