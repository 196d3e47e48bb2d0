/** The lifelines of a sequence diagram: those who say something of its events, by device. */
import type { PeerId } from '@crosstown/bus/inspect'
import type { Sequence, Session, Step } from '../model.ts'

export type Lane = Sequence['lanes'][number]

/**
 * Devices in the order in which they come into it, the contexts of each side by side. `sources`: what
 * publishers call themselves that are not inspected.
 */
export function lanesOf(
  session: Session,
  steps: readonly Pick<Step, 'peer' | 'ms'>[],
  sources: ReadonlyMap<PeerId, string>,
): readonly Lane[] {
  const groups = new Map<string, Lane[]>()
  const seen = new Set<PeerId>()
  for (const { peer: id } of [...steps].sort((a, b) => a.ms - b.ms)) {
    if (seen.has(id)) continue
    seen.add(id)
    const peer = session.peers.get(id)
    const group = peer?.device ?? id
    const lanes = groups.get(group) ?? []
    lanes.push({ peer: id, name: peer?.name ?? sources.get(id) ?? id, group })
    groups.set(group, lanes)
  }
  return [...groups.values()].flat()
}
