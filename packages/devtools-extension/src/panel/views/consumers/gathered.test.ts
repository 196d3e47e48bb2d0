import type { ConsumerInfo, GroupInfo, HandlerInfo } from '@crosstown/bus/inspect'
import { expect, test } from 'vitest'
import type { Peer } from '../../model/model.ts'
import { type Answered, gather } from './gathered.ts'

const consumer: ConsumerInfo = {
  name: 'invoices',
  patterns: ['order.*'],
  state: 'elsewhere',
  floor: 0,
  pending: 0,
  redelivered: 0,
  dead: 0,
}
const group: GroupInfo = { name: 'mail', members: [], pending: 0, redelivered: 0, dead: 0 }
const handler: HandlerInfo = {
  sub: 1,
  patterns: ['a'],
  waiting: 0,
  running: 0,
  handled: 0,
  failed: 0,
  retried: 0,
  dead: 0,
  dropped: 0,
}

function peer(id: string, device: string, more: object = {}): Peer {
  const hello = { kind: 'page', bus: 'shop', relay: { url: '', room: 'r' }, ...more }
  return { id, device, hello, subscriptions: new Map() } as unknown as Peer
}

function answers(of: { readonly [peer: string]: Partial<Answered['consuming']> }) {
  const none = { consumers: [], groups: [], handlers: [] }
  return new Map(
    Object.entries(of).map(([id, consuming]) => [id, { consuming: { ...none, ...consuming } }]),
  )
}

test('a consumer of a device is shown once, as the context knows it that consumes', () => {
  const peers = [peer('one', 'browser'), peer('two', 'browser'), peer('far', 'phone')]
  const { consumers } = gather(
    peers,
    answers({
      one: { consumers: [consumer] },
      two: { consumers: [{ ...consumer, state: 'here', floor: 7 }] },
      far: { consumers: [{ ...consumer, state: 'idle' }] },
    }),
  )
  expect(consumers.map(({ peer, info }) => [peer.id, info.state, info.floor])).toEqual([
    ['two', 'here', 7],
    ['far', 'idle', 0],
  ])
})

test('a group is shown once for its room, as the relay knows it where that is inspected', () => {
  const relay = peer('relay:r', 'relay:r', { kind: 'relay', bus: 'r', relay: undefined })
  const member = { groups: [group] }
  const whole = { groups: [{ ...group, lag: 3 }] }
  const peers = [peer('one', 'browser'), relay, peer('two', 'phone')]
  const { groups } = gather(peers, answers({ one: member, two: member, 'relay:r': whole }))
  expect(groups.map(({ peer, info }) => [peer.id, info.lag])).toEqual([['relay:r', 3]])
})

test('a breaker is what its policy says, else what failures told, else not known', () => {
  const circuits = peer('one', 'browser')
  ;(circuits.subscriptions as Map<number, object>).set(2, { circuit: 'open' })
  const { handlers } = gather(
    [circuits],
    answers({
      one: {
        handlers: [
          { ...handler, policy: true, breaker: 'half_open' },
          { ...handler, sub: 2, policy: true },
          { ...handler, sub: 3, policy: true },
        ],
      },
    }),
  )
  expect(handlers.map(({ breaker }) => breaker)).toEqual(['half_open', 'seen_open', 'none'])
})

test('letters are shown once, the newest first, and how many there are beside them', () => {
  const letter = { event: 'a-1', type: 'a', consumer: 'invoices', reason: 'x', attempts: 1 }
  const dead = {
    letters: [
      { ...letter, id: 'old', at: 1 },
      { ...letter, id: 'new', at: 2 },
    ],
    total: 9,
  }
  const peers = [peer('one', 'browser'), peer('two', 'browser')]
  const both = new Map<string, Answered>([
    ['one', { dead }],
    ['two', { dead, failed: 'it did not answer' }],
  ])
  const { letters, more, failures } = gather(peers, both)
  expect(letters.map(({ info, peer }) => [info.id, peer.id])).toEqual([
    ['new', 'one'],
    ['old', 'one'],
  ])
  expect(more).toBe(7)
  expect(failures).toEqual([{ peer: 'two', words: 'it did not answer', severity: 'warning' }])
})
