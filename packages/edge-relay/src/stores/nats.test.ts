import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RoomRecord } from '../record.ts'
import { type EngineServer, startNats } from '../testing/engine-servers.ts'
import { ALL, appendOf, EMPTY, KEEP, recordOf } from '../testing/store-contract/records.ts'
import { storeContract } from '../testing/store-contract.ts'
import { engineLink } from './engine/engine-store.ts'
import { natsAddress } from './nats/address.ts'
import { type NatsClient, NatsDriver } from './nats/client.ts'
import { NatsStore } from './nats/store.ts'
import { natsStore } from './nats.ts'

const start = startNats as NonNullable<typeof startNats>
let server: EngineServer
let streams = 0
const newStream = (): string => `s${++streams}`
const others: EngineServer[] = []

async function another(...settings: string[]): Promise<EngineServer> {
  const other = await start({ settings })
  others.push(other)
  return other
}

/** The same server, as somebody. */
function as(user: string, { url }: EngineServer): string {
  return url.replace('nats://', `nats://${user}@`)
}

async function refusal(url: string, options = {}): Promise<{ code?: unknown; message: string }> {
  const error = await natsStore(url, options).then(
    (store) => store.close(),
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(Error)
  return error as Error
}

/** What happens while the first message of a read is on its way. */
class PagingDriver extends NatsDriver {
  between: (() => Promise<unknown>) | undefined

  override async open(client: NatsClient): ReturnType<NatsDriver['open']> {
    const durability = await super.open(client)
    const { journal } = client
    const at = journal?.at.bind(journal)
    if (journal && at) {
      journal.at = async (seq) => {
        const kept = await at(seq)
        const { between } = this
        this.between = undefined
        await between?.()
        return kept
      }
    }
    return durability
  }
}

describe.skipIf(!startNats)('natsStore', () => {
  beforeAll(async () => {
    server = await start()
  })
  afterEach(() => Promise.all(others.splice(0).map((other) => other.stop())))
  afterAll(() => server.stop())

  storeContract(
    { describe, it, expect },
    'natsStore',
    async () => {
      const stream = newStream()
      const open = () => natsStore(server.url, { stream })
      return { store: await open(), reopen: open }
    },
    { lasts: true, shared: true, served: true },
  )

  it('passes over no events that are trimmed between two pages of a read', async () => {
    const driver = new PagingDriver(natsAddress(server.url, { stream: newStream() }))
    const link = engineLink(driver, {})
    await link.start()
    const store = new NatsStore(link)
    let { head } = appendOf(EMPTY, [], [])
    await store.append('r', appendOf(EMPTY, [], []))
    const records: RoomRecord[] = []
    for (let i = 1; i <= 80; i++) {
      // So large that the store does not hold the oldest of them, and has to read them.
      const append = appendOf(head, [recordOf([`a-${i}`], { bytes: 1_000_000 })], [])
      await store.append('r', append)
      records.push(...append.records)
      head = append.head
    }
    driver.between = () => store.trim('r', { ...KEEP, events: 10 }, { ...ALL, events: 50 })
    const read = await store.read('r', 0, ALL)
    expect(driver.between).toBe(undefined)
    expect(read).toEqual(records.slice(0, read.length))
    expect(read.length).toBeGreaterThan(0)
    // Whoever reads on finds where the history begins now.
    expect(await store.read('r', read.length, ALL)).toEqual(records.slice(50))
    await store.close()
  })

  it('refuses a server without JetStream, and says what to do', async () => {
    const { url } = await another()
    const error = await refusal(url)
    expect(error).toMatchObject({ code: 'log_unavailable' })
    expect(error.message).toContain('start it with JetStream')
  })

  it('refuses an account without JetStream', async () => {
    const config =
      'accounts { A { users: [{ user: me, password: pw }], jetstream: enabled }, B { users: [{ user: you, password: pw }] } }'
    const other = await another('jetstream: enabled', config)
    await (await natsStore(as('me:pw', other))).close()
    const error = await refusal(as('you:pw', other))
    expect(error).toMatchObject({ code: 'log_unavailable' })
    expect(error.message).toContain('JetStream')
  })

  it('takes a name with a password, or a token, and tells no secret when they are wrong', async () => {
    const named = await another(
      'jetstream: enabled',
      'authorization { user: me, password: "s:cr/t" }',
    )
    await (await natsStore(as('me:s%3Acr%2Ft', named))).close()
    const token = await another('jetstream: enabled', 'authorization { token: "hidden" }')
    await (await natsStore(as('hidden', token))).close()
    for (const url of [named.url, as('me:wrong', named), as('guessed', token)]) {
      const error = await refusal(url)
      expect(error).toMatchObject({ code: 'log_unavailable' })
      expect(error.message).toMatch(/authorization/i)
      expect(error.message).not.toMatch(/wrong|guessed/)
    }
  })

  it('refuses a user that may not ask JetStream', async () => {
    const config =
      'authorization { users: [{ user: me, password: pw, permissions: { publish: "crosstown.>", subscribe: "_INBOX.>" } }] }'
    const error = await refusal(as('me:pw', await another('jetstream: enabled', config)))
    expect(error).toMatchObject({ code: 'log_unavailable' })
    expect(error.message).toContain('$JS.API')
  })

  it('needs no rights but those that its documentation names', async () => {
    const rights =
      'publish: ["$JS.API.>", "crosstown.>"], subscribe: ["_INBOX.>", "crosstown.signals"]'
    const config = `authorization { users: [{ user: me, password: pw, permissions: { ${rights} } }] }`
    const other = await another('jetstream: enabled', config)
    const stores = [await natsStore(as('me:pw', other)), await natsStore(as('me:pw', other))]
    const [one, two] = stores as [(typeof stores)[0], (typeof stores)[0]]
    const heard = new Promise((resolve) => {
      two.listen?.((room, text) => room === undefined || resolve([room, text]))
    })
    const head = { epoch: 'e', version: 0, place: 0, check: '0', chain: '', time: 0 }
    const state = Array.from({ length: 20 }, (_, n) => [`device/${n}`, 'x'.repeat(80_000)] as const)
    const made = { expected: head, head: { ...head, version: 1 }, records: [], state }
    expect(await one.append('r', made)).toBe(true)
    expect(new Map((await two.load('r'))?.state)).toEqual(new Map(state))
    // What two hears through may not be there yet when one says it.
    while (!(await Promise.race([heard, one.head('r').then(() => undefined)])))
      one.signal('r', 'hello')
    expect(await heard).toEqual(['r', 'hello'])
    expect(await one.delete('r')).toBe(true)
    expect(await one.wasDeleted('r', 'e')).toBe(true)
    expect(await one.purge({ events: 1_000, bytes: 1_000 })).toBe(true)
    await Promise.all(stores.map((store) => store.close()))
  })

  it('refuses a stream of others, one that removes rooms by itself, and one of a newer relay', async () => {
    const nc = await connect({ servers: [new URL(server.url).host] })
    const jsm = await jetstreamManager(nc)
    await jsm.streams.add({ name: 'orders', subjects: ['orders.*'] })
    const foreign = await refusal(server.url, { stream: 'orders' })
    expect(foreign).toMatchObject({ code: 'log_unavailable' })
    expect(foreign.message).toContain('another name with the option stream')

    await (await natsStore(server.url, { stream: 'limited' })).close()
    const { config } = await jsm.streams.info('limited')
    await jsm.streams.update('limited', { ...config, max_age: 3_600_000_000_000 })
    expect((await refusal(server.url, { stream: 'limited' })).message).toContain(
      'max_age must be none',
    )
    const description = config.description?.replace(/\d+$/, '99') as string
    await jsm.streams.update('limited', { ...config, max_age: 0, description })
    const newer = await refusal(server.url, { stream: 'limited' })
    expect(newer).toMatchObject({ code: 'log_damaged' })
    await nc.close()
  })

  it('rejects what a full stream does not take, and removes nothing for it', async () => {
    const stream = newStream()
    const store = await natsStore(server.url, { stream })
    const nc = await connect({ servers: [new URL(server.url).host] })
    const jsm = await jetstreamManager(nc)
    const { config } = await jsm.streams.info(stream)
    await jsm.streams.update(stream, { ...config, max_bytes: 2_000 })
    await nc.close()
    const head = { epoch: 'e', version: 0, place: 0, check: '0', chain: '', time: 0 }
    const put = (version: number) =>
      store.append('r', {
        expected: { ...head, version },
        head: { ...head, version: version + 1 },
        records: [],
        state: [['device/d', 'x'.repeat(400)]],
      })
    let written = 0
    let rejected: unknown
    while (rejected === undefined && written < 10) {
      await put(written).then(
        () => (written += 1),
        (error: unknown) => (rejected = error),
      )
    }
    expect(rejected).toMatchObject({ code: 'unavailable' })
    expect((await store.head('r'))?.version).toBe(written)
    expect(written).toBeGreaterThan(1)
    await store.close()
  })

  it('promises the disk only where an operator says that each message is synced, and the server can', async () => {
    const [plain] = server.url.split('?') as [string]
    const stream = newStream()
    const store = await natsStore(plain, { stream })
    expect(store.durability).toBe('memory')
    await store.close()
    const stated = `${plain}?sync=always&stream=${stream}`
    if (server.url.includes('sync=always')) {
      const synced = await natsStore(stated)
      expect(synced.durability).toBe('disk')
      await synced.close()
    } else expect((await refusal(stated)).message).toContain('sync=always needs 2.10 or newer')
  })

  it('is another store for each stream, and the same for each relay', async () => {
    const head = { epoch: 'e', version: 0, place: 0, check: '0', chain: '', time: 0 }
    const [plain] = server.url.split('?') as [string]
    const [one, two] = [newStream(), newStream()]
    const stores = await Promise.all(
      [one, one, two].map((stream) => natsStore(`${plain}?stream=${stream}`)),
    )
    const made = { expected: head, head: { ...head, version: 1 }, records: [], state: [] }
    expect(await stores[0]?.append('r', made)).toBe(true)
    expect(await Promise.all(stores.map((store) => store.rooms('', 9)))).toEqual([['r'], ['r'], []])
    await Promise.all(stores.map((store) => store.close()))
  })
})

describe('natsStore', () => {
  it('says what is wrong with a URL, and not what of it is secret', async () => {
    const wrong = [
      'nowhere',
      'nats://',
      'nats://me:secret@host:port',
      'nats://me:secret@host/path',
      'nats://me:secret@host?subject=x',
      'nats://me:secret@host?replicas=2',
      'nats://me:secret@host?stream=a.b',
      'nats://me:secret@host?creds=/nowhere/at/all',
      'nats://me:secret@host?ca=/ca.pem',
      'nats://me:%se%cret@host',
    ]
    for (const url of wrong) {
      const error = await refusal(url)
      expect(error).toMatchObject({ code: 'invalid_options' })
      expect(error.message).not.toContain('secret')
    }
  })
})
