import { createNoopBus, createTestNetwork, type TestDevice } from '@crosstown/bus/testing'
import { simulatedRelay } from '@crosstown/edge-relay/testing'
import { expect, test } from 'vitest'
import { type Catalogue, type CatalogueBus, catalogue } from '../catalogue/catalogue.ts'
import { cachedProfiles, type Profile, type ProfileServer, saveProfile } from './profiles.ts'

/** A server in memory that counts how often it is read. */
class Server implements ProfileServer {
  readonly reads: string[] = []
  readonly #profiles = new Map<string, Profile>()

  async read(userId: string): Promise<Profile> {
    this.reads.push(userId)
    return this.#profiles.get(userId) ?? { name: 'nobody' }
  }

  async write(userId: string, profile: Profile): Promise<void> {
    this.#profiles.set(userId, profile)
  }
}

/** Two tabs of a laptop and one of a phone, each with a cache of its own. */
async function start() {
  const network = createTestNetwork({ seed: 1, relay: simulatedRelay() })
  const server = new Server()
  const open = (device: TestDevice) => {
    const bus: CatalogueBus = device
      .open()
      .createBus<Catalogue>({ name: 'shop', room: 'team', events: catalogue })
    return { bus, profiles: cachedProfiles(bus, server) }
  }
  const [laptop, phone] = [network.device('laptop'), network.device('phone')]
  const tabs = [open(laptop), open(laptop), open(phone)] as const
  await network.until(() => tabs.every(({ bus }) => bus.status.relay === 'online'))
  const namesOf = (userId: string) =>
    Promise.all(tabs.map(async ({ profiles }) => (await profiles.get(userId)).name))
  return { network, server, tabs, phone, namesOf }
}

test('what one tab writes, all tabs and devices load again, and nothing else', async () => {
  const { network, server, tabs, namesOf } = await start()
  await namesOf('u1')
  await namesOf('u2')
  await namesOf('u1')
  expect(server.reads).toEqual(['u1', 'u1', 'u1', 'u2', 'u2', 'u2'])

  server.reads.length = 0
  await network.until(saveProfile(tabs[0].bus, server, 'u1', { name: 'Ada' }))
  await network.settle()
  expect(await namesOf('u1')).toEqual(['Ada', 'Ada', 'Ada'])
  await namesOf('u2')
  expect(server.reads).toEqual(['u1', 'u1', 'u1'])
})

test('a device that was offline forgets when it is back', async () => {
  const { network, server, tabs, phone, namesOf } = await start()
  await namesOf('u1')
  phone.offline()
  await network.until(saveProfile(tabs[0].bus, server, 'u1', { name: 'Ada' }))
  await network.run(5_000)
  expect(await namesOf('u1')).toEqual(['Ada', 'Ada', 'nobody'])
  await network.settle()
  expect(await namesOf('u1')).toEqual(['Ada', 'Ada', 'Ada'])
})

test('an event that says no key empties the caches', async () => {
  const { network, server, tabs, namesOf } = await start()
  await namesOf('u1')
  await network.until(tabs[2].bus.publish('system.config_changed', { keys: ['avatars'] }))
  await network.settle()
  server.reads.length = 0
  await namesOf('u1')
  expect(server.reads).toHaveLength(3)
})

test('an answer that was on its way when its user changed is given, and not kept', async () => {
  const { network, server, tabs } = await start()
  const [{ bus, profiles }] = tabs
  const slow = Promise.withResolvers<Profile>()
  const quick = server.read
  server.read = () => slow.promise
  const early = profiles.get('u1')
  expect(profiles.get('u1')).toBe(early)
  server.read = quick

  await network.until(saveProfile(bus, server, 'u1', { name: 'Ada' }))
  slow.resolve({ name: 'nobody' })
  expect(await early).toEqual({ name: 'nobody' })
  expect(await profiles.get('u1')).toEqual({ name: 'Ada' })
})

test('a failure is not kept', async () => {
  const { server, tabs } = await start()
  const [{ profiles }] = tabs
  const quick = server.read
  server.read = () => Promise.reject(new Error('the server is away'))
  await expect(profiles.get('u1')).rejects.toThrow('away')
  server.read = quick
  expect(await profiles.get('u1')).toEqual({ name: 'nobody' })
})

test('what is saved is written before it is told, and told once', async () => {
  await using bus = createNoopBus({ events: catalogue })
  const server = new Server()
  const told: number[] = []
  server.write = async () => {
    told.push(bus.count('user.profile_changed'))
  }
  await saveProfile(bus, server, 'u1', { name: 'Ada' })
  expect(told).toEqual([0])
  expect(bus.count('user.profile_changed')).toBe(1)
})
