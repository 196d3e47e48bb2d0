/** Steps of an event in words, to stand after the name of the peer. */
import type { Session, Step } from '../../model/model.ts'
import { duration, plural } from '../../ui/format.ts'
import type { IconName } from '../../ui/icon.tsx'
import { peerName } from '../../ui/peer-name.ts'

export const STEP_ICONS: Readonly<Record<Step['is'], IconName>> = {
  published: 'send',
  committed: 'check',
  posted: 'out',
  confirmed: 'check',
  received: 'in',
  matched: 'filter',
  handled: 'check',
  failed: 'error',
  retried: 'repeat',
  refused: 'cross',
  dropped: 'warning',
  filtered: 'filter',
}

const VIA_WORDS = {
  tabs: 'the tabs channel',
  relay: 'the relay',
  log: 'the log',
  link: 'a link',
} as const

const DROP_WORDS: Readonly<Record<string, string>> = {
  overflow: 'its queue was full',
  offline: 'the relay was not connected',
  no_right: 'it has no right to read it',
  withdrawn: 'it was withdrawn',
  closed: 'it was closed',
  fault: 'a fault was set from the panel',
  duplicate: 'it had it already',
  unwanted: 'it did not ask for this type',
}

const FILTER_WORDS: Readonly<Record<string, string>> = {
  where: 'its `where` said no',
  ended: 'it had ended',
  known: 'it had seen it already',
}

export function stepText(session: Session, step: Step): string {
  const handler = handlerName(session, step)
  const detail = step.detail === undefined || step.detail === '' ? '' : `: ${step.detail}`
  const took = step.durationMs === undefined ? '' : ` in ${duration(step.durationMs)}`
  const via = step.via === undefined ? '' : ` over ${VIA_WORDS[step.via]}`
  const to = step.to === undefined ? '' : ` to ${peerName(session, step.to)}`
  const code = step.code === undefined ? '' : ` (${step.code})`
  const relay = session.peers.get(step.peer)?.hello.kind === 'relay'
  switch (step.is) {
    case 'published':
      return 'published it'
    case 'committed':
      return `committed it to the log${took}${detail}`
    case 'posted':
      return relay ? `passed it on${to}` : `posted it${via}${to}`
    case 'confirmed':
      return relay ? 'gave it its place in the room' : 'heard that it has its place in the room'
    case 'received':
      return relay ? `received it${detail}` : `received it${via}${detail}`
    case 'matched':
      return matchText(step)
    case 'handled':
      return `ran ${handler}${took}`
    case 'failed':
      return step.sub === undefined
        ? `failed${detail}${code}`
        : `ran ${handler}, which failed${took}${detail}${code}`
    case 'retried':
      return `tries ${step.sub === undefined ? 'it' : handler} again${detail}`
    case 'refused':
      return `was refused it${code}${detail}`
    case 'dropped':
      return `dropped it${to}: ${DROP_WORDS[step.why ?? ''] ?? step.why ?? 'no reason was told'}`
    case 'filtered':
      return `did not run ${handler}: ${FILTER_WORDS[step.why ?? ''] ?? step.why ?? 'filtered'}`
  }
}

/** A subscription by its number, and what it is for. */
function handlerName(session: Session, { peer, sub }: Step): string {
  if (sub === undefined) return 'a handler'
  const known = session.peers.get(peer)?.subscriptions.get(sub)
  const kind = known?.kind === 'view' ? 'projection' : 'handler'
  return known === undefined ? `handler ${sub}` : `${kind} ${sub} of ${known.patterns.join(', ')}`
}

function matchText({ subs = [] }: Step): string {
  if (subs.length === 0) return 'has no subscription for it'
  return `has ${plural(subs.length, 'subscription')} for it: ${subs.join(', ')}`
}

export function isBadStep(step: Step): boolean {
  return step.is === 'failed' || step.is === 'refused' || step.is === 'dropped'
}
