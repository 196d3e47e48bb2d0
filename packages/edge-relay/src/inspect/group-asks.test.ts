import type { Answers, Ask } from '@crosstown/bus/inspect'
import { deviceName } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { GroupDevice } from '../testing/group-device.ts'
import { ALL, closeRelays, inspectedRelay, tokens } from '../testing/inspected-relay.ts'

afterEach(closeRelays)

async function setup() {
  const operator = { ...ALL, inspect: true, groups: true }
  const auth = tokens({ d: ALL, operator, reader: { ...ALL, inspect: true } })
  const { attached, join } = inspectedRelay({ auth })
  const probe = await join('one', { token: 'd' })
  const one = new GroupDevice(probe, probe.socket, undefined)
  await one.join('a', { maxDeliver: 1, types: ['mail.*'] })
  await one.publish(['x-1', 'x-2', 'x-3', 'x-4'], undefined, 'mail.sent')
  const leased = await one.leases(4)
  await one.settle('a', [
    [1, leased[0]?.generation ?? 0, 'nak', 0, 'no such address'],
    [2, leased[1]?.generation ?? 0, 'term'],
    [3, leased[2]?.generation ?? 0, 'nak'],
  ])
  await one.join('b', { maxDeliver: 1, types: ['mail.*'] })
  let last = 0
  const asking = async (token: string) => {
    const panel = await attached(token)
    return async <What extends Ask['what']>(ask: Extract<Ask, { what: What }>) => {
      const id = ++last
      panel.ask(panel.relay, id, ask)
      const { error, result } = await panel.next('answer', (answer) => answer.id === id)
      return { code: error?.code, result: result as Answers[What] }
    }
  }
  return { asking, one }
}

describe('an inspector asks the relay', () => {
  it('what groups there are, how far each is, and who has how many events of it', async () => {
    const { asking } = await setup()
    const ask = await asking('operator')
    expect((await ask({ what: 'consumers' })).result).toEqual({
      consumers: [],
      handlers: [],
      groups: [
        {
          name: 'mail',
          patterns: ['mail.*'],
          members: [{ device: deviceName('one'), leases: 1 }],
          pending: 1,
          lag: 0,
          dead: 3,
        },
      ],
    })
  })

  it('for dead letters, the newest first, has one leased once more and drops others', async () => {
    const { asking, one } = await setup()
    const ask = await asking('operator')
    const { result } = await ask({ what: 'dead', limit: 2 })
    expect(result.total).toBe(3)
    expect(result.letters.map(({ event }) => event).sort()).toEqual(['x-2', 'x-3'])
    expect(result.letters[0]).toMatchObject({
      consumer: 'mail',
      group: true,
      type: 'mail.sent',
      attempts: 1,
    })
    const all = (await ask({ what: 'dead', limit: 10 })).result.letters
    const first = all.find(({ event }) => event === 'x-1')
    expect(first?.reason).toBe('no such address')
    expect((await ask({ what: 'redrive', letters: [first?.id ?? ''] })).result).toEqual({
      letters: 1,
    })
    expect(await one.leases(1)).toMatchObject([{ id: 'x-1' }])
    // One that another operator was faster with is none of those that were settled.
    expect((await ask({ what: 'discard', letters: all.map(({ id }) => id) })).result).toEqual({
      letters: 2,
    })
    expect((await ask({ what: 'dead', limit: 10 })).result).toEqual({ letters: [], total: 0 })
  })

  it('only with the right to groups, and in the form that it must have', async () => {
    const { asking } = await setup()
    const reader = await asking('reader')
    for (const ask of [
      { what: 'consumers' },
      { what: 'dead', limit: 1 },
      { what: 'redrive', letters: [] },
      { what: 'discard', letters: ['1 mail'] },
    ] as const)
      expect((await reader(ask)).code).toBe('forbidden')
    const operator = await asking('operator')
    const wrong = [
      { what: 'dead', limit: -1 },
      { what: 'redrive', letters: 'all' },
      { what: 'redrive', letters: ['x mail'] },
      { what: 'discard', letters: [7] },
      { what: 'discard', letters: Array(101).fill('1 mail') },
    ]
    for (const ask of wrong)
      expect((await operator(ask as unknown as Ask)).code).toBe('invalid_ask')
    expect((await operator({ what: 'dead', limit: 9 })).result.total).toBe(3)
  })
})
