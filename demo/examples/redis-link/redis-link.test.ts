import { type BusError, createBus, type LogSource, memoryLog } from '@crosstown/bus'
import { linkContract } from '@crosstown/bus/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, test } from 'vitest'
import { type CatalogueBus, catalogue } from '../catalogue/catalogue.ts'
import { endAll, node, redis } from '../processes.ts'
import { RedisLink, redisLink } from './redis-link.ts'

describe.skipIf(!process.env['CROSSTOWN_REDIS'])('over Redis', () => {
  let server: Awaited<ReturnType<typeof redis>>
  beforeAll(async () => {
    server = await redis()
  })
  afterAll(endAll)

  linkContract(
    'over Redis',
    { describe, it },
    {
      async open(channel) {
        const link = new RedisLink({ url: server.url }, channel)
        await link.connect()
        return link
      },
    },
  )

  const service = (name: string) => node('demo/examples/redis-link/service.ts', server.url, name)

  test('services in processes of their own see each other, and hear each other in order', async () => {
    const [one, two] = [service('one'), service('two')]
    await Promise.all([one.line(/^here: one, two$/), two.line(/^here: one, two$/)])
    for (const id of ['7', '8', '9']) one.write(id)
    for (const id of ['7', '8', '9']) {
      expect((await two.line(/ confirmed /)).input).toBe(`${id} confirmed by one (room)`)
    }
    two.write('10')
    await one.line(/^10 confirmed by two \(room\)$/)
    await two.finish()
    await one.line(/^here: one$/)
    expect(await one.finish()).toBe(0)
  })

  describe('with buses in this process', () => {
    const buses: CatalogueBus[] = []
    afterEach(() => Promise.all(buses.splice(0).map((bus) => bus.close())))

    const errors: string[] = []

    /** @param log false for a bus whose events another one keeps */
    function open(source: string, log: false | LogSource = memoryLog()): CatalogueBus {
      const bus = createBus({
        name: 'till',
        source,
        events: catalogue,
        log,
        tabs: false,
        links: [redisLink({ url: server.url })],
        onError: ({ code }) => errors.push(`${source}: ${code}`),
      })
      buses.push(bus)
      return bus
    }

    /** Waits until the two see each other. */
    const meet = (a: CatalogueBus, b: CatalogueBus) =>
      Promise.all(
        [a, b].map(
          (bus) =>
            new Promise<void>((resolve) => {
              bus.presence.subscribe(({ length }) => length > 1 && resolve())
            }),
        ),
      )

    test('a bus without a log has its events kept by another one, behind Redis', async () => {
      const keeper = open('keeper')
      const guest = open('guest', false)
      await meet(keeper, guest)
      const event = await guest.publish('order.confirmed', { orderId: '7' })
      expect(await keeper.get(event.id)).toMatchObject({ data: { orderId: '7' } })
    })

    test('Redis goes and comes back: told once, and heard again', async () => {
      const [one, two] = [open('one'), open('two')]
      await meet(one, two)
      expect(errors).toEqual([])
      const { port, program } = server
      await program.kill()
      server = await redis(port)
      const heard: string[] = []
      two.subscribe('order.confirmed', ({ data }) => heard.push(data.orderId))
      // What is said while one of them is away is lost; once both are back, they hear each other.
      await expect
        .poll(() => one.publish('order.confirmed', { orderId: '8' }).then(() => heard.length), {
          timeout: 30_000,
        })
        .toBeGreaterThan(0)
      expect(errors.toSorted()).toEqual(['one: unavailable', 'two: unavailable'])
    })
  })
})

test('where there is no Redis it is told once, and closing waits for nothing', async () => {
  const errors: BusError[] = []
  const link = new RedisLink({ url: 'redis://127.0.0.1:1' }, 'channel')
  link.receive(
    () => {},
    (error) => errors.push(error),
  )
  link.send('to nobody')
  await expect.poll(() => errors.length, { timeout: 30_000 }).toBe(1)
  await link.close()
  await link.close()
  expect(errors.map(({ code }) => code)).toEqual(['unavailable'])
})
