/** What a relay answers inspectors about the groups of its room, and does to their dead letters. */
import {
  type Answers,
  type Ask,
  AskError,
  type DeadLetterInfo,
  type GroupInfo,
} from '@crosstown/bus/inspect'
import type { GroupOperator, GroupSummary, LetterFound } from '../group/operate.ts'

type GroupAsk = Extract<Ask, { what: 'consumers' | 'dead' | 'redrive' | 'discard' }>

export interface GroupAsksContext {
  readonly operator: GroupOperator
  /** The room's head. */
  readonly place: number
}

/** Letters of one group, where there are many groups. */
const LEAST_LETTERS = 20
const MAX_LETTERS = 1_000
/** Letters that one question may name. */
const MAX_NAMED = 100

export function isGroupAsk(ask: Ask): ask is GroupAsk {
  return ['consumers', 'dead', 'redrive', 'discard'].includes(ask.what)
}

/** @throws {AskError | BusError} where it cannot be answered */
export async function answerOfGroups(
  { operator, place }: GroupAsksContext,
  ask: GroupAsk,
): Promise<Answers[GroupAsk['what']]> {
  switch (ask.what) {
    case 'consumers':
      return { consumers: [], groups: operator.list(place).map(groupInfo), handlers: [] }
    case 'dead':
      return dead(operator, operator.list(place), ask.limit)
    case 'redrive':
      return settle(operator, 'redrive', ask.letters)
    case 'discard':
      return settle(operator, 'drop', ask.letters)
  }
}

function groupInfo({
  behind,
  dead,
  leased,
  members,
  name,
  options,
  waiting,
}: GroupSummary): GroupInfo {
  const leases = new Map<string, number>()
  for (const { device, holds } of members) leases.set(device, (leases.get(device) ?? 0) + holds)
  return {
    name,
    patterns: options.types,
    members: [...leases].map(([device, held]) => ({ device, leases: held })),
    pending: leased + waiting,
    lag: behind,
    dead,
  }
}

async function dead(
  operator: GroupOperator,
  groups: readonly GroupSummary[],
  limit: number,
): Promise<Answers['dead']> {
  check(Number.isSafeInteger(limit) && limit >= 0)
  const most = Math.min(limit, MAX_LETTERS)
  const withLetters = groups.filter((group) => group.dead > 0)
  const each = Math.max(LEAST_LETTERS, Math.ceil(most / Math.max(1, withLetters.length)))
  const letters: DeadLetterInfo[] = []
  for (const { name } of withLetters) {
    const found = await operator.newest(name, Math.min(each, most))
    letters.push(...found.map((one) => letterInfo(name, one)))
  }
  letters.sort((a, b) => b.at - a.at)
  const total = groups.reduce((sum, group) => sum + group.dead, 0)
  return { letters: letters.slice(0, most), total }
}

function letterInfo(consumer: string, { found, letter }: LetterFound): DeadLetterInfo {
  const { attempts, place, reason, time: at, type } = letter
  const event = found?.record.headers[found.index]?.id ?? ''
  return { id: `${place} ${consumer}`, event, type, consumer, group: true, reason, attempts, at }
}

async function settle(
  operator: GroupOperator,
  kind: 'redrive' | 'drop',
  letters: readonly string[],
): Promise<Answers['redrive']> {
  check(Array.isArray(letters) && letters.length <= MAX_NAMED)
  let settled = 0
  for (const letter of letters) {
    const [, place, group] = /^(\d{1,16}) (.+)$/s.exec(String(letter)) ?? []
    check(group !== undefined && Number.isSafeInteger(Number(place)))
    try {
      settled += await operator.settle(kind, group as string, Number(place))
    } catch (error) {
      // Another operator was faster.
      if ((error as { code?: unknown }).code !== 'not_found') throw error
    }
  }
  return { letters: settled }
}

function check(holds: boolean): void {
  if (!holds) throw new AskError('invalid_ask', 'the question is not of the form it must have')
}
