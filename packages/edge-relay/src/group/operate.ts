/** What operators see of the groups of a room, and do to them. */
import { BusError, deviceName } from '@crosstown/bus/protocol'
import type { RoomRecord } from '../record.ts'
import { DEAD_KEY, type ReadLimit, type Store } from '../stores/store.ts'
import type { LettersAsk } from './asks.ts'
import { type Group, memberOf } from './group.ts'
import type { Groups } from './groups.ts'
import { type DeadLetter, deadNumbers, type GroupRules, letterKey } from './state.ts'

/** A member, as others know it. */
export interface MemberName {
  /** What others know its device by. */
  readonly device: string
  readonly member: string
}

/** A group at a moment. */
export interface GroupSummary {
  readonly name: string
  readonly options: GroupRules
  /** Events that are leased. */
  readonly leased: number
  /** Events that wait to be leased, again or after others of their stream. */
  readonly waiting: number
  /** Places of the room that it has not come to. */
  readonly behind: number
  readonly dead: number
  /**
   * Those that are connected to this relay, or may come back, and what each holds; and those of another
   * relay that hold something, without a `credit`.
   */
  readonly members: readonly (MemberName & { readonly credit?: number; readonly holds: number })[]
}

/** A dead letter, with its event where that is kept. */
export interface LetterFound {
  readonly number: number
  readonly letter: DeadLetter
  readonly found: { readonly record: RoomRecord; readonly index: number } | undefined
}

const ONE: ReadLimit = { events: 1, bytes: 1 }
/** Letters read at a time. */
const STEP = 100

/** The groups of one room, for operators. The room has to be open. */
export class GroupOperator {
  readonly #groups: Groups
  readonly #store: Store
  readonly #room: string

  constructor(groups: Groups, store: Store, room: string) {
    this.#groups = groups
    this.#store = store
    this.#room = room
  }

  /** All groups, by name. */
  list(place: number): GroupSummary[] {
    return [...this.#groups.all.values()]
      .map((group) => summaryOf(group, place))
      .filter((summary) => summary !== undefined)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /**
   * Dead letters, the oldest first, of those behind a number.
   *
   * @throws {BusError} not_found
   */
  async letters(group: string, after = 0, limit: number = STEP): Promise<LetterFound[]> {
    const all = await this.#letters(group, (number) => number > after, limit)
    const letters: LetterFound[] = []
    for (const [number, letter] of all) {
      const { place } = letter
      const [record] = await this.#store.read(this.#room, place - 1, ONE)
      const index = record ? place - record.place : -1
      const found =
        record && index >= 0 && index < record.headers.length ? { record, index } : undefined
      letters.push({ number, letter, found })
    }
    return letters
  }

  /**
   * Has dead letters leased once more, or drops them: that at one place, or all. Resolves how many.
   *
   * @throws {BusError} not_found, unavailable
   */
  async settle(kind: LettersAsk['kind'], group: string, place?: number): Promise<number> {
    const all = await this.#letters(group)
    const letters = place === undefined ? all : all.filter(([, letter]) => letter.place === place)
    if (place !== undefined && letters.length === 0)
      throw new BusError('not_found', 'there is no dead letter of this place')
    return this.#settle(kind, group, letters)
  }

  /** The same of letters by their numbers. @throws {BusError} not_found, unavailable */
  async settleNumbers(
    kind: LettersAsk['kind'],
    group: string,
    numbers: ReadonlySet<number>,
  ): Promise<number> {
    return this.#settle(kind, group, await this.#letters(group, (number) => numbers.has(number)))
  }

  async #settle(
    kind: LettersAsk['kind'],
    group: string,
    letters: LettersAsk['letters'],
  ): Promise<number> {
    if (letters.length > 0) await this.#groups.request((done) => ({ kind, group, letters, done }))
    return letters.length
  }

  /** Deletes a group, with its dead letters. @throws {BusError} not_found, unavailable */
  async delete(group: string): Promise<void> {
    await this.#groups.request((done) => ({ kind: 'delete', group, done }))
  }

  async #letters(
    name: string,
    wanted: (number: number) => boolean = () => true,
    limit: number = Number.POSITIVE_INFINITY,
  ): Promise<[number, DeadLetter][]> {
    const { state } = this.#groups.all.get(name) ?? {}
    if (!state) throw new BusError('not_found', 'there is no such group')
    const numbers = deadNumbers(state.dead).filter(wanted).slice(0, limit)
    const letters: [number, DeadLetter][] = []
    for (let i = 0; i < numbers.length; i += STEP) {
      const some = numbers.slice(i, i + STEP)
      const keys = some.map((number) => letterKey(DEAD_KEY, name, number))
      const texts = await this.#store.state(this.#room, keys)
      for (const [k, text] of texts.entries())
        if (text !== undefined) letters.push([some[k] as number, JSON.parse(text) as DeadLetter])
    }
    return letters
  }
}

/** A member as others know it: its device does not name itself to them. */
export function shownMember(key: string): MemberName {
  const { device, member } = memberOf(key)
  return { device: deviceName(device), member }
}

function summaryOf({ members, name, state }: Group, place: number): GroupSummary | undefined {
  if (!state) return undefined
  const held = new Map<string, number>()
  let leased = 0
  for (const { member } of state.pending.values()) {
    if (member === undefined) continue
    leased += 1
    held.set(member, (held.get(member) ?? 0) + 1)
  }
  return {
    name,
    options: state.rules,
    leased,
    waiting: state.pending.size - leased,
    behind: Math.max(0, place + 1 - state.next),
    dead: deadNumbers(state.dead).length,
    members: [
      ...[...members.values()].map(({ credit, key }) => ({
        ...shownMember(key),
        credit,
        holds: held.get(key) ?? 0,
      })),
      ...[...held]
        .filter(([key]) => !members.has(key))
        .map(([key, holds]) => ({ ...shownMember(key), holds })),
    ],
  }
}
