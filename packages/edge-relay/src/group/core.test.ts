import type { LeaseRef, SettleOutcome } from '@crosstown/bus/protocol'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Candidate, GroupDraft, newGroup, type Supplied } from './core.ts'
import { deadNumbers, type GroupRules, type GroupState, readState, stateText } from './state.ts'

const RULES: GroupRules = { types: ['**'], ackWait: 1_000, maxDeliver: 3, maxAckPending: 8 }
const NODE = 'node'
const MEMBERS = ['d a', 'd b', 'e a']

type Step =
  | { readonly do: 'publish'; readonly streams: readonly number[] }
  | {
      readonly do: 'settle'
      readonly outcome: SettleOutcome
      readonly pick: number
      readonly delay: number
    }
  | { readonly do: 'stale'; readonly outcome: SettleOutcome; readonly pick: number }
  | { readonly do: 'join' | 'gone' | 'rejoin'; readonly member: number; readonly keep: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'redrive' | 'drop'; readonly pick: number }
  | { readonly do: 'save' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      streams: fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      outcome: fc.constantFrom<SettleOutcome>('ack', 'ack', 'nak', 'term', 'progress', 'release'),
      pick: fc.nat(),
      delay: fc.constantFrom(0, 0, 500, 3_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('stale' as const),
      outcome: fc.constantFrom<SettleOutcome>('ack', 'nak', 'term', 'progress', 'release'),
      pick: fc.nat(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('join' as const, 'gone' as const, 'rejoin' as const),
      member: fc.nat(2),
      keep: fc.nat(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.integer({ min: 1, max: 2_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('redrive' as const, 'drop' as const),
      pick: fc.nat(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'save' as const }) },
)

interface Live {
  readonly member: string
  readonly generation: number
  until: number
}

/** A group, and what must hold of it: everything it grants is held against what it granted before. */
class Checked {
  state: GroupState | undefined
  now = 1_000_000
  readonly room: Supplied[] = []
  readonly live = new Map<number, Live>()
  /** Every lease that ever was. */
  readonly leases: { readonly member: string; readonly ref: LeaseRef }[] = []
  readonly acked: number[] = []
  readonly here = new Set<string>(['d a'])
  readonly letters = new Map<number, Supplied>()
  readonly dropped = new Set<number>()
  /** Places that were leased once more after they had been given up: what is behind them went on. */
  readonly redriven = new Set<number>()
  readonly rules: GroupRules
  readonly credit: number
  #turn = 0

  constructor(rules: GroupRules, credit: number) {
    this.rules = rules
    this.credit = credit
  }

  /** One decision, with what `ask` asks. */
  decide<T>(ask: (draft: GroupDraft) => T): T {
    const draft = this.state
      ? new GroupDraft(this.state, undefined, { now: this.now, maxDead: 100 })
      : new GroupDraft(undefined, newGroup(this.rules, 0), { now: this.now, maxDead: 100 })
    draft.lapse()
    const answer = ask(draft)
    for (const [place, { until }] of this.live) if (until <= this.now) this.live.delete(place)
    const candidates: Candidate[] = [...this.here].map((key) => ({
      key,
      credit: this.credit,
      mayRead: () => true,
    }))
    this.#turn = draft.lease(
      candidates,
      this.room.slice(draft.next - 1),
      this.room.length,
      NODE,
      this.#turn,
      () => true,
    )
    const { state } = draft.done()
    const first = state.dead.next - draft.died.length
    for (const [i, { attempts, place }] of draft.died.entries()) {
      expect(attempts).toBeLessThanOrEqual(this.rules.maxDeliver)
      this.live.delete(place)
      this.letters.set(first + i, this.room[place - 1] as Supplied)
    }
    for (const { attempt, generation, member, place, waitMs } of draft.granted) {
      expect(this.acked).not.toContain(place)
      expect(this.live.has(place), `two leases of ${place}`).toBe(false)
      expect(attempt).toBeLessThanOrEqual(this.rules.maxDeliver)
      expect(this.here.has(member)).toBe(true)
      expect(this.leases.some(({ ref }) => ref[0] === place && ref[1] === generation)).toBe(false)
      this.live.set(place, { member, generation, until: this.now + waitMs })
      this.leases.push({ member, ref: [place, generation] })
    }
    this.state = state
    this.check()
    return answer
  }

  check(): void {
    const { pending } = this.state as GroupState
    for (const member of MEMBERS)
      expect(
        [...this.live.values()].filter((one) => one.member === member).length,
      ).toBeLessThanOrEqual(this.credit)
    for (const [place, { generation, member }] of this.live)
      expect(pending.get(place)).toMatchObject({ member, generation })
    for (const one of pending.values())
      if (one.member !== undefined) expect(this.live.has(one.place)).toBe(true)
    if (this.rules.orderBy !== 'stream') return
    const streams = [...this.live.keys()].map((place) => this.room[place - 1]?.stream)
    expect(new Set(streams).size).toBe(streams.length)
    // All of a stream that stands before what is leased of it is done, or was given up.
    for (const place of this.live.keys()) {
      const { stream } = this.room[place - 1] as Supplied
      const before = this.room.filter(
        (one) => one.stream === stream && one.place < place && !this.redriven.has(one.place),
      )
      for (const one of before)
        expect(pending.has(one.place), `${one.place} before ${place}`).toBe(false)
    }
  }

  settle(place: number, { generation, member }: Live, outcome: SettleOutcome, delay: number): void {
    const late = this.decide((draft) => {
      const late = draft.settle(member, [[place, generation, outcome, delay]])
      if (outcome === 'ack') this.acked.push(place)
      if (outcome !== 'progress') this.live.delete(place)
      else (this.live.get(place) as Live).until = this.now + this.rules.ackWait
      return late
    })
    expect(late).toEqual([])
  }

  run(one: Step): void {
    const lives = [...this.live]
    if (one.do === 'publish') {
      for (const stream of one.streams)
        this.room.push({ place: this.room.length + 1, type: 't', stream: `s${stream}` })
      this.decide(() => {})
    } else if (one.do === 'settle') {
      const found = lives[one.pick % lives.length]
      if (found) this.settle(found[0], found[1], one.outcome, one.delay)
    } else if (one.do === 'stale') {
      const old = this.leases.filter(
        ({ ref: [place, generation] }) => this.live.get(place)?.generation !== generation,
      )
      const found = old[one.pick % old.length]
      if (!found) return
      const before = this.state?.pending.get(found.ref[0])
      const late = this.decide((draft) => draft.settle(found.member, [[...found.ref, one.outcome]]))
      expect(late).toEqual(before ? [found.ref] : [])
    } else if ('member' in one) {
      const key = MEMBERS[one.member] as string
      if (one.do === 'gone') {
        this.here.delete(key)
        this.decide((draft) => {
          draft.gone(key)
          for (const [place, { member }] of lives) if (member === key) this.live.delete(place)
        })
        return
      }
      this.here.add(key)
      const own = lives.filter(([, { member }]) => member === key)
      const holds = own.filter((_, i) => one.do === 'rejoin' && (one.keep >> i) % 2 === 1)
      const lapsed = this.decide((draft) => {
        for (const [place] of own)
          if (!holds.some(([held]) => held === place)) this.live.delete(place)
        return draft.join(
          key,
          NODE,
          this.rules,
          holds.map(([place, { generation }]): LeaseRef => [place, generation]),
        )
      })
      expect(lapsed).toEqual([])
    } else if (one.do === 'wait') {
      this.now += one.ms
      this.decide(() => {})
    } else if (one.do === 'save') {
      if (this.state) this.state = readState(stateText(this.state))
    } else if (one.do === 'drop' || one.do === 'redrive') {
      const [number, letter] = [...this.letters][one.pick % this.letters.size] ?? []
      if (number === undefined || !letter) return
      this.letters.delete(number)
      if (one.do === 'drop') this.dropped.add(letter.place)
      else this.redriven.add(letter.place)
      this.decide((draft) => {
        if (one.do === 'drop') draft.drop(number)
        else draft.redrive(number, letter)
      })
    }
  }

  /** Everybody does what is left. */
  finish(): void {
    this.here.add('d a')
    for (let round = 0; round < 10_000; round++) {
      this.now += 1
      this.decide(() => {})
      const [next] = this.live
      if (next) this.settle(next[0], next[1], 'ack', 0)
      else if ((this.state?.pending.size ?? 0) > 0) this.now += 5_000
      else if ((this.state?.next ?? 0) > this.room.length) return
    }
    throw new Error('it never came to its end')
  }
}

describe('a group, whatever its members do', () => {
  const rules = fc.record({
    orderBy: fc.constantFrom(undefined, 'stream' as const),
    maxAckPending: fc.integer({ min: 1, max: 8 }),
    maxDeliver: fc.integer({ min: 1, max: 4 }),
  })

  it('never leases an event twice at once, keeps to credits and order, and loses nothing', () => {
    fc.assert(
      fc.property(
        rules,
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { maxLength: 60 }),
        (given, credit, steps) => {
          const { orderBy, ...rest } = given
          const group = new Checked({ ...RULES, ...rest, ...(orderBy && { orderBy }) }, credit)
          for (const one of steps) group.run(one)
          group.finish()
          const gone = [
            ...group.acked,
            ...[...group.letters.values()].map(({ place }) => place),
            ...group.dropped,
          ]
          expect(gone.sort((a, b) => a - b)).toEqual(group.room.map(({ place }) => place))
          expect(deadNumbers((group.state as GroupState).dead)).toEqual(
            [...group.letters.keys()].sort((a, b) => a - b),
          )
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('is the same when it was written and read', () => {
    fc.assert(
      fc.property(rules, fc.array(step, { maxLength: 40 }), ({ orderBy, ...rest }, steps) => {
        const group = new Checked({ ...RULES, ...rest, ...(orderBy && { orderBy }) }, 3)
        for (const one of steps) group.run(one)
        const { state } = group
        if (!state) return
        const read = readState(stateText(state))
        expect({ ...read, pending: new Map([...read.pending].sort()) }).toEqual({
          ...state,
          pending: new Map([...state.pending].sort()),
        })
      }),
    )
  })
})
