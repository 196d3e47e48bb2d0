import {
  BUS_ERROR_CODES,
  deviceName,
  type PresenceFrame,
  type Present,
} from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import type { Auth } from './auth.ts'
import type { Limits } from './limits.ts'
import { createRelay, type Relay } from './relay.ts'
import { type RelayServer, serve } from './runtimes/node.ts'
import { memoryStore } from './stores/memory.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { connectProbe, type Probe, ProbeSocket } from './testing/probe.ts'

const GRACE_MS = 5_000
const ROUND_MS = 500

const relays: (Relay | RelayServer)[] = []
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.close())))

const page = (id: string, extra: Partial<Present> = {}): Present => ({
  id,
  kind: 'page',
  source: 'page',
  ...extra,
})

function setup({ auth, limits = {} }: { auth?: Auth; limits?: Partial<Limits> } = {}) {
  const platform = new ManualPlatform()
  const errors: unknown[] = []
  const relay = createRelay({
    platform,
    store: memoryStore(),
    limits,
    ...(auth && { auth }),
    onError: (error) => errors.push(error),
  })
  relays.push(relay)
  /** Joins, and says who is there if somebody is. */
  const join = async (device: string, here: readonly string[] = [], token?: string) => {
    const socket = new ProbeSocket()
    const { probe } = socket.open(relay.accept(socket, { room: 'r' }))
    await probe.join(device, token === undefined ? {} : { token })
    if (here.length > 0)
      say(
        probe,
        here.map((id) => page(id)),
      )
    return Object.assign(probe, { socket })
  }
  return { platform, errors, relay, join }
}

function say(probe: Probe, members: readonly Present[]): void {
  probe.send({ frame: 'presence', devices: [{ members }] })
}

type Heard = Record<string, string[]> & { whole?: true }

/** What a frame says, by names of devices as the tests give them. */
function heardOf({ whole, devices }: PresenceFrame, names: readonly string[]): Heard {
  const known = new Map(names.map((name) => [deviceName(name), name]))
  const heard = devices.map(({ device = '', members }) => [
    known.get(device) ?? device,
    members.map(({ id }) => id),
  ])
  return { ...Object.fromEntries(heard), ...(whole && { whole }) }
}

const NAMES = ['one', 'two', 'three', 'four']
const next = async (probe: Probe): Promise<Heard> =>
  heardOf((await probe.next('presence')).frame, NAMES)
const unheard = (probe: Probe): Heard[] =>
  probe.unread.flatMap(({ frame }) => (frame.frame === 'presence' ? [heardOf(frame, NAMES)] : []))
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a device that says who is there', () => {
  it('is told of all others, then of what changes; and they of it', async () => {
    const { platform, join } = setup()
    const one = await join('one', ['a'])
    expect(await next(one)).toEqual({ whole: true })
    const two = await join('two', ['b'])
    expect(await next(two)).toEqual({ whole: true, one: ['a'] })
    platform.advance(ROUND_MS)
    expect(await next(one)).toEqual({ two: ['b'] })
    say(two, [page('c')])
    platform.advance(ROUND_MS)
    expect(await next(one)).toEqual({ two: ['c'] })
    say(two, [])
    platform.advance(ROUND_MS)
    expect(await next(one)).toEqual({ two: [] })
  })

  it('is told with what its members are, and whose its token is, where there are tokens', async () => {
    const auth: Auth = (token) => ({
      subject: token ?? '',
      rights: { publish: [], subscribe: ['**'] },
    })
    const { join } = setup({ auth })
    const one = await join('one', [], 'ada')
    const members = [page('a', { leader: true }), page('b', { kind: 'process', source: 'stock' })]
    say(one, members)
    const two = await join('two', ['c'], 'ben')
    const { devices } = (await two.next('presence')).frame
    expect(devices).toEqual([{ device: deviceName('one'), subject: 'ada', members }])
  })

  it('is not told who names itself, or the others, otherwise', async () => {
    const { join } = setup()
    const one = await join('one')
    one.send({
      frame: 'presence',
      whole: true,
      devices: [{ device: 'two', subject: 'the boss', members: [page('a')] }],
    })
    const two = await join('two', ['b'])
    const { devices } = (await two.next('presence')).frame
    expect(devices).toEqual([{ device: deviceName('one'), members: [page('a')] }])
  })

  it('is told once where it says the same again', async () => {
    const { platform, join } = setup()
    const one = await join('one', ['a'])
    const two = await join('two', ['b'])
    platform.advance(ROUND_MS)
    await turns()
    for (const probe of [one, two]) probe.unread.length = 0
    for (let n = 0; n < 5; n++) {
      say(two, [page('b')])
      platform.advance(ROUND_MS)
    }
    await turns()
    expect(unheard(one)).toEqual([])
    expect(unheard(two)).toEqual([])
  })

  it('that changes often is told twice a second', async () => {
    const { platform, join } = setup()
    const one = await join('one', ['a'])
    const two = await join('two', ['b'])
    platform.advance(ROUND_MS)
    await turns()
    one.unread.length = 0
    for (let n = 1; n <= 100; n++) {
      say(two, [page(`b${n}`)])
      platform.advance(10)
      await turns()
    }
    platform.advance(ROUND_MS)
    const told = unheard(one)
    expect(told.length).toBeLessThanOrEqual(4)
    expect(told.at(-1)).toEqual({ two: ['b100'] })
  })
})

describe('a connection that ends', () => {
  it('leaves its device there for a moment, in which it may come back unnoticed', async () => {
    const { platform, join } = setup()
    const one = await join('one', ['a'])
    const two = await join('two', ['b'])
    platform.advance(ROUND_MS)
    await turns()
    one.unread.length = 0
    two.socket.drop()
    platform.advance(GRACE_MS - ROUND_MS)
    await join('two', ['b'])
    platform.advance(2 * GRACE_MS)
    await turns()
    expect(unheard(one)).toEqual([])
  })

  it('takes its device with it after that', async () => {
    const { platform, join } = setup()
    const one = await join('one', ['a'])
    const two = await join('two', ['b'])
    platform.advance(ROUND_MS)
    await turns()
    one.unread.length = 0
    two.socket.drop()
    platform.advance(GRACE_MS - ROUND_MS)
    await turns()
    expect(unheard(one)).toEqual([])
    platform.advance(2 * ROUND_MS)
    expect(unheard(one)).toEqual([{ two: [] }])
    expect(await next(await join('three', ['c']))).toEqual({ whole: true, one: ['a'] })
  })

  it('is forgotten where it was the last', async () => {
    const { join } = setup()
    const one = await join('one', ['a'])
    one.socket.drop()
    expect(await next(await join('two', ['b']))).toEqual({ whole: true })
  })

  it('of an older leader says nothing about the one that came since', async () => {
    const { platform, join } = setup()
    const watcher = await join('one', ['a'])
    const before = await join('two', ['b'])
    const after = await join('two', ['c'])
    expect((await before.end()).code).toBe(BUS_ERROR_CODES.stale_term)
    platform.advance(3 * GRACE_MS)
    await turns()
    expect(unheard(watcher).at(-1)).toEqual({ two: ['c'] })
    expect(after.closed).toBe(undefined)
  })
})

describe('nobody is told', () => {
  it('who has never said who is there, and may not know the frame', async () => {
    const { platform, join } = setup()
    const silent = await join('one')
    await join('two', ['b'])
    platform.advance(ROUND_MS)
    await turns()
    expect(unheard(silent)).toEqual([])
  })

  it('who may read nothing of the room', async () => {
    const auth: Auth = (token) => ({
      subject: token ?? '',
      rights: { publish: ['**'], subscribe: token === 'blind' ? [] : ['a.*'] },
    })
    const { platform, join } = setup({ auth })
    const blind = await join('one', ['a'], 'blind')
    const other = await join('two', ['b'], 'other')
    platform.advance(ROUND_MS)
    await turns()
    expect(unheard(blind)).toEqual([])
    expect(unheard(other)[0]).toEqual({ whole: true, one: ['a'] })
  })

  it('in another room', async () => {
    const { relay, join, platform } = setup()
    await join('one', ['a'])
    const socket = new ProbeSocket()
    const { probe } = socket.open(relay.accept(socket, { room: 'other' }))
    await probe.join('two')
    say(probe, [page('b')])
    expect(await next(probe)).toEqual({ whole: true })
    platform.advance(ROUND_MS)
    await turns()
    expect(unheard(probe)).toEqual([])
  })

  it('while its socket is full; it gets the whole list when it has drained', async () => {
    const { platform, join } = setup()
    const one = await join('one', ['a'])
    const two = await join('two', ['b'])
    platform.advance(ROUND_MS)
    await turns()
    one.unread.length = 0
    one.socket.bufferedAmount = 2 * 1024 * 1024
    say(two, [page('c')])
    platform.advance(ROUND_MS)
    await turns()
    expect(unheard(one)).toEqual([])
    one.socket.bufferedAmount = 0
    platform.advance(ROUND_MS)
    expect(unheard(one)).toEqual([{ whole: true, two: ['c'] }])
  })
})

describe('a room', () => {
  it('shows so many devices; the next one takes the place of one that leaves', async () => {
    const { platform, join } = setup({ limits: { presenceDevices: 2 } })
    const one = await join('one', ['a'])
    const two = await join('two', ['b'])
    const three = await join('three', ['c'])
    expect(await next(three)).toEqual({ whole: true, one: ['a'], two: ['b'] })
    platform.advance(ROUND_MS)
    await turns()
    expect(unheard(one).some((heard) => 'three' in heard)).toBe(false)
    one.unread.length = 0
    say(two, [])
    platform.advance(ROUND_MS)
    expect(unheard(one)).toEqual([{ two: [], three: ['c'] }])
  })

  it('tells of many in frames that are not too long', async () => {
    const { join } = setup()
    const long = Array.from({ length: 30 }, (_, n) => page(`m${n}`, { source: 'x'.repeat(256) }))
    const names = Array.from({ length: 60 }, (_, n) => `d${n}`)
    for (const name of names) say(await join(name), long)
    const probe = await join('late', ['z'])
    await turns()
    const frames = probe.unread.flatMap(({ frame }) => (frame.frame === 'presence' ? [frame] : []))
    const all = frames.filter(({ devices }) => devices.length > 1)
    expect(all.length).toBeGreaterThan(1)
    expect(frames.map(({ whole }) => whole === true)).toEqual(frames.map((_, i) => i === 0))
    const told = new Set(frames.flatMap(({ devices }) => devices.map(({ device }) => device)))
    for (const name of names) expect(told).toContain(deviceName(name))
    for (const frame of frames) expect(JSON.stringify(frame).length).toBeLessThan(300_000)
  })
})

it.each([
  ['that is of two devices', [{ members: [] }, { members: [] }], 'bad_frame'],
  ['that is of none', [], 'bad_frame'],
  [
    'of 65 contexts',
    [{ members: Array.from({ length: 65 }, (_, n) => page(`m${n}`)) }],
    'bad_frame',
  ],
  ['of a context without an id', [{ members: [{ kind: 'page', source: 'x' }] }], 'bad_frame'],
  ['of a context of no kind', [{ members: [{ ...page('a'), kind: 'ghost' }] }], 'bad_frame'],
  [
    'that is too long',
    [{ members: Array.from({ length: 64 }, (_, n) => page(`m${n}`, { source: 'x'.repeat(256) })) }],
    'too_large',
  ],
] as const)('a list %s ends the connection, and no other', async (_, devices, code) => {
  const { errors, join } = setup()
  const one = await join('one', ['a'])
  const hostile = await join('two')
  hostile.sendRaw(JSON.stringify({ frame: 'presence', devices }))
  expect(await hostile.end()).toEqual({ code: BUS_ERROR_CODES[code], reason: code })
  expect(one.closed).toBe(undefined)
  expect(errors).toEqual([])
})

it('over real sockets: who comes, and who goes', async () => {
  const server = await serve(createRelay(), { port: 0 })
  relays.push(server)
  const url = `${server.url.replace('http', 'ws')}/rooms/42/socket`
  const one = await connectProbe(url)
  await one.join('one')
  say(one, [page('a')])
  expect(await next(one)).toEqual({ whole: true })
  const two = await connectProbe(url)
  await two.join('two')
  say(two, [page('b')])
  expect(await next(two)).toEqual({ whole: true, one: ['a'] })
  let heard = await next(one)
  while (!('two' in heard)) heard = await next(one)
  expect(heard).toMatchObject({ two: ['b'] })
  say(two, [])
  expect(await next(one)).toEqual({ two: [] })
})
