/** What peers answered about consumers, put together: each consumer, group, handler and letter once. */
import type {
  Answers,
  ConsumerInfo,
  Consuming,
  DeadLetterInfo,
  GroupInfo,
  HandlerInfo,
  PeerId,
} from '@crosstown/bus/inspect'
import type { Peer } from '../../model/model.ts'

/** What one peer answered; nothing of it until then. */
export interface Answered {
  readonly consuming?: Consuming
  readonly dead?: Answers['dead']
  /** Why it did not. */
  readonly failed?: string
  /** What the panel may not see. */
  readonly refused?: string
}

export interface ConsumerRow {
  readonly key: string
  readonly info: ConsumerInfo
  /** Who consumes, or told of it where nobody does. */
  readonly peer: Peer
}

export interface GroupRow {
  readonly key: string
  readonly info: GroupInfo
  readonly peer: Peer
}

export interface HandlerRow {
  readonly key: string
  readonly info: HandlerInfo
  readonly peer: Peer
  readonly breaker: Breaker
}

export interface LetterRow {
  readonly key: string
  readonly info: DeadLetterInfo
  /** Who can give it to its consumer again. */
  readonly peer: Peer
}

/** State of a policy's breaker; `seen_…`: as far as failures and successes told. */
export type Breaker = 'none' | NonNullable<HandlerInfo['breaker']> | 'seen_open' | 'seen_closed'

interface Failure {
  readonly peer: PeerId
  readonly words: string
  readonly severity: 'info' | 'warning'
}

export interface Gathered {
  readonly consumers: readonly ConsumerRow[]
  readonly groups: readonly GroupRow[]
  readonly handlers: readonly HandlerRow[]
  readonly letters: readonly LetterRow[]
  /** Letters there are beside those that were told. */
  readonly more: number
  readonly failures: readonly Failure[]
}

const KNOWS = ['idle', 'elsewhere', 'needs_upgrade', 'here']

export function gather(peers: readonly Peer[], answers: ReadonlyMap<PeerId, Answered>): Gathered {
  const consumers = new Map<string, ConsumerRow>()
  const groups = new Map<string, GroupRow>()
  const handlers: HandlerRow[] = []
  const letters = new Map<string, LetterRow>()
  const failures: Failure[] = []
  const told = new Map<string, number>()
  for (const peer of peers) {
    const answer = answers.get(peer.id)
    if (!answer) continue
    const words = answer.failed ?? answer.refused
    if (words !== undefined)
      failures.push({
        peer: peer.id,
        words,
        severity: answer.failed === undefined ? 'info' : 'warning',
      })
    for (const info of answer.consuming?.consumers ?? []) {
      const key = `${peer.device} ${info.name}`
      const known = consumers.get(key)
      // All contexts of a device tell of it; the one that consumes knows it best.
      if (!known || KNOWS.indexOf(info.state) > KNOWS.indexOf(known.info.state))
        consumers.set(key, { key, info, peer })
    }
    for (const info of answer.consuming?.groups ?? []) {
      const key = `${roomOf(peer)} ${info.name}`
      // A member knows its own part only.
      if (!groups.has(key) || peer.hello.kind === 'relay') groups.set(key, { key, info, peer })
    }
    for (const info of answer.consuming?.handlers ?? [])
      handlers.push({
        key: `${peer.id} ${info.sub}`,
        info,
        peer,
        breaker: breakerOf(peer, info),
      })
    for (const info of answer.dead?.letters ?? []) {
      const key = `${peer.device} ${info.id}`
      if (!letters.has(key)) letters.set(key, { key, info, peer })
    }
    if (answer.dead)
      told.set(
        peer.device,
        Math.max(told.get(peer.device) ?? 0, answer.dead.total - answer.dead.letters.length),
      )
  }
  return {
    consumers: [...consumers.values()],
    groups: [...groups.values()],
    handlers,
    letters: [...letters.values()].sort((a, b) => b.info.at - a.info.at),
    more: [...told.values()].reduce((sum, count) => sum + count, 0),
    failures,
  }
}

/** Of a policy that does not say it: what its failures and successes came to. */
function breakerOf({ subscriptions }: Peer, { sub, policy, breaker }: HandlerInfo): Breaker {
  if (breaker !== undefined) return breaker
  if (!policy) return 'none'
  const circuit = subscriptions.get(sub)?.circuit
  return circuit === undefined ? 'none' : `seen_${circuit}`
}

function roomOf({ hello, id }: Peer): string {
  return hello.relay?.room ?? (hello.kind === 'relay' ? hello.bus : id)
}
