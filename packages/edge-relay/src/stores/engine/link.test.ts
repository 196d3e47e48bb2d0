/** The connection to an engine, with its clock in hand. */
import { BusError, type Durability } from '@crosstown/bus/protocol'
import { describe, expect, it } from 'vitest'
import { ManualPlatform } from '../../testing/manual-platform.ts'
import type { ClientHears, EngineDriver, Signal, Trouble } from './driver.ts'
import { EngineLink } from './link.ts'

const SILENCE_MS = 10_000

interface Client extends ClientHears {
  dropped: boolean
  ended: boolean
  take?: (signal: Signal | undefined) => void
}

/** An engine that answers, is away, says no, or says nothing. */
class Engine implements EngineDriver<Client> {
  readonly kind = 'tape'
  readonly name = 'Tape'
  is: 'there' | 'away' | 'refusing' | 'silent' = 'there'
  durability: Durability = 'disk'
  readonly clients: Client[] = []

  make(hears: ClientHears): Client {
    const client = { ...hears, dropped: false, ended: false }
    this.clients.push(client)
    return client
  }

  open(): Promise<Durability> {
    return this.#answer(this.durability)
  }

  ping(): Promise<unknown> {
    return this.#answer('pong')
  }

  async listen(client: Client, _node: string, take: (signal: Signal | undefined) => void) {
    await this.#answer(undefined)
    client.take = take
  }

  async say(client: Client, signal: Signal): Promise<void> {
    await this.#answer(undefined)
    client.take?.(signal)
  }

  async end(client: Client): Promise<void> {
    client.ended = true
  }

  drop(client: Client): void {
    client.dropped = true
  }

  troubleOf(error: unknown): Trouble {
    const { message } = error as Error
    return message === 'away' ? 'lost' : message === 'refusing' ? 'refused' : 'call'
  }

  #answer<T>(answer: T): Promise<T> {
    if (this.is === 'there') return Promise.resolve(answer)
    if (this.is === 'silent') return new Promise(() => {})
    return Promise.reject(new Error(this.is))
  }
}

function setup(is: Engine['is'] = 'there') {
  const platform = new ManualPlatform()
  const engine = new Engine()
  engine.is = is
  const link = new EngineLink(engine, platform, SILENCE_MS)
  const states: string[] = []
  link.status.subscribe(({ state, lastError }) =>
    states.push(`${state} ${lastError?.message ?? ''}`),
  )
  return { platform, engine, link, states }
}

/** What is under way without a clock comes to its end. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function pass(platform: ManualPlatform, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    platform.advance(100)
    await settled()
  }
}

describe('the connection to an engine', () => {
  it('is made, used, and ended', async () => {
    const { engine, link, platform, states } = setup()
    await link.start()
    expect(link.durability).toBe('disk')
    expect(await link.call('read', async () => 7)).toBe(7)
    await link.close()
    expect(engine.clients).toMatchObject([{ ended: true, dropped: true }])
    expect(states).toEqual(['connecting ', 'online '])
    expect(platform.timers).toBe(0)
    await expect(link.call('read', async () => 7)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('is tried again less and less often, but each two seconds, until it is there', async () => {
    const { engine, link, platform, states } = setup('away')
    await link.start()
    await expect(link.call('read', async () => 7)).rejects.toMatchObject({ code: 'unavailable' })
    const tries: number[] = []
    for (let second = 0; second < 20; second++) {
      const before = engine.clients.length
      await pass(platform, 1_000)
      tries.push(engine.clients.length - before)
    }
    expect(tries[0]).toBeGreaterThan(2)
    expect(tries.slice(10).reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(11)
    expect(tries.slice(10).reduce((sum, each) => sum + each, 0)).toBeGreaterThanOrEqual(4)
    engine.is = 'there'
    await pass(platform, 2_100)
    expect(states).toEqual(['connecting ', 'connecting Tape cannot be used: away', 'online '])
    expect(link.status.get()).toMatchObject({ reconnections: 0 })
    expect(engine.clients.filter(({ dropped }) => !dropped)).toEqual([engine.clients.at(-1)])
    await link.close()
  })

  it('is refused for good at the start, and tried again later, when somebody may mend it', async () => {
    const refused = setup('refusing')
    await expect(refused.link.start()).rejects.toMatchObject({ code: 'log_unavailable' })
    expect(refused.platform.timers).toBe(0)

    const { engine, link, platform, states } = setup()
    await link.start()
    engine.is = 'refusing'
    engine.clients[0]?.lost(new Error('away'))
    await pass(platform, 5_000)
    engine.is = 'there'
    await pass(platform, 2_100)
    expect(states).toEqual([
      'connecting ',
      'online ',
      'offline Tape cannot be used: away',
      'offline Tape cannot be used: refusing',
      'online ',
    ])
    expect(link.status.get()).toMatchObject({ reconnections: 1 })
    await link.close()
  })

  it('fails what runs when it is lost, and nothing of another connection', async () => {
    const { engine, link, platform } = setup()
    await link.start()
    const running = link.call('append', () => new Promise<never>(() => {}))
    engine.clients[0]?.lost(new Error('away'))
    await expect(running).rejects.toMatchObject({ code: 'unavailable', stage: 'log' })
    await pass(platform, 100)
    engine.clients[0]?.lost(new Error('away'))
    expect(link.status.get().state).toBe('online')
    await link.close()
  })

  it('leaves an error of one call to it', async () => {
    const { link } = setup()
    await link.start()
    const failed = link.call('read', () => Promise.reject(new Error('no such column')))
    await expect(failed).rejects.toThrow('Tape cannot read: no such column')
    const own = link.call('read', () => Promise.reject(new BusError('log_damaged', 'damaged')))
    await expect(own).rejects.toMatchObject({ code: 'log_damaged' })
    expect(link.status.get().state).toBe('online')
    await link.close()
  })

  it('is known to be gone by silence alone, whether or not others are heard by it', async () => {
    for (const listens of [false, true]) {
      const { engine, link, platform } = setup()
      if (listens) link.listen(() => {})
      await link.start()
      await pass(platform, 3 * SILENCE_MS)
      expect(link.status.get().state).toBe('online')
      engine.is = 'silent'
      await pass(platform, SILENCE_MS + 1_000)
      expect(link.status.get()).toMatchObject({ state: 'offline', reconnections: 0 })
      expect(link.status.get().lastError?.message).toContain('no answer')
      await link.close()
      await pass(platform, 2 * SILENCE_MS)
      expect(platform.timers).toBe(0)
    }
  })

  it('is dropped where it does not hear what it says itself', async () => {
    const { engine, link, platform } = setup()
    link.listen(() => {})
    await link.start()
    const [client] = engine.clients
    if (client) client.take = () => {}
    await pass(platform, 2 * SILENCE_MS)
    expect(client?.dropped).toBe(true)
    expect(link.status.get()).toMatchObject({ state: 'online', reconnections: 1 })
    await link.close()
  })

  it('is dropped where one call has no answer, though beats have', async () => {
    const { link, platform } = setup()
    await link.start()
    const running = expect(
      link.call('append', () => new Promise<never>(() => {})),
    ).rejects.toMatchObject({ code: 'unavailable' })
    await pass(platform, 3 * SILENCE_MS - 1_000)
    expect(link.status.get().state).toBe('online')
    await pass(platform, 2_000)
    await running
    expect(link.status.get()).toMatchObject({ reconnections: 1 })
    await link.close()
  })

  it('ends in bounded time while the engine is silent', async () => {
    const { engine, link, platform } = setup()
    await link.start()
    const running = expect(
      link.call('append', () => new Promise<never>(() => {})),
    ).rejects.toMatchObject({ code: 'unavailable' })
    engine.is = 'silent'
    let isClosed = false
    void link.close().then(() => {
      isClosed = true
    })
    await pass(platform, 2 * SILENCE_MS)
    expect(isClosed).toBe(true)
    await running
    expect(platform.timers).toBe(0)
  })

  it('hears others, not itself, and is told when it may have missed something', async () => {
    const { engine, link, platform } = setup()
    const heard: unknown[] = []
    link.listen((signal) => heard.push(signal && `${signal.room} ${signal.text}`))
    await link.start()
    link.say('r', 'own')
    engine.clients[0]?.take?.({ node: 'other', room: 'r', text: 'theirs' })
    await settled()
    expect(heard).toEqual([undefined, 'r theirs'])
    engine.clients[0]?.lost(new Error('away'))
    await pass(platform, 200)
    expect(heard).toEqual([undefined, 'r theirs', undefined])
    engine.clients[0]?.take?.({ node: 'other', room: 'r', text: 'late' })
    expect(heard.length).toBe(3)
    await pass(platform, 3 * SILENCE_MS)
    expect(heard.length).toBe(3)
    await link.close()
  })
})
