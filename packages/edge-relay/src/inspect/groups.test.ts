import type { DeadLetterInfo } from '@crosstown/bus/inspect'
import { deviceName } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { GroupDevice } from '../testing/group-device.ts'
import { closeRelays, FLUSH_MS, inspectedRelay, tokens, turns } from '../testing/inspected-relay.ts'

afterEach(closeRelays)

const ALL = { publish: ['**'], subscribe: ['**'], inspect: true }
const auth = tokens({ operator: { ...ALL, groups: true }, inspector: ALL, device: ALL })

async function withLetters() {
  const given = inspectedRelay({ auth })
  const probe = await given.join('one', { token: 'device' })
  const one = new GroupDevice(probe, probe.socket, undefined)
  await one.join('a', { maxDeliver: 2 })
  await one.publish(['x-1', 'x-2'], undefined, 'mail.sent')
  const [first, second] = await one.leases(2)
  await one.settle('a', [
    [first?.place ?? 0, first?.generation ?? 0, 'term', 0, 'no such address'],
    [second?.place ?? 0, second?.generation ?? 0, 'nak'],
  ])
  return { ...given, one }
}

describe('groups, as inspectors see them', () => {
  it('are told with their members, how far they are, and their dead letters', async () => {
    const { attached } = await withLetters()
    const panel = await attached('operator')
    panel.ask(panel.relay, 1, { what: 'consumers' })
    expect(await panel.next('answer')).toMatchObject({
      result: {
        consumers: [],
        handlers: [],
        groups: [
          {
            name: 'mail',
            patterns: ['**'],
            members: [{ device: deviceName('one'), leases: 1 }],
            pending: 1,
            lag: 0,
            redelivered: 1,
            dead: 1,
          },
        ],
      },
    })
    panel.ask(panel.relay, 2, { what: 'dead', limit: 10 })
    expect(await panel.next('answer')).toMatchObject({
      result: {
        total: 1,
        letters: [
          {
            event: 'x-1',
            type: 'mail.sent',
            consumer: 'mail',
            group: true,
            reason: 'no such address',
            attempts: 1,
          },
        ],
      },
    })
  })

  it('have letters leased again, and dropped, by who may do that', async () => {
    const { attached, one } = await withLetters()
    const panel = await attached('operator')
    panel.ask(panel.relay, 1, { what: 'dead', limit: 10 })
    const { result } = (await panel.next('answer')) as unknown as {
      result: { letters: DeadLetterInfo[] }
    }
    const letters = result.letters.map(({ id }) => id)
    const other = await attached('inspector')
    other.ask(other.relay, 1, { what: 'redrive', letters })
    expect(await other.next('answer')).toMatchObject({ error: { code: 'forbidden' } })
    await turns()
    one.probe.unread.length = 0
    panel.ask(panel.relay, 2, { what: 'redrive', letters: [...letters, '7 none', 'x'] })
    expect(await panel.next('answer')).toMatchObject({ result: { letters: 1 } })
    const [again] = await one.leases()
    expect([again?.id, again?.attempt]).toEqual(['x-1', 1])
    panel.ask(panel.relay, 3, { what: 'discard', letters })
    expect(await panel.next('answer')).toMatchObject({ result: { letters: 0 } })
    panel.ask(panel.relay, 4, { what: 'redrive', letters: [1] as never })
    expect(await panel.next('answer')).toMatchObject({ error: { code: 'invalid_ask' } })
  })

  it('tell what goes out again, and what is given up', async () => {
    const { attached, one, platform } = await withLetters()
    const panel = await attached('operator')
    const [second] = await one.leases()
    await one.settle('a', [[second?.place ?? 0, second?.generation ?? 0, 'nak', 0, 'busy']])
    await turns()
    platform.advance(FLUSH_MS)
    const failed = await panel.record('failed')
    expect(failed).toMatchObject({
      stage: 'consume',
      message: 'group mail gave it up after 2 attempt(s): busy',
    })
  })
})
