/** What is measured of the groups of a relay. */
import type { Reading } from '../metrics.ts'
import type { Groups } from './groups.ts'
import { deadNumbers } from './state.ts'

/** @param rooms the groups of each room in memory */
export function groupGauges(
  rooms: readonly Groups[],
): Record<
  | 'groups_inflight'
  | 'group_members_inflight'
  | 'group_pending'
  | 'group_lag'
  | 'group_dead_letters',
  readonly Reading[]
> {
  let [count, members, pending, lag, dead] = [0, 0, 0, 0, 0]
  for (const groups of rooms) {
    for (const group of groups.all.values()) {
      members += group.members.size
      if (!group.state) continue
      count += 1
      pending += group.state.pending.size
      lag += groups.behind(group)
      dead += deadNumbers(group.state.dead).length
    }
  }
  return {
    groups_inflight: [[count]],
    group_members_inflight: [[members]],
    group_pending: [[pending]],
    group_lag: [[lag]],
    group_dead_letters: [[dead]],
  }
}
