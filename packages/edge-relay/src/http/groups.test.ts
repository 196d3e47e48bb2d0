import { deviceName } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import type * as z from 'zod'
import type { Auth } from '../auth.ts'
import { createRelay, type Relay } from '../relay.ts'
import { memoryStore } from '../stores/memory.ts'
import { GroupDevice, settled } from '../testing/group-device.ts'
import { ProbeSocket } from '../testing/probe.ts'
import { DeadLetters, Groups, Settled } from './group-schemas.ts'
import { Failure } from './schemas.ts'

const relays: Relay[] = []
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.close())))

const auth: Auth = (token = 'user') => ({
  subject: token,
  rights: {
    publish: ['**'],
    subscribe: token === 'blind' ? [] : ['**'],
    groups: token === 'operator' || token === 'blind',
  },
})

function setup(limits = {}) {
  const relay = createRelay({ store: memoryStore(), auth, limits })
  relays.push(relay)
  const device = async (id: string, group: string) => {
    const socket = new ProbeSocket()
    const { probe } = socket.open(relay.accept(socket, { room: 'r' }))
    const { taken } = await probe.join(id)
    return new GroupDevice(probe, socket, taken?.batch, group)
  }
  /** Asks, and holds the answer against its schema. */
  const ask = async (
    path: string,
    schema: z.ZodType,
    { method = 'GET', token = 'operator' } = {},
  ) => {
    const headers = { authorization: `Bearer ${token}` }
    const response = await relay.request(`/rooms/r/groups${path}`, { method, headers })
    if (response.status === 204) return { status: 204, body: undefined }
    const body: unknown = await response.json()
    expect(schema.safeParse(body).error).toBeUndefined()
    return { status: response.status, body }
  }
  return { relay, device, ask }
}

/** A group with dead letters at places 1, 2 and 3, and one event leased. */
async function withLetters(group = 'mail') {
  const given = setup()
  const one = await given.device('one', group)
  await one.join('a', { maxDeliver: 1 })
  await one.publish(['x-1', 'x-2', 'x-3', 'x-4'], 's', 'mail.sent')
  const leased = await one.leases(4)
  await one.settle('a', [
    [1, leased[0]?.generation ?? 0, 'nak', 0, 'no such address'],
    [2, leased[1]?.generation ?? 0, 'term'],
    [3, leased[2]?.generation ?? 0, 'nak'],
  ])
  return { ...given, one }
}

describe('the routes of groups', () => {
  it('tell what groups there are, how far each is, and who is in it', async () => {
    const { ask, device } = await withLetters()
    const two = await device('two', 'other / group')
    await two.join('b', { credit: 3, orderBy: 'stream', types: ['none.*'] })
    const { body } = await ask('', Groups)
    expect(body).toEqual({
      groups: [
        {
          name: 'mail',
          options: { types: ['**'], ackWait: 30_000, maxDeliver: 1, maxAckPending: 1_000 },
          leased: 1,
          waiting: 0,
          behind: 0,
          dead: 3,
          members: [{ device: deviceName('one'), member: 'a', credit: 10, holds: 1 }],
        },
        expect.objectContaining({ name: 'other / group', leased: 0, dead: 0 }),
      ],
    })
  })

  it('show dead letters, with their events to who may read them', async () => {
    const { ask } = await withLetters()
    const letter = {
      place: 1,
      type: 'mail.sent',
      stream: 's',
      reason: 'no such address',
      attempts: 1,
      member: { device: deviceName('one'), member: 'a' },
      time: expect.any(Number),
    }
    const { body } = await ask('/mail/dead', DeadLetters)
    expect(body).toMatchObject({
      letters: [{ ...letter, event: { id: 'x-1', data: 'x-1' } }, { place: 2 }, { place: 3 }],
    })
    expect((await ask('/mail/dead?after=2', DeadLetters)).body).toMatchObject({
      letters: [{ place: 3 }],
    })
    const blind = await ask('/mail/dead', DeadLetters, { token: 'blind' })
    expect(JSON.stringify(blind.body)).not.toContain('x-1')
  })

  it('lease one letter once more, or all of them', async () => {
    const { ask, one } = await withLetters('a/b c')
    const group = `/${encodeURIComponent('a/b c')}`
    const post = { method: 'POST' }
    expect((await ask(`${group}/redrive/2`, Settled, post)).body).toEqual({ count: 1 })
    expect((await one.leases()).map(({ id, attempt }) => [id, attempt])).toEqual([['x-2', 1]])
    expect((await ask(`${group}/redrive`, Settled, post)).body).toEqual({ count: 2 })
    expect((await one.leases(2)).map(({ id }) => id)).toEqual(['x-1', 'x-3'])
    expect((await ask(`${group}/dead`, DeadLetters)).body).toEqual({ letters: [] })
    expect((await ask(`${group}/redrive`, Settled, post)).body).toEqual({ count: 0 })
  })

  it('drop one letter, or all of them', async () => {
    const { ask } = await withLetters()
    const drop = { method: 'DELETE' }
    expect((await ask('/mail/dead/2', Settled, drop)).body).toEqual({ count: 1 })
    expect((await ask('/mail/dead/2', Failure, drop)).status).toBe(404)
    expect((await ask('/mail/dead', Settled, drop)).body).toEqual({ count: 2 })
    expect((await ask('/mail/dead', DeadLetters)).body).toEqual({ letters: [] })
  })

  it('delete a group, and tell its members', async () => {
    const { ask, one } = await withLetters()
    expect((await ask('/mail', Failure, { method: 'DELETE' })).status).toBe(204)
    expect((await one.probe.next('grouped')).frame).toMatchObject({ code: 'not_found' })
    expect((await ask('', Groups)).body).toEqual({ groups: [] })
    expect((await ask('/mail', Failure, { method: 'DELETE' })).status).toBe(404)
    expect((await ask('/mail/dead', Failure)).status).toBe(404)
    // It begins anew, with what comes.
    await one.join('a')
    await one.publish(['x-5'])
    expect((await one.leases())[0]?.id).toBe('x-5')
  })

  it('are for who has the right to them', async () => {
    const { ask } = await withLetters()
    for (const [path, method] of [
      ['', 'GET'],
      ['/mail', 'DELETE'],
      ['/mail/dead', 'GET'],
      ['/mail/dead', 'DELETE'],
      ['/mail/dead/1', 'DELETE'],
      ['/mail/redrive', 'POST'],
      ['/mail/redrive/1', 'POST'],
    ] as const) {
      const { body, status } = await ask(path, Failure, { method, token: 'user' })
      expect([status, body]).toMatchObject([403, { error: { code: 'forbidden' } }])
    }
    expect((await ask('', Groups)).body).toMatchObject({ groups: [{ dead: 3 }] })
  })

  it('refuse what is no place', async () => {
    const { ask } = await withLetters()
    expect((await ask('/mail/redrive/x', Failure, { method: 'POST' })).status).toBe(400)
    expect((await ask('/mail/dead?after=-1', Failure)).status).toBe(400)
  })

  it('keep so many letters only: the oldest go', async () => {
    const { ask, device } = setup({ groupDead: 2 })
    const one = await device('one', 'mail')
    await one.join('a')
    await one.publish(['x-1', 'x-2', 'x-3'])
    const leased = await one.leases(3)
    for (const lease of leased) {
      const [place, generation] = settled('ack')(lease)
      await one.settle('a', [[place, generation, 'term', 0, `why ${place}`]])
    }
    expect((await ask('/mail/dead', DeadLetters)).body).toMatchObject({
      letters: [{ reason: 'why 2' }, { reason: 'why 3' }],
    })
  })
})
