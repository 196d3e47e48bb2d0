import { describe, expect, it } from 'vitest'
import { createBus } from '../bus.ts'
import type { BusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import { createTestNetwork, type TestNetwork } from '../testing/network/network.ts'
import type { DurableOptions, HandlerContext } from '../types.ts'

type Options = Omit<DurableOptions<BusEvent>, 'durable'>
type Run = (event: BusEvent, ctx: HandlerContext<object>) => unknown

/** One device, whose contexts consume as `mail`, on a virtual clock. */
class Device {
  readonly network: TestNetwork = createTestNetwork()
  readonly errors: BusError[] = []
  readonly #device = this.network.device('phone')
  readonly publisher = this.open()

  open(limits: object = {}) {
    const context = this.#device.open()
    const bus = context.createBus({
      name: 'shop',
      limits,
      onError: (error) => this.errors.push(error),
    })
    return { context, bus }
  }

  consumer(run: Run, options: Options = {}) {
    const opened = this.open()
    opened.bus.subscribe('order.*', run as never, { durable: 'mail', ...options } as never)
    return opened
  }

  async publish(...data: unknown[]): Promise<void> {
    for (const one of data) {
      const stream = String(one).split(' ')[1]
      const options = stream === undefined ? {} : { stream }
      await this.network.until(this.publisher.bus.publish('order.placed', one, options))
    }
  }

  async until(holds: () => boolean): Promise<void> {
    await this.network.until(holds, 3_600_000)
  }

  letters() {
    return this.network.until(this.publisher.bus.deadLetters.list())
  }
}

/** How long each call came after the one before, in virtual ms, roughly. */
function timesOf(times: readonly number[]): number[] {
  return times.slice(1).map((time, nth) => Math.round((time - (times[nth] as number)) / 10) * 10)
}

describe('`durable`', () => {
  it('gives each event of the log, those from before it was subscribed included', async () => {
    const device = new Device()
    await device.publish(1, 2)
    const seen: unknown[] = []
    device.consumer((event) => seen.push(event.data))
    await device.publish(3)
    await device.until(() => seen.length === 3)
    expect(seen).toEqual([1, 2, 3])
  })

  it('is one context at a time, and the next goes on when it is closed, crashes or is frozen', async () => {
    const device = new Device()
    const seen: [string, unknown][] = []
    const open = async (name: string) => {
      const opened = device.consumer((event) => seen.push([name, event.data]))
      // So that they wait in this order.
      await device.network.run(1_000)
      return opened
    }
    const a = await open('a')
    const b = await open('b')
    const c = await open('c')
    const d = await open('d')
    await device.publish(1)
    await device.until(() => seen.length === 1)
    await device.network.until(a.bus.close())
    await device.publish(2)
    await device.until(() => seen.length === 2)
    b.context.crash()
    await device.publish(3)
    await device.until(() => seen.length === 3)
    c.context.freeze()
    await device.publish(4)
    await device.until(() => seen.length === 4)
    expect(seen).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
      ['d', 4],
    ])
    expect(d.bus.stats().consumers).toMatchObject([{ name: 'mail', state: 'running' }])
  })

  it('gives an event again whose context died with it, and what came after it once', async () => {
    const device = new Device()
    const seen: [string, unknown, number][] = []
    const first = device.consumer((event, { attempt }) => {
      seen.push(['first', event.data, attempt])
      return event.data === 2 ? new Promise(() => {}) : undefined
    })
    await device.publish(1, 2, 3)
    await device.until(() => seen.length === 2)
    await device.network.run(1_000)
    first.context.crash()
    device.consumer((event, { attempt }) => seen.push(['second', event.data, attempt]))
    await device.until(() => seen.length === 4)
    expect(seen.slice(1)).toEqual([
      ['first', 2, 1],
      ['second', 2, 2],
      ['second', 3, expect.any(Number)],
    ])
  })

  it('ignores what a context says of an event that another one was given since', async () => {
    const device = new Device()
    let late = (): void => {}
    const seen: string[] = []
    const first = device.consumer((event) => {
      seen.push(`first ${event.data}`)
      return new Promise<void>((resolve) => {
        late = resolve
      })
    })
    await device.publish(1)
    await device.until(() => seen.length === 1)
    first.context.freeze()
    device.consumer((event) => {
      seen.push(`second ${event.data}`)
      if (seen.length < 3) throw new Error('not yet')
    })
    await device.until(() => seen.length === 2)
    first.context.thaw()
    late()
    await device.until(() => seen.length === 3)
    expect(seen).toEqual(['first 1', 'second 1', 'second 1'])
  })

  it('lets what runs end when it is unsubscribed, and knows that it was handled', async () => {
    const device = new Device()
    const seen: unknown[] = []
    const { bus } = device.open()
    let finish = (): void => {}
    const off = bus.subscribe(
      'order.*',
      (event) => {
        seen.push(event.data)
        return new Promise<void>((resolve) => {
          finish = resolve
        })
      },
      { durable: 'mail' },
    )
    await device.publish(1, 2)
    await device.until(() => seen.length === 1)
    off()
    finish()
    device.consumer((event, { attempt }) => seen.push([event.data, attempt]))
    await device.until(() => seen.length === 2)
    expect(seen).toEqual([1, [2, 1]])
  })

  it('stops before an event of a newer version of its type, and says so', async () => {
    const device = new Device()
    const errors: BusError[] = []
    const seen: unknown[] = []
    const context = device.open().context
    const bus = context.createBus({
      name: 'shop',
      events: { 'order.placed': { version: 1 } },
      onError: (error: BusError) => errors.push(error),
    } as never)
    bus.subscribe('order.*', (event: BusEvent) => seen.push(event.data), { durable: 'mail' })
    await device.publish(1)
    await device.network.until(
      device.publisher.bus.publish('order.placed', 2, { version: 2 } as never),
    )
    await device.publish(3)
    await device.until(() => bus.stats().consumers[0]?.state === 'needs_upgrade')
    expect(errors).toMatchObject([{ code: 'needs_upgrade', eventVersion: 2 }])
    expect(seen).toEqual([1])
    expect(bus.stats().consumers).toMatchObject([{ state: 'needs_upgrade' }])
    // A context that knows the version goes on.
    device.consumer((event) => seen.push(event.data))
    await device.until(() => seen.length === 3)
    expect(seen).toEqual([1, 2, 3])
  })

  it('says which events retention removed before it had them', async () => {
    const device = new Device()
    const first = device.consumer(() => {})
    await device.publish(1)
    await device.until(() => first.bus.stats().consumers[0]?.lag === 0)
    await device.network.until(first.bus.close())
    const { bus } = device.open({ logEvents: 5 })
    bus.subscribe('none', () => {})
    await device.publish(...Array.from({ length: 30 }, (_, n) => n + 2))
    await device.network.until(device.publisher.bus.close())
    await device.network.run(600_000)
    const seen: unknown[] = []
    device.consumer((event) => seen.push(event.data))
    await device.until(() => seen.includes(31))
    expect(device.errors.map(({ code }) => code)).toContain('overtaken')
    expect(seen.length).toBeLessThan(31)
  })
})

describe('`from`', () => {
  it('says where a consumer begins that there was not yet, and nothing later on', async () => {
    const device = new Device()
    await device.publish(1)
    await device.network.run(10)
    const seen: unknown[] = []
    const first = device.consumer((event) => seen.push(event.data), { from: 'now' })
    await device.publish(2)
    await device.until(() => seen.length === 1)
    await device.network.until(first.bus.close())
    await device.publish(3)
    device.consumer((event) => seen.push(event.data), { from: 'start' })
    await device.until(() => seen.length === 2)
    expect(seen).toEqual([2, 3])
  })
})

describe('`maxDeliver`', () => {
  it('is how often an event is given; then it is a dead letter, and the next ones go on', async () => {
    const device = new Device()
    const seen: unknown[] = []
    device.consumer(
      (event) => {
        seen.push(event.data)
        if (event.data === 1) throw new TypeError('never')
      },
      { maxDeliver: 3, backoff: [100] },
    )
    await device.publish(1, 2)
    await device.until(() => seen.length === 4)
    await device.network.run(1_000)
    expect(seen.filter((data) => data === 1)).toHaveLength(3)
    expect(await device.letters()).toMatchObject([
      { consumer: 'mail', reason: 'failed', attempts: 3, detail: 'TypeError: never' },
    ])
  })

  it('counts the deaths of contexts, of the event that kills them and of no other', async () => {
    const device = new Device()
    const seen: unknown[] = []
    const open = (): void => {
      const { context } = device.consumer(
        (event) => {
          seen.push(event.data)
          if (event.data !== 3) return
          context.crash()
          return new Promise(() => {})
        },
        { maxDeliver: 3 },
      )
    }
    await device.publish(1, 2, 3, 4, 5)
    for (let n = 0; n < 5; n++) {
      open()
      await device.network.run(5_000)
    }
    expect(seen.filter((data) => data === 3)).toHaveLength(3)
    expect(seen).toEqual(expect.arrayContaining([1, 2, 4, 5]))
    expect(await device.letters()).toMatchObject([
      { reason: 'crashed', attempts: 3, event: { data: 3 } },
    ])
  })
})

describe('`ackWait`', () => {
  it('gives an event again of which nothing is said in time, and aborts the signal', async () => {
    const device = new Device()
    const times: number[] = []
    let aborted = 0
    device.consumer(
      (_event, { signal }) => {
        times.push(device.network.now)
        signal.addEventListener('abort', () => (aborted += 1))
        return times.length < 3 ? new Promise(() => {}) : undefined
      },
      { ackWait: 5_000 },
    )
    await device.publish(1)
    await device.until(() => times.length === 3)
    expect(timesOf(times)).toEqual([5_000, 5_000])
    expect(aborted).toBe(2)
  })

  it('begins anew with `ctx.inProgress()`', async () => {
    const device = new Device()
    let calls = 0
    device.consumer(
      async (_event, ctx) => {
        calls += 1
        for (let n = 0; n < 5; n++) {
          await new Promise<void>((resolve) => device.network.after(4_000, resolve))
          ctx.inProgress()
        }
      },
      { ackWait: 5_000 },
    )
    await device.publish(1)
    await device.network.run(60_000)
    expect(calls).toBe(1)
  })

  it('lets a late acknowledgement count', async () => {
    const device = new Device()
    const attempts: number[] = []
    let acknowledge = (): void => {}
    device.consumer(
      (_event, ctx) => {
        attempts.push(ctx.attempt)
        if (attempts.length > 1) return new Promise(() => {})
        return new Promise<void>((resolve) => {
          acknowledge = resolve
        })
      },
      { ackWait: 1_000 },
    )
    await device.publish(1)
    await device.until(() => attempts.length === 2)
    acknowledge()
    await device.network.run(60_000)
    expect(attempts).toEqual([1, 2])
  })
})

describe('`backoff`', () => {
  it('says when an event is given again whose handler threw; the last entry repeats', async () => {
    const device = new Device()
    const times: number[] = []
    device.consumer(
      () => {
        times.push(device.network.now)
        if (times.length < 5) throw new Error('not yet')
      },
      { backoff: [100, 1_000, 10_000] },
    )
    await device.publish(1)
    await device.until(() => times.length === 5)
    expect(timesOf(times)).toEqual([100, 1_000, 10_000, 10_000])
  })

  it('is how long each delivery may take, in place of `ackWait`', async () => {
    const device = new Device()
    const times: number[] = []
    device.consumer(
      () => {
        times.push(device.network.now)
        return times.length < 3 ? new Promise(() => {}) : undefined
      },
      { backoff: [2_000, 7_000], ackWait: 60_000 },
    )
    await device.publish(1)
    await device.until(() => times.length === 3)
    expect(timesOf(times)).toEqual([2_000, 7_000])
  })

  it('is not asked for `ctx.nak(delay)`, which says itself when', async () => {
    const device = new Device()
    const times: number[] = []
    device.consumer(
      (_event, ctx) => {
        times.push(device.network.now)
        if (times.length < 3) ctx.nak(times.length === 1 ? 3_000 : undefined)
      },
      { backoff: [60_000] },
    )
    await device.publish(1)
    await device.until(() => times.length === 3)
    expect(timesOf(times)).toEqual([3_000, 0])
  })
})

describe('`ctx.term(reason)`', () => {
  it('makes a dead letter at once, with the reason', async () => {
    const device = new Device()
    device.consumer((_event, ctx) => ctx.term('no such customer'))
    await device.publish(1)
    await device.network.run(1_000)
    expect(await device.letters()).toMatchObject([
      { reason: 'terminated', detail: 'no such customer', attempts: 1 },
    ])
  })
})

describe('`maxAckPending`', () => {
  it('bounds the events that are given and not settled', async () => {
    const device = new Device()
    const seen: unknown[] = []
    let finish: (() => void)[] = []
    device.consumer(
      (event) => {
        seen.push(event.data)
        return new Promise<void>((resolve) => finish.push(resolve))
      },
      { concurrency: 10, maxAckPending: 3 },
    )
    await device.publish(1, 2, 3, 4, 5, 6)
    await device.network.run(1_000)
    expect(seen).toEqual([1, 2, 3])
    for (const go of finish.splice(0)) go()
    await device.until(() => seen.length === 6)
    finish = []
  })
})

describe('`concurrency`', () => {
  it('is one where nothing else is said', async () => {
    const device = new Device()
    let [running, most] = [0, 0]
    device.consumer(async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise<void>((resolve) => device.network.after(10, resolve))
      running -= 1
    })
    await device.publish(1, 2, 3, 4)
    await device.network.run(1_000)
    expect([running, most]).toEqual([0, 1])
  })
})

describe("`orderBy: 'stream'`", () => {
  it('holds back what stands behind an event that is not settled, and no other stream', async () => {
    const device = new Device()
    const seen: unknown[] = []
    let failures = 0
    device.consumer(
      (event) => {
        if (event.data === '1 a' && failures < 3) {
          failures += 1
          throw new Error('not yet')
        }
        seen.push(event.data)
      },
      { orderBy: 'stream', backoff: [1_000] },
    )
    await device.publish('1 a', '2 a', '3 b', '4 b', '5 a')
    await device.until(() => seen.length === 5)
    expect(seen).toEqual(['3 b', '4 b', '1 a', '2 a', '5 a'])
  })
})

describe('`policy`', () => {
  it('keeps what it does not let through for later, and that counts as no attempt', async () => {
    const device = new Device()
    let open = true
    const attempts: number[] = []
    device.consumer((_event, ctx) => attempts.push(ctx.attempt), {
      policy: {
        async execute(run) {
          if (open) throw Object.assign(new Error('open'), { isBrokenCircuitError: true })
          return run()
        },
      },
      backoff: [1_000],
      maxDeliver: 2,
    })
    await device.publish(1)
    await device.network.run(20_000)
    open = false
    await device.until(() => attempts.length === 1)
    expect(attempts).toEqual([1])
  })
})

describe('dead letters', () => {
  it('are there after a restart, with their events, whatever became of these in the log', async () => {
    const device = new Device()
    const first = device.consumer((_event, ctx) => ctx.term())
    await device.publish(1)
    await device.until(() => first.bus.stats().consumers[0]?.dead === 1)
    await device.network.run(1_000)
    first.context.crash()
    const again = device.open({ logEvents: 2 })
    again.bus.subscribe('none', () => {})
    await device.publish(...Array.from({ length: 30 }, (_, n) => n + 2))
    await device.network.run(600_000)
    expect(await device.network.until(again.bus.deadLetters.list())).toMatchObject([
      { consumer: 'mail', event: { type: 'order.placed', data: 1 } },
    ])
  })

  it('stay dead letters where they fail once more', async () => {
    const device = new Device()
    let calls = 0
    device.consumer(
      () => {
        calls += 1
        throw new Error(`no ${calls}`)
      },
      { maxDeliver: 2, backoff: [10] },
    )
    await device.publish(1)
    await device.until(() => calls === 2)
    await device.network.run(1_000)
    const redriven = device.publisher.bus.deadLetters.redrive({ consumer: 'mail' })
    expect(await device.network.until(redriven)).toBe(1)
    await device.until(() => calls === 4)
    await device.network.run(1_000)
    expect(await device.letters()).toMatchObject([{ attempts: 4, detail: 'Error: no 4' }])
    expect(calls).toBe(4)
  })
})

it('a bus without a log has no durable consumers', () => {
  const bus = createBus({ name: 'none', log: false, tabs: false })
  expect(() => bus.subscribe('order.*', () => {}, { durable: 'mail' })).toThrow(/needs a log/)
})
