import { afterEach, describe, expect, it } from 'vitest'
import { createBus } from '../bus.ts'
import { type BusError, isBusError } from '../errors.ts'
import { memoryLog } from '../log/memory.ts'
import { createTestNetwork, type TestNetwork } from '../testing/network/network.ts'
import type { Bus } from '../types.ts'
import type { Ask } from './request.ts'

type Shop = {
  'price.of': Ask<{ sku: string }, { cents: number }>
  'stock.of': Ask<{ sku: string }, Map<string, Date>>
  'time.now': Ask<void, string>
}
const NAME = 'shop'

interface Pair {
  readonly network: TestNetwork
  readonly device: ReturnType<TestNetwork['device']>
  readonly errors: BusError[]
  open(): Bus<Shop>
}

function pair(seed = 1): Pair {
  const network = createTestNetwork({ seed })
  const device = network.device('phone')
  const errors: BusError[] = []
  const open = (): Bus<Shop> =>
    device.open().createBus<Shop>({ name: NAME, onError: (error) => errors.push(error) })
  return { network, device, errors, open }
}

/** Two contexts that know each other. */
async function acquainted(): Promise<Pair & { asker: Bus<Shop>; responder: Bus<Shop> }> {
  const made = pair()
  const [asker, responder] = [made.open(), made.open()]
  for (const bus of [asker, responder]) bus.presence.subscribe(() => {})
  await made.network.until(() => asker.presence.get().length === 2)
  return { ...made, asker, responder }
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: BusError) => error.code,
  )

describe('`bus.request`, `bus.respond`', () => {
  it('a request is replied to by another context', async () => {
    const { network, asker, responder } = await acquainted()
    responder.respond('price.of', ({ data }) => ({ cents: data.sku.length }))
    expect(await network.until(asker.request('price.of', { sku: 'A1' }))).toEqual({ cents: 2 })
  })

  it('a request is replied to with values of all kinds', async () => {
    const { network, asker, responder } = await acquainted()
    responder.respond('stock.of', ({ data }) => new Map([[data.sku, new Date(7)]]))
    const reply = await network.until(asker.request('stock.of', { sku: 'A1' }))
    expect(reply).toEqual(new Map([['A1', new Date(7)]]))
  })

  it('a request is replied to by its own context', async () => {
    const { network, asker } = await acquainted()
    asker.respond('time.now', (_, { origin }) => origin)
    expect(await network.until(asker.request('time.now'))).toBe('self')
  })

  it('rejects with `no_responder` at once where nobody responds', async () => {
    const { network, asker } = await acquainted()
    await network.run(1_000)
    const began = network.now
    expect(await network.until(codeOf(asker.request('time.now')))).toBe('no_responder')
    expect(network.now - began).toBeLessThan(1)
  })

  it('a context that has just come waits a second for others to say that they are there before it says that nobody responds', async () => {
    const { network, open } = pair()
    open().respond('time.now', () => 'late')
    await network.run(2_000)
    expect(await network.until(open().request('time.now'))).toBe('late')
  })

  it('where the responder throws it rejects with `responder_failed` and his message, without his stack', async () => {
    const { network, asker, responder, errors } = await acquainted()
    responder.respond('time.now', () => {
      throw new Error('no clock')
    })
    const error = await network.until(asker.request('time.now').catch((thrown: unknown) => thrown))
    expect(isBusError(error, 'responder_failed')).toBe(true)
    expect((error as BusError).message).toContain('no clock')
    expect((error as BusError).cause).toBeUndefined()
    expect(errors.map(({ code }) => code)).toEqual(['handler_failed'])
  })

  it('it rejects with `timeout` in time, and the signal of who responds is aborted', async () => {
    const { network, asker, responder } = await acquainted()
    let signal: AbortSignal | undefined
    responder.respond('time.now', (_, context) => {
      signal = context.signal
      return new Promise(() => {})
    })
    const asked = codeOf(asker.request('time.now', undefined, { timeout: 100 }))
    expect(await network.until(asked)).toBe('timeout')
    await network.until(() => signal?.aborted === true)
  })

  it('`signal` gives it up, at both ends', async () => {
    const { network, asker, responder } = await acquainted()
    let signal: AbortSignal | undefined
    responder.respond('time.now', (_, context) => {
      signal = context.signal
      return new Promise(() => {})
    })
    const giving = new AbortController()
    const asked = codeOf(asker.request('time.now', undefined, { signal: giving.signal }))
    await network.until(() => signal !== undefined)
    giving.abort()
    expect(await network.until(asked)).toBe('aborted')
    await network.until(() => signal?.aborted === true)
  })

  it('it is handed to another context where the one that is at it closes', async () => {
    const { network, open } = pair()
    const asker = open()
    const responders = [open(), open()]
    let asked = 0
    for (const bus of responders) {
      bus.respond('time.now', () => {
        asked += 1
        return asked === 1 ? new Promise<string>(() => {}) : 'second'
      })
      bus.presence.subscribe(() => {})
    }
    asker.presence.subscribe(() => {})
    await network.until(() => asker.presence.get().length === 3)
    const reply = asker.request('time.now')
    await network.until(() => asked === 1)
    const first = asker.presence.get()[1]?.id
    const busy = responders.find((bus) => bus.presence.get()[0]?.id === first)
    void busy?.close()
    expect(await network.until(reply)).toBe('second')
  })
})

describe('`bus.request`, `bus.respond`', () => {
  const buses: Bus<Shop>[] = []
  afterEach(async () => {
    for (const bus of buses.splice(0)) await bus.close()
  })

  it('without others a bus asks itself, and says at once where nobody responds', async () => {
    for (const log of [false, memoryLog()] as const) {
      const bus = createBus<Shop>({ name: NAME, log, tabs: false })
      buses.push(bus)
      await expect(bus.request('time.now')).rejects.toMatchObject({ code: 'no_responder' })
      bus.respond('time.now', () => 'now')
      expect(await bus.request('time.now')).toBe('now')
    }
  })

  it('a schema validates what is asked with', async () => {
    const strict = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) =>
          typeof value === 'string' ? { value } : { issues: [{ message: 'no text' }] },
      },
    } as const
    const events = { 'name.of': strict, 'other.type': strict }
    const bus = createBus({ name: NAME, log: false, tabs: false, events })
    bus.respond('name.of', ({ data }) => `the name of ${String(data)}`)
    expect(await bus.request('name.of', 'A1')).toBe('the name of A1')
    await expect(bus.request('name.of', 7)).rejects.toMatchObject({ code: 'schema_failed' })
    await bus.close()
  })

  it('a context has one responder for a type, and none once it is taken away', async () => {
    const bus = createBus<Shop>({ name: NAME, log: false, tabs: false })
    buses.push(bus)
    const off = bus.respond('time.now', () => 'one')
    expect(() => bus.respond('time.now', () => 'two')).toThrow(
      expect.objectContaining({ code: 'invalid_options' }),
    )
    off()
    await expect(bus.request('time.now')).rejects.toMatchObject({ code: 'no_responder' })
    bus.respond('time.now', () => 'two')
    expect(await bus.request('time.now')).toBe('two')
  })

  it('closing the bus rejects what waits with `closed`, and aborts what is being answered', async () => {
    const bus = createBus<Shop>({ name: NAME, log: false, tabs: false })
    let signal: AbortSignal | undefined
    bus.respond('time.now', (_, context) => {
      signal = context.signal
      return new Promise(() => {})
    })
    const asked = codeOf(bus.request('time.now'))
    await bus.close()
    expect(await asked).toBe('closed')
    expect(signal?.aborted).toBe(true)
    await expect(bus.request('time.now')).rejects.toMatchObject({ code: 'closed' })
  })
})
