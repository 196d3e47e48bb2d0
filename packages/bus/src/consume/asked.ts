/** What inspectors are told of consumers and dead letters, and do to these. */
import type { AskedConsumers, ConsumerInfo } from '../inspect/consuming.ts'
import type { ConsumerRow } from '../log/consumers.ts'
import type { Log } from '../log/log.ts'
import { readKept } from './cursor.ts'
import type { ConsumerStats, DeadLetters, GroupStats } from './types.ts'

export interface AskedOptions {
  /** Opens the log, where there is one. */
  readonly open: () => Promise<Log | undefined>
  readonly deadLetters: DeadLetters
  /** Of the consumers subscribed here, with their patterns. */
  readonly consumers: () => readonly (ConsumerStats & { readonly patterns: readonly string[] })[]
  readonly groups: () => readonly GroupStats[]
}

export function askedConsumers(options: AskedOptions): AskedConsumers {
  const { open, deadLetters, consumers, groups } = options
  const numbers = (ids: readonly string[]): number[] => ids.map(Number)
  return {
    async consuming() {
      const log = await open()
      const rows = (await log?.consumers()) ?? []
      const here = consumers()
      const others = rows.filter(({ name }) => !here.some((one) => one.name === name))
      return {
        consumers: [...here.map((one) => subscribed(one, rows)), ...others.map(known)],
        groups: groups().map(({ group, waiting, running, unsettled, again, terminated }) => ({
          name: group,
          members: [],
          pending: waiting + running + unsettled,
          redelivered: again,
          dead: terminated,
        })),
      }
    },
    async dead(limit: number) {
      const all = (await open()) ? await deadLetters.list() : []
      const letters = all
        .slice(-limit)
        .reverse()
        .map(({ id, event, consumer, reason, detail, attempts, time: at }) => ({
          id: String(id),
          event: event?.id ?? '',
          type: event?.type ?? '',
          consumer,
          reason,
          ...(detail !== undefined && { detail }),
          attempts,
          at,
        }))
      return { letters, total: all.length }
    },
    redrive: (ids: readonly string[]) => deadLetters.redrive(numbers(ids)),
    discard: (ids: readonly string[]) => deadLetters.discard(numbers(ids)),
  }
}

function subscribed(
  {
    name,
    patterns,
    state,
    floor,
    pending,
    lag,
    redelivered,
    dead,
  }: ConsumerStats & {
    readonly patterns: readonly string[]
  },
  rows: readonly ConsumerRow[],
): ConsumerInfo {
  if (state === 'running')
    return { name, patterns, state: 'here' as const, floor, pending, lag, redelivered, dead }
  const row = rows.find((one) => one.name === name)
  const elsewhere = state === 'needs_upgrade' ? state : ('elsewhere' as const)
  return { ...known(row ?? { name, state: '' }), patterns, state: elsewhere }
}

/** Nobody of this context asked for it. */
function known({ name, state }: Pick<ConsumerRow, 'name' | 'state'>): ConsumerInfo {
  const { floor = 0, given = [], redelivered = 0, dead = 0 } = readKept(state) ?? {}
  const pending = given.length
  return { name, patterns: [], state: 'idle' as const, floor, pending, redelivered, dead }
}
