import { describe, expect, it } from 'vitest'
import type { Bus } from '../../types.ts'
import { createTestNetwork, type TestNetwork } from './network.ts'
import { Random, randomFor } from './random.ts'
import { Scheduler } from './scheduler.ts'

const NAME = 'shop'
/** What goes wrong is asked for. */
const onError = (): void => {}

type AnyBus = Bus<Record<string, unknown>>

interface Pair {
  readonly network: TestNetwork
  readonly device: ReturnType<TestNetwork['device']>
  readonly buses: readonly [AnyBus, AnyBus]
  /** What the second context heard of the first. */
  readonly heard: unknown[]
}

/** Two contexts of one device, both ready. */
async function pair(seed = 1): Promise<Pair> {
  const network = createTestNetwork({ seed })
  const device = network.device('phone')
  const open = (): AnyBus => device.open().createBus({ name: NAME, onError })
  const buses = [open(), open()] as const
  const heard: unknown[] = []
  for (const bus of buses) bus.subscribe('none', () => {})
  buses[1].subscribe('**', (event) => heard.push(event.data))
  await network.until(() => buses.every(({ status }) => status.log.state === 'open'))
  return { network, device, buses, heard }
}

function rawChannels(device: Pair['device']): [BroadcastChannel, BroadcastChannel] {
  const [a, b] = device.contexts.map(({ platform }) => {
    const Channel = platform.BroadcastChannel as typeof BroadcastChannel
    return new Channel('raw')
  })
  return [a as BroadcastChannel, b as BroadcastChannel]
}

async function ids(device: Pair['device']): Promise<string[]> {
  return (await device.records(NAME)).flatMap(({ headers }) => headers.map(({ id }) => id))
}

describe('the scheduler', () => {
  it('runs tasks in order of time, then of scheduling, with all microtasks between two', async () => {
    const scheduler = new Scheduler()
    const ran: string[] = []
    const task = (name: string) => () => {
      ran.push(name)
      void Promise.resolve()
        .then(() => {})
        .then(() => ran.push(`${name}, microtask`))
    }
    scheduler.schedule(5, 'late', task('late'))
    scheduler.schedule(1, 'first', task('first'))
    scheduler.schedule(1, 'second', task('second'))
    scheduler.schedule(1, 'never', task('never'))()
    expect(await scheduler.until(() => false, 3)).toBe(false)
    expect(ran).toEqual(['first', 'first, microtask', 'second', 'second, microtask'])
    expect(scheduler.now).toBe(3)
    await scheduler.until(() => ran.length === 6, 100)
    expect(scheduler.now).toBe(5)
  })

  it('keeps time order over many tasks', async () => {
    const scheduler = new Scheduler()
    const random = new Random(1)
    const times: number[] = []
    for (let i = 0; i < 500; i++)
      scheduler.schedule(random.between(0, 100), '', () => times.push(scheduler.now))
    await scheduler.until(() => false, 100)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times).toHaveLength(500)
  })
})

describe('chance', () => {
  it('is the same for a seed and a name, and another for each part of a run', () => {
    const draw = (seed: number, name: string) => randomFor(seed, name).text(12)
    expect(draw(1, 'phone')).toBe(draw(1, 'phone'))
    expect(new Set([draw(1, 'phone'), draw(2, 'phone'), draw(1, 'laptop')]).size).toBe(3)
  })
})

describe('a network', () => {
  it('does the same again with the same seed, and something else with another', async () => {
    const hash = async (seed: number): Promise<number> => {
      const { network, buses } = await pair(seed)
      await network.until(buses[0].publish('a', 1))
      await network.run(1_000)
      return network.hash
    }
    expect(await hash(1)).toBe(await hash(1))
    expect(await hash(1)).not.toBe(await hash(2))
  })

  it('moves in run, until and settle only', async () => {
    const { network, buses } = await pair()
    let done = false
    void buses[0].publish('a', 1).then(() => {
      done = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(done).toBe(false)
    await network.run(50)
    expect(done).toBe(true)
  })

  it('says when what is waited for does not come', async () => {
    const { network } = await pair()
    await expect(network.until(() => false, 1_000)).rejects.toThrow('not within 1000 ms')
    await expect(network.until(new Promise(() => {}), 1_000)).rejects.toThrow('not within 1000 ms')
  })

  it('leaves nothing behind when its buses are closed', async () => {
    const { network, device, buses } = await pair()
    await network.until(Promise.all(buses.map((bus) => bus.close())))
    await network.run(60_000)
    const none = { timers: 0, holds: 0, sockets: 0, logs: 0, listeners: 0 }
    expect(device.contexts.map(({ holdings }) => holdings)).toEqual([none, none])
    expect([device.channels.size, device.locks.size]).toEqual([0, 0])
  })
})

describe('channels', () => {
  it('lose what they are told to lose, and the log makes up for it', async () => {
    const { network, device, buses, heard } = await pair()
    const [a, b] = rawChannels(device)
    const got: unknown[] = []
    b.onmessage = ({ data }) => got.push(data)
    device.channels.faults = { drop: 1 }
    a.postMessage('lost')
    await network.until(buses[0].publish('a', 1))
    await network.run(1_000)
    device.channels.calm()
    a.postMessage('heard')
    await network.until(buses[0].publish('a', 2))
    await network.until(() => heard.length === 2)
    expect(heard).toEqual([1, 2])
    expect(got).toEqual(['heard'])
  })

  it('repeat messages, and keep the order of one sender also where they are late', async () => {
    const { network, device } = await pair()
    device.channels.faults = { duplicate: 1, delay: 0.5 }
    const [a, b] = rawChannels(device)
    const got: unknown[] = []
    b.onmessage = ({ data }) => got.push(data)
    a.onmessage = ({ data }) => got.push(`to its own sender: ${data}`)
    for (let i = 0; i < 20; i++) a.postMessage(i)
    await network.run(10_000)
    expect(got).toEqual(Array.from({ length: 40 }, (_, i) => i >> 1))
    b.close()
    expect(() => b.postMessage(1)).toThrow('closed')
  })
})

describe('locks', () => {
  it('go to one after the other, and on when their holder crashes', async () => {
    const { network, device } = await pair()
    const [first, second] = device.contexts
    const order: string[] = []
    void first?.platform.locks?.request('raw', () => new Promise(() => order.push('first')))
    const held = second?.platform.locks?.request('raw', async () => {
      order.push('second')
      return 'done'
    })
    await network.run(1_000)
    expect(order).toEqual(['first'])
    first?.crash()
    expect(await network.until(held as Promise<unknown>)).toBe('done')
  })

  it('are stolen, and not waited for any longer when that is aborted', async () => {
    const { network, device } = await pair()
    const [first, second] = device.contexts
    const robbed = first?.platform.locks?.request('raw', () => new Promise(() => {}))
    robbed?.catch(() => {})
    await network.run(10)
    const stolen = second?.platform.locks?.request('raw', { steal: true }, () => 'stolen')
    expect(await network.until(stolen as Promise<unknown>)).toBe('stolen')
    await expect(network.until(robbed as Promise<unknown>)).rejects.toThrow('stolen')
    void first?.platform.locks?.request('raw', () => new Promise(() => {}))
    await network.run(10)
    const ending = new AbortController()
    const given = second?.platform.locks?.request('raw', { signal: ending.signal }, () => 'no')
    ending.abort(new Error('enough'))
    await expect(network.until(given as Promise<unknown>)).rejects.toThrow('enough')
  })
})

describe('a disk', () => {
  it('loses its last writes when the power is cut, and says which events those were', async () => {
    const { network, device, buses } = await pair()
    const events = []
    for (let i = 0; i < 3; i++) events.push(await network.until(buses[0].publish('a', i)))
    const lost = await device.cutPower(2)
    expect(lost).toEqual(events.slice(1).map(({ id }) => id))
    expect(await ids(device)).toEqual([events[0]?.id])
    expect(device.contexts).toEqual([])
  })

  it('is copied with its identity, and each copy goes its own way', async () => {
    const { network, device, buses } = await pair()
    await network.until(buses[0].publish('a', 1))
    const copy = network.device('copy')
    await copy.copyFrom(device)
    const bus = copy.open().createBus({ name: NAME, onError })
    await network.until(bus.publish('a', 2))
    expect(await ids(copy)).toHaveLength(2)
    expect(await ids(device)).toHaveLength(1)
    const logId = async (of: typeof device) => (await of.disk(NAME).log.state()).logId
    expect(await logId(copy)).toBe(await logId(device))
  })

  it('rolls writes back, and finds no room', async () => {
    const { network, device, buses } = await pair()
    device.disk(NAME).faults = { abort: 1 }
    const aborted = network.until(buses[0].publish('a', 1))
    await expect(aborted).rejects.toMatchObject({ code: 'log_failed' })
    device.disk(NAME).faults = { quota: 1 }
    const full = network.until(buses[0].publish('a', 2))
    await expect(full).rejects.toMatchObject({ code: 'quota_exceeded' })
    expect(await ids(device)).toEqual([])
  })

  it('tells those who have a log open that it was cleared, and gives them another', async () => {
    const { network, device, buses } = await pair()
    const before = (await device.disk(NAME).log.state()).logId
    await network.until(buses[0].publish('a', 1))
    device.disk(NAME).clear()
    await network.until(() => buses[0].status.lastError?.code === 'log_cleared')
    await network.until(buses[0].publish('a', 2))
    expect(await ids(device)).toHaveLength(1)
    expect((await device.disk(NAME).log.state()).logId).not.toBe(before)
  })
})

describe('a context', () => {
  it('does nothing while it is frozen, and all of it when it thaws', async () => {
    const { network, device, buses, heard } = await pair()
    device.contexts[1]?.freeze()
    await network.until(buses[0].publish('a', 1))
    await network.run(5_000)
    expect(heard).toEqual([])
    device.contexts[1]?.thaw()
    await network.until(() => heard.length === 1)
  })

  it('does nothing any more when it crashed', async () => {
    const { network, device, buses, heard } = await pair()
    device.contexts[1]?.crash()
    await network.until(buses[0].publish('a', 1))
    await network.run(5_000)
    expect(heard).toEqual([])
    expect(device.contexts).toHaveLength(1)
  })

  it('is not kept for the way back while it holds a lock', async () => {
    const { network, device } = await pair()
    const [page] = device.contexts
    void page?.platform.locks?.request('raw', () => new Promise(() => {}))
    await network.run(10)
    page?.cache()
    await network.run(1_000)
    expect(page?.alive).toBe(false)
  })

  it('comes back from the back/forward cache and has missed nothing', async () => {
    const { network, device, buses, heard } = await pair()
    const page = device.contexts[1]
    page?.cache()
    await network.run(1_000)
    expect(page?.frozen).toBe(true)
    await network.until(buses[0].publish('a', 1))
    page?.thaw()
    await network.until(() => heard.length === 1)
  })
})
