import { afterEach, describe, expect, it } from 'vitest'
import * as z from 'zod'
import {
  type Bus,
  type BusError,
  type BusEvent,
  type BusOptions,
  createBus,
  type EventSchemas,
  portLink,
  type UnknownPolicy,
} from './index.ts'

type Any = Record<string, unknown>
const buses: Bus<Any>[] = []
let tests = 0
let name = ''
const reported: BusError[] = []

/** A context of the device; those of one test share a log and a channel. */
function open(
  events?: EventSchemas,
  unknown?: UnknownPolicy,
  options: Partial<BusOptions> = {},
): Bus<Any> {
  const bus = createBus({
    name,
    ...options,
    onError: (error: BusError) => reported.push(error),
    ...(events && { events }),
    ...(unknown && { unknown }),
  }) as Bus<Any>
  buses.push(bus)
  return bus
}

const first: EventSchemas = { 'cart.added': z.object({ item: z.string() }) }
const third: EventSchemas = {
  'cart.added': {
    schema: z.object({ sku: z.string().min(2), quantity: z.number() }),
    version: 3,
    upcast: {
      // Changes what it is given, as upcasters like to do.
      1: (data: { item?: string; sku?: string }) => {
        data.sku = data.item as string
        delete data.item
        return data
      },
      2: (data: { sku: string }) => ({ ...data, quantity: 1 }),
    },
  },
}
const AS_THIRD = { type: 'cart.added', data: { sku: 'A1', quantity: 1 }, version: 3 }

async function all(events: AsyncIterable<BusEvent>): Promise<BusEvent[]> {
  const found: BusEvent[] = []
  for await (const event of events) found.push(event)
  return found
}

function codes(): string[] {
  return reported.map(({ code }) => code)
}

afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()))
  reported.length = 0
})

/** Both contexts hear each other. */
async function pair(
  old: EventSchemas | undefined,
  now: EventSchemas,
  unknown?: UnknownPolicy,
): Promise<[Bus<Any>, Bus<Any>]> {
  name = `versions-${++tests}`
  const [a, b] = [open(old), open(now, unknown)]
  for (const bus of [a, b]) bus.subscribe('warm.up', () => {})
  await expect.poll(() => [a, b].every(({ status }) => status.log.state === 'open')).toBe(true)
  return [a, b]
}

describe('an event of version 1, where version 3 is current', () => {
  it('is heard live as version 3 by every handler, and as version 1 where that is current', async () => {
    const [old, now] = await pair(first, third)
    const heard: BusEvent[] = []
    const own: BusEvent[] = []
    now.subscribe('cart.*', (event) => heard.push(event))
    now.subscribe('**', (event) => heard.push(event), { where: ({ version }) => version === 3 })
    old.subscribe('cart.*', (event) => own.push(event))
    const { id } = await old.publish('cart.added', { item: 'A1' })
    await expect.poll(() => heard.length).toBe(2)
    expect(heard[0]).toMatchObject({ ...AS_THIRD, id })
    // Made once for all of them.
    expect(heard[1]).toBe(heard[0])
    expect(own).toMatchObject([{ data: { item: 'A1' }, version: 1 }])
    expect(reported).toEqual([])
  })

  it('is read as version 3 in every way there is, however often', async () => {
    const [old, now] = await pair(first, third)
    const { id } = await old.publish('cart.added', { item: 'A1' }, { stream: 'cart-1' })
    for (let times = 0; times < 2; times++) {
      expect(await all(now.replay())).toMatchObject([AS_THIRD])
      expect(await now.loadStream('cart-1')).toMatchObject([AS_THIRD])
      expect(await now.get(id)).toMatchObject(AS_THIRD)
      const caughtUp: BusEvent[] = []
      now.subscribe('cart.*', (event) => caughtUp.push(event), { from: 'start' })
      await expect.poll(() => caughtUp).toMatchObject([AS_THIRD])
      for await (const event of now.events('cart.*', { from: { last: 1 }, where: isThird })) {
        expect(event).toMatchObject(AS_THIRD)
        break
      }
    }
    expect(await old.get(id)).toMatchObject({ data: { item: 'A1' }, version: 1 })
    expect(reported).toEqual([])
  })

  it('is published as version 3 from then on, and read without an upcaster', async () => {
    const [, now] = await pair(first, third)
    const other = open(third)
    const heard: BusEvent[] = []
    other.subscribe('cart.*', (event) => heard.push(event))
    const event = await now.publish('cart.added', { sku: 'A1', quantity: 1 })
    expect(event).toMatchObject(AS_THIRD)
    expect(await all(other.replay())).toMatchObject([AS_THIRD])
    await expect.poll(() => heard).toMatchObject([AS_THIRD])
    const [one, two] = await now.publishBatch([
      { type: 'cart.added', data: { sku: 'B1', quantity: 2 } },
      { type: 'other' },
    ])
    expect([one?.version, two?.version]).toEqual([3, 1])
    await expect(
      now.publish('cart.added', { sku: 'A1', quantity: 1 }, { version: 1 }),
    ).rejects.toMatchObject({ code: 'invalid_options' })
  })

  it('is written as version 3 also behind a schema that takes its time, in the order of the calls', async () => {
    const slow = z.string().refine(async () => true)
    const [, now] = await pair(first, { ...third, slow })
    void now.publish('slow', 'first')
    await now.publish('cart.added', { sku: 'A1', quantity: 1 })
    expect(await all(now.replay())).toMatchObject([{ data: 'first', version: 1 }, AS_THIRD])
  })

  it('that cannot be made current is told once for all handlers, and the others go on', async () => {
    const [old, now] = await pair(first, third)
    const heard: unknown[] = []
    now.subscribe('cart.*', ({ data }) => heard.push(data))
    now.subscribe('**', ({ data }) => heard.push(data))
    const { id } = await old.publish('cart.added', { item: 'A' })
    await old.publish('cart.added', { item: 'B1' })
    const B1 = { sku: 'B1', quantity: 1 }
    await expect.poll(() => heard).toEqual([B1, B1])
    expect(reported).toMatchObject([
      { code: 'schema_failed', stage: 'schema', eventType: 'cart.added', eventId: id },
    ])
    // Reading is no other: reported, and passed over.
    reported.length = 0
    expect((await all(now.replay({ limit: 1 }))).map(({ data }) => data)).toEqual([B1])
    expect(await now.get(id)).toBeUndefined()
    expect(codes()).toEqual(['schema_failed', 'schema_failed'])
  })
})

it('a guest and its host read each other, whichever of them is of version 1', async () => {
  for (const [mine, other] of [
    [first, third],
    [third, first],
  ]) {
    name = `versions-${++tests}`
    const { port1, port2 } = new MessageChannel()
    const guest = open(mine, undefined, { log: false, tabs: false, links: [portLink(port1)] })
    const host = open(other, undefined, { links: [portLink(port2)] })
    const [old, now] = mine === first ? [guest, host] : [host, guest]
    const heard: BusEvent[] = []
    now.subscribe('cart.*', (event) => heard.push(event))
    await old.publish('cart.added', { item: 'A1' })
    await expect.poll(() => heard).toMatchObject([AS_THIRD])
    const kept = await all(host.replay())
    expect(kept).toMatchObject([host === now ? AS_THIRD : { data: { item: 'A1' }, version: 1 }])
  }
})

it('an event that cannot be made current is reported once by a loop that counts from the end', async () => {
  const [old, now] = await pair(first, third)
  for (const item of ['B1', 'A', 'C1']) await old.publish('cart.added', { item })
  const seen: unknown[] = []
  for await (const { data } of now.events('cart.*', { from: { last: 2 }, where: isThird })) {
    seen.push(data)
    if (seen.length === 2) break
  }
  expect(seen).toMatchObject([{ sku: 'B1' }, { sku: 'C1' }])
  expect(codes()).toEqual(['schema_failed'])
})

function isThird({ version }: BusEvent): boolean {
  return version === 3
}

describe('what this context does not know', () => {
  /** A type of its own, and a version to come. */
  const tomorrow: EventSchemas = {
    'cart.added': { version: 4, upcast: { 1: Object, 2: Object, 3: Object } },
    'cart.gone': { version: 1 },
  }

  async function hears(unknown?: UnknownPolicy): Promise<BusEvent[]> {
    const [other, now] = await pair(tomorrow, { ...third, 'cart.end': { version: 1 } }, unknown)
    const heard: BusEvent[] = []
    now.subscribe('**', (event) => heard.push(event))
    await other.publish('cart.gone', 'gone')
    await other.publish('cart.added', 'of tomorrow')
    await other.publish('cart.end')
    await expect.poll(() => heard.at(-1)?.type).toBe('cart.end')
    const live = [...codes()]
    reported.length = 0
    expect((await all(now.replay())).map(({ id }) => id)).toEqual(heard.map(({ id }) => id))
    expect(codes()).toEqual(live)
    // Whatever the policy, it is in the log.
    expect(await all(other.replay())).toHaveLength(3)
    return heard
  }

  it.each([undefined, 'deliver'] as const)('is delivered as it is: %s', async (unknown) => {
    expect(await hears(unknown)).toMatchObject([
      { type: 'cart.gone', data: 'gone', version: 1 },
      { type: 'cart.added', data: 'of tomorrow', version: 4 },
      { type: 'cart.end' },
    ])
    expect(reported).toEqual([])
  })

  it('is ignored where that is said', async () => {
    expect(await hears('ignore')).toMatchObject([{ type: 'cart.end' }])
    expect(reported).toEqual([])
  })

  it('is reported where that is said', async () => {
    expect(await hears('error')).toMatchObject([{ type: 'cart.end' }])
    expect(codes()).toEqual(['invalid_type', 'needs_upgrade'])
  })

  it('of its own is logged where it is ignored, and counts for no reading', async () => {
    const [other, now] = await pair(undefined, third, 'ignore')
    const heard: string[] = []
    now.subscribe('**', ({ type }) => heard.push(type))
    expect(now.hasSubscribers('cart.gone')).toBe(false)
    expect(now.hasSubscribers('cart.added')).toBe(true)
    await now.publish('cart.added', { sku: 'A1', quantity: 1 })
    await now.publish('cart.gone', 1)
    expect(heard).toEqual(['cart.added'])
    expect(await all(other.replay())).toHaveLength(2)
    expect(await all(now.replay({ from: { last: 1 } }))).toMatchObject([AS_THIRD])
    const caughtUp: string[] = []
    now.subscribe('**', ({ type }) => caughtUp.push(type), { from: { last: 1 } })
    await expect.poll(() => caughtUp).toEqual(['cart.added'])
  })

  it('cannot be published where it is an error', async () => {
    const [, now] = await pair(undefined, third, 'error')
    await expect(now.publish('cart.gone')).rejects.toMatchObject({ code: 'invalid_type' })
    const batch = [{ type: 'cart.added', data: { sku: 'A1', quantity: 1 } }, { type: 'cart.gone' }]
    await expect(now.publishBatch(batch)).rejects.toMatchObject({ code: 'invalid_type' })
    expect(await all(now.replay())).toEqual([])
  })
})

describe.each<UnknownPolicy>(['deliver', 'ignore', 'error'])(
  'a view of a page that was not reloaded, with unknown %s',
  (unknown) => {
    it('leaves no snapshot without the newer events to the page that knows them', async () => {
      name = `versions-${++tests}`
      const now = open(third)
      const before = open(first, unknown)
      for (let n = 0; n < 30; n++) await now.publish('cart.added', { sku: 'A1', quantity: 1 })
      for (let n = 0; n < 30; n++) await before.publish('cart.added', { item: 'B1' })
      const quantity = (sum: number, { data }: BusEvent): number =>
        sum + ((data as { quantity?: number } | undefined)?.quantity ?? 0)
      const old = before.project('cart.*', quantity, 0, { key: 'quantity' })
      await old.ready
      await before.close()
      const view = now.project('cart.*', quantity, 0, { key: 'quantity' })
      await view.ready
      expect(view.get()).toBe(60)
    })
  },
)
