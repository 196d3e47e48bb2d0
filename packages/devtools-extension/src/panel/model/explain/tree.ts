/** Causes and effects of an event as a tree, from its first cause. */
import type { CausalNode, EventRow, Session } from '../model.ts'

export interface TreeOptions {
  /** Nodes at most. @default 10_000 */
  readonly limit?: number
}

interface Growing {
  readonly id: string
  readonly event: EventRow | undefined
  readonly parent: Growing | undefined
  readonly children: Growing[]
  critical: boolean
  more: number
}

/**
 * The tree that an event is part of. A cause of which only the id is known is a node without an
 * event; {@link unknownIn} has those that a tap may be asked for with `headers`.
 */
export function causalTree(
  session: Session,
  id: string,
  { limit = 10_000 }: TreeOptions = {},
): CausalNode {
  const root = grow(undefined, rootOf(session, id, limit), session)
  const seen = new Set([root.id])
  let last = root
  // Breadth first, and without recursion: a chain may be as long as the conversation.
  const queue = [root]
  for (let next = 0; next < queue.length; next++) {
    const node = queue[next] as Growing
    for (const effect of session.effects(node.id)) {
      if (seen.has(effect.id)) continue
      if (seen.size >= limit) {
        node.more++
        continue
      }
      seen.add(effect.id)
      const child = grow(node, effect.id, session)
      node.children.push(child)
      queue.push(child)
      if (isAfter(child, last)) last = child
    }
  }
  for (let node: Growing | undefined = last; node; node = node.parent) node.critical = true
  return finished(queue, session)
}

/** Ids of nodes of which nothing else is known. */
export function unknownIn(tree: CausalNode): readonly string[] {
  const unknown: string[] = []
  const queue = [tree]
  for (let next = 0; next < queue.length; next++) {
    const node = queue[next] as CausalNode
    if (!node.event) unknown.push(node.id)
    for (const child of node.children) queue.push(child)
  }
  return unknown
}

function grow(parent: Growing | undefined, id: string, session: Session): Growing {
  return { id, event: session.event(id), parent, children: [], critical: false, more: 0 }
}

/** The first cause; of events that are said to cause each other, the one that came first. */
function rootOf(session: Session, id: string, limit: number): string {
  const way = new Set([id])
  let root = id
  while (way.size < limit) {
    const cause = session.event(root)?.event.causationId
    if (cause === undefined) return root
    if (way.has(cause)) return firstOf(session, [...way].slice([...way].indexOf(cause)))
    way.add(cause)
    root = cause
  }
  return root
}

function firstOf(session: Session, ids: readonly string[]): string {
  let first = ids[0] as string
  for (const id of ids) {
    const one = session.event(id)
    const other = session.event(first)
    if (one && (!other || one.ms < other.ms || (one.ms === other.ms && one.row < other.row)))
      first = id
  }
  return first
}

function isAfter(one: Growing, other: Growing): boolean {
  const { event: a } = one
  const { event: b } = other
  if (!a || !b) return a !== undefined
  return a.ms > b.ms || (a.ms === b.ms && a.row > b.row)
}

/** Children first, so that each node is whole when its parent is made. */
function finished(nodes: readonly Growing[], session: Session): CausalNode {
  const made = new Map<Growing, CausalNode>()
  for (let at = nodes.length - 1; at >= 0; at--) {
    const { id, event, parent, children, critical, more } = nodes[at] as Growing
    made.set(nodes[at] as Growing, {
      id,
      ...(event && { event, publisher: publisherOf(session, event) }),
      ...(event && parent?.event && { after: afterOf(session, event, parent.event) }),
      children: children.map((child) => made.get(child) as CausalNode),
      critical,
      ...(more > 0 && { more }),
    })
  }
  return made.get(nodes[0] as Growing) as CausalNode
}

function publisherOf(session: Session, { publisher, event }: EventRow): string {
  return session.peers.get(publisher)?.name ?? (event.source || publisher)
}

/** Within what clocks can be off, nothing happens before its cause. */
function afterOf(session: Session, effect: EventRow, cause: EventRow): number {
  const ms = effect.ms - cause.ms
  const known = session.uncertainty(cause.publisher, effect.publisher)
  return ms < 0 && -ms <= known ? 0 : ms
}
