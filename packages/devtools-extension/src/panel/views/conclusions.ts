/** What views have concluded from records, as plain as can be. */
import type { PeerId } from '@crosstown/bus/inspect'
import { typeMatcher } from '@crosstown/bus/protocol'
import type { CausalNode, Explanation, Sequence, Session } from '../model/model.ts'

export interface Conclusions {
  sequenceOf(session: Session, ids: readonly string[]): Sequence
  /** The whole conversation of an event, from its first cause. */
  causalTree(session: Session, id: string): CausalNode
  explainType(session: Session, type: string): Explanation
  explainSubscription(session: Session, peer: PeerId, sub: number): Explanation
}

const conclusions: Conclusions = {
  sequenceOf(session, ids) {
    const lanes: Sequence['lanes'][number][] = []
    const messages: Sequence['messages'][number][] = []
    const bars: Sequence['bars'][number][] = []
    const laneOf = (peer: PeerId): number => {
      const at = lanes.findIndex((lane) => lane.peer === peer)
      if (at >= 0) return at
      const known = session.peers.get(peer)
      return lanes.push({ peer, name: known?.name ?? peer, group: known?.device ?? peer }) - 1
    }
    for (const { id, device } of [...session.peers.values()].sort((a, b) =>
      a.device.localeCompare(b.device),
    ))
      if (device && ids.some((one) => session.steps(one).some((step) => step.peer === id)))
        laneOf(id)
    for (const id of ids) {
      const type = session.event(id)?.event.type ?? id
      const posted = new Map<string, { peer: PeerId; ms: number }>()
      for (const step of session.steps(id)) {
        const { peer, ms, via = 'tabs', durationMs = 0 } = step
        if (step.is === 'published') posted.set('tabs', step).set('relay', step)
        else if (step.is === 'posted') posted.set(via, step)
        else if (step.is === 'received') {
          const from = posted.get(via) ?? { peer, ms }
          const plusMinus = Math.max(
            session.peers.get(peer)?.skew.uncertainty ?? 0,
            session.peers.get(from.peer)?.skew.uncertainty ?? 0,
          )
          messages.push({
            event: id,
            type,
            from: laneOf(from.peer),
            to: laneOf(peer),
            sent: from.ms,
            arrived: ms,
            via,
            ms: ms - from.ms,
            plusMinus: via === 'relay' ? plusMinus : 0,
          })
        } else if (step.is === 'refused' || step.is === 'dropped') {
          const lane = laneOf(peer)
          const other = lane === 0 ? 1 : lane - 1
          const failed = step.why ?? step.code ?? step.is
          messages.push({
            event: id,
            type,
            from: lane,
            to: other,
            sent: ms,
            arrived: ms + 1,
            via: 'relay',
            ms: 1,
            plusMinus: 0,
            failed,
          })
        } else if (step.is === 'handled' || step.is === 'failed')
          bars.push({
            event: id,
            lane: laneOf(peer),
            from: ms - durationMs,
            to: ms,
            failed: step.is === 'failed',
          })
      }
    }
    return { lanes, messages: messages.sort((a, b) => a.sent - b.sent), bars }
  },

  causalTree(session, id) {
    let root = id
    for (let row = session.event(root); row?.event.causationId; row = session.event(root))
      root = row.event.causationId
    return nodeOf(session, root, undefined, lastOf(session, root))
  },

  explainType(session, type) {
    const heard = [...session.peers.values()].filter((peer) =>
      [...peer.subscriptions.values()].some(
        ({ patterns, ended }) => ended === undefined && typeMatcher(patterns)(type),
      ),
    )
    const headline =
      heard.length > 0
        ? `${heard.length} contexts subscribe to ${type}.`
        : `Nobody subscribes to ${type}.`
    return {
      headline,
      findings: heard.map(({ id, name }) => ({
        severity: 'ok' as const,
        text: 'It would be heard in',
        links: [{ to: 'peer' as const, id, label: name }],
      })),
    }
  },

  explainSubscription(session, peer, sub) {
    const subscription = session.peers.get(peer)?.subscriptions.get(sub)
    const patterns = subscription?.patterns.join(', ') ?? '?'
    return {
      headline: `Subscription ${sub} to ${patterns} was called ${subscription?.calls ?? 0} times.`,
      findings: [],
    }
  },
}

function lastOf(session: Session, root: string): string {
  let last = root
  const look = (id: string): void => {
    if ((session.event(id)?.ms ?? 0) > (session.event(last)?.ms ?? 0)) last = id
    for (const effect of session.effects(id)) look(effect.id)
  }
  look(root)
  return last
}

function nodeOf(session: Session, id: string, cause: number | undefined, last: string): CausalNode {
  const event = session.event(id)
  const children = session.effects(id).map((effect) => nodeOf(session, effect.id, event?.ms, last))
  const publisher = event && (session.peers.get(event.publisher)?.name ?? event.publisher)
  return {
    id,
    ...(event && { event }),
    ...(publisher && { publisher }),
    ...(event && cause !== undefined && { after: event.ms - cause }),
    children,
    critical: id === last || children.some((child) => child.critical),
  }
}

export const { sequenceOf, causalTree, explainType, explainSubscription } = conclusions
