/** The groups of a room as its inspectors see them. */
import type { DeadLetterInfo, GroupInfo } from '@crosstown/bus/inspect'
import type { Groups } from './groups.ts'
import type { GroupOperator } from './operate.ts'
import { deadNumbers } from './state.ts'

/** What a relay is asked about groups. */
export interface InspectedGroups {
  all(): Promise<readonly GroupInfo[]>
  /** The newest first; `total` of all there are. */
  dead(limit: number): Promise<{ letters: readonly DeadLetterInfo[]; total: number }>
  /** How many of these letters are not dead any more, or not there any more. */
  settle(what: 'redrive' | 'discard', letters: readonly string[]): Promise<number>
}

const MAX_LETTERS = 1_000

/** @param open reads the room where it was not; resolves with its newest place */
export function inspectedGroups(
  groups: Groups,
  operator: GroupOperator,
  open: () => Promise<number>,
): InspectedGroups {
  return {
    async all() {
      return operator
        .list(await open())
        .map(({ behind, dead, leased, members, name, options, waiting }) => ({
          name,
          patterns: options.types,
          members: members.map(({ device, holds: leases }) => ({ device, leases })),
          pending: leased + waiting,
          lag: behind,
          redelivered: groups.all.get(name)?.state?.redelivered ?? 0,
          dead,
        }))
    },
    async dead(limit) {
      await open()
      const most = Math.min(limit, MAX_LETTERS)
      const letters: DeadLetterInfo[] = []
      let total = 0
      for (const { name, state } of groups.all.values()) {
        if (!state) continue
        const numbers = deadNumbers(state.dead)
        total += numbers.length
        const after = (numbers.at(-most) ?? 1) - 1
        for (const { found, letter, number } of await operator.letters(name, after, most)) {
          const { attempts, reason, time: at, type } = letter
          const event = found?.record.headers[found.index]?.id ?? ''
          const id = letterId(name, number)
          letters.push({ id, event, type, consumer: name, group: true, reason, attempts, at })
        }
      }
      return { letters: letters.sort((a, b) => b.at - a.at).slice(0, most), total }
    },
    async settle(what, letters) {
      await open()
      const byGroup = new Map<string, Set<number>>()
      for (const id of letters) {
        const [number, group] = letterIn(id)
        if (!groups.all.has(group)) continue
        const own = byGroup.get(group)
        if (own) own.add(number)
        else byGroup.set(group, new Set([number]))
      }
      let count = 0
      for (const [group, numbers] of byGroup)
        count += await operator.settleNumbers(
          what === 'redrive' ? 'redrive' : 'drop',
          group,
          numbers,
        )
      return count
    },
  }
}

function letterId(group: string, number: number): string {
  return `${number} ${group}`
}

function letterIn(id: string): [number: number, group: string] {
  const at = id.indexOf(' ')
  return [Number(id.slice(0, at)), id.slice(at + 1)]
}
