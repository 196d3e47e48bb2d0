/** What the shop of the story consumes, and what it gave up. */
import type { Consuming, DeadLetterInfo, PeerId } from '@crosstown/bus/inspect'
import { BEGIN, castOf, RELAY_ID } from './story.ts'

export const LETTERS: readonly DeadLetterInfo[] = [
  {
    id: 'invoices tabAaaaaaaa-4',
    event: 'tabAaaaaaaa-4',
    type: 'order.placed',
    consumer: 'invoices',
    reason: 'failed',
    detail: 'cannot read properties of undefined (reading "vat")',
    attempts: 5,
    at: BEGIN + 61_000,
  },
  {
    id: 'invoices tabAaaaaaaa-2',
    event: 'tabAaaaaaaa-2',
    type: 'order.placed',
    consumer: 'invoices',
    reason: 'terminated',
    detail: 'the customer was deleted',
    attempts: 1,
    at: BEGIN + 32_000,
  },
  {
    id: 'mailers tabAaaaaaaa-3',
    event: 'tabAaaaaaaa-3',
    type: 'order.confirmed',
    consumer: 'mailers',
    group: true,
    reason: 'failed',
    detail: 'the mail server answered 550, no such mailbox',
    attempts: 4,
    at: BEGIN + 45_000,
  },
]

/** Groups are the room's; consumers those of a device. */
export function keeps(peer: PeerId, { group }: DeadLetterInfo): boolean {
  return group ? peer === RELAY_ID : castOf(peer).log === 'log-orders'
}

export function consumingOf(peer: PeerId, dead: readonly DeadLetterInfo[]): Consuming {
  const count = (name: string) => dead.filter(({ consumer }) => consumer === name).length
  const none = { consumers: [], groups: [], handlers: [] }
  const { log, leads } = castOf(peer)
  if (peer === RELAY_ID) {
    const members = ['device-orders', 'device-phone'].map((device, i) => ({
      device,
      leases: 3 - i,
    }))
    const mailers = { name: 'mailers', members, pending: 6, lag: 41 }
    const idle = { name: 'thumbnails', members: [], pending: 0, lag: 212, dead: 0 }
    return { ...none, groups: [{ ...mailers, dead: count('mailers') }, idle] }
  }
  if (log === 'log-orders')
    return {
      ...none,
      consumers: [
        {
          name: 'invoices',
          patterns: ['order.placed'],
          state: 'here',
          floor: 40_960,
          pending: 2,
          lag: 17,
          redelivered: 5,
          dead: count('invoices'),
        },
      ],
      handlers: [
        {
          sub: 2,
          patterns: ['payment.*'],
          waiting: 12,
          running: 2,
          concurrency: 2,
          policy: true,
          breaker: 'open',
          handled: 1_204,
          failed: 31,
          retried: 22,
          dead: 9,
          dropped: 0,
        },
      ],
    }
  if (log === 'log-browser')
    return {
      ...none,
      consumers: [
        {
          name: 'search-index',
          patterns: ['cart.*', 'stock.**'],
          state: leads ? 'here' : 'elsewhere',
          floor: 32_768,
          pending: 0,
          lag: 0,
          redelivered: 0,
          dead: 0,
        },
        {
          name: 'analytics',
          patterns: ['**'],
          state: 'needs_upgrade',
          floor: 12_288,
          pending: 1,
          lag: 344,
          redelivered: 0,
          dead: 0,
        },
      ],
    }
  return none
}
