import { array, assert, constant, constantFrom, integer, oneof, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { type BatchFrame, INSPECT_VERSION, type InspectorFrame, type TapFrame } from './frames.ts'
import { Outlet, type OutletOptions } from './outlet.ts'

class Setup {
  readonly platform: VirtualPlatform = new VirtualPlatform()
  readonly frames: TapFrame[] = []
  readonly actives: boolean[] = []
  readonly left: string[] = []
  settled = 0
  readonly outlet: Outlet

  constructor(ring?: OutletOptions['ring'], first?: number) {
    this.outlet = new Outlet({
      peer: 'p',
      library: '1',
      clock: this.platform,
      post: (text) => this.frames.push(JSON.parse(text)),
      hello: () => ({}) as ReturnType<OutletOptions['hello']>,
      active: (active) => this.actives.push(active),
      settle: () => {
        this.settled += 1
      },
      answer: async () => ({}),
      left: (session) => this.left.push(session),
      ring,
      first,
    })
  }

  send(frame: object): void {
    this.outlet.receive({ inspect: INSPECT_VERSION, session: 's', ...frame } as InspectorFrame)
  }

  add(n: number): void {
    this.outlet.add(String(n))
  }

  get batches(): BatchFrame[] {
    return this.frames.filter((frame) => frame.frame === 'batch')
  }
}

describe('an outlet', () => {
  it('records nothing while nobody is attached, and forgets all when the last one goes', () => {
    const setup = new Setup()
    setup.add(1)
    setup.send({ frame: 'attach', credit: 9 })
    setup.add(2)
    setup.send({ frame: 'detach' })
    setup.add(3)
    setup.platform.advance(100)
    expect(setup.batches).toEqual([])
    expect(setup.actives).toEqual([true, false])
    expect(setup.platform.timers).toBe(0)
  })

  it('gathers for 50 ms, or 500 records', () => {
    const setup = new Setup()
    setup.send({ frame: 'attach', credit: 9 })
    setup.add(1)
    setup.platform.advance(49)
    expect(setup.batches).toEqual([])
    setup.add(2)
    setup.platform.advance(1)
    expect(setup.batches).toMatchObject([{ peer: 'p', first: 1, records: [1, 2] }])
    for (let n = 0; n < 500; n++) setup.add(n)
    expect(setup.batches[1]?.records).toHaveLength(500)
    // When it was attached to, by the timer, and by the number of records.
    expect(setup.settled).toBe(3)
  })

  it('sends no more than was granted, and tells what the ring went over', () => {
    const setup = new Setup({ events: 3 })
    setup.send({ frame: 'attach', credit: 1 })
    setup.add(1)
    setup.platform.advance(50)
    for (let n = 2; n <= 9; n++) setup.add(n)
    setup.platform.advance(500)
    expect(setup.batches).toHaveLength(1)
    setup.send({ frame: 'grant', credit: 1 })
    expect(setup.batches[1]).toMatchObject({
      first: 7,
      dropped: { count: 5, from: 2, to: 6 },
      records: [7, 8, 9],
    })
  })

  it('keeps its ring within its bytes, those of what records hold on to included', () => {
    const setup = new Setup({ bytes: 100 })
    setup.send({ frame: 'attach', credit: 0 })
    for (let n = 0; n < 10; n++) setup.outlet.add('"x"', 1, undefined, 47)
    setup.send({ frame: 'grant', credit: 1 })
    expect(setup.batches[0]).toMatchObject({ first: 9, records: ['x', 'x'] })
  })

  it('goes on where an inspector says it was', () => {
    const setup = new Setup()
    setup.send({ frame: 'attach', credit: 9, session: 'stays' })
    for (let n = 1; n <= 4; n++) setup.add(n)
    setup.outlet.flush()
    setup.send({ frame: 'attach', credit: 9, session: 'back', resume: { p: 3, other: 1 } })
    expect(setup.batches.at(-1)).toMatchObject({ first: 3, records: [3, 4] })
    setup.send({ frame: 'attach', credit: 9, session: 'new' })
    expect(setup.batches.at(-1)).toMatchObject({ first: 1, records: [1, 2, 3, 4] })
    setup.send({ frame: 'attach', credit: 9, session: 'wrong', resume: { p: 1e9 } })
    setup.add(5)
    setup.outlet.flush()
    expect(setup.batches.at(-1)).toMatchObject({ first: 5, records: [5] })
  })

  it('tells who comes back after it was idle that something is missing', () => {
    const setup = new Setup()
    setup.send({ frame: 'attach', credit: 9 })
    setup.add(1)
    setup.outlet.flush()
    setup.send({ frame: 'detach' })
    setup.send({ frame: 'attach', credit: 9, resume: { p: 2 } })
    setup.add(2)
    setup.outlet.flush()
    expect(setup.batches.slice(1)).toMatchObject([
      { first: 3, dropped: { count: 1, from: 2, to: 2 }, records: [] },
      { first: 3, records: [2] },
    ])
  })

  it('ends a session after a minute without a sign of life', () => {
    const setup = new Setup()
    setup.send({ frame: 'attach', credit: 9 })
    setup.platform.advance(50_000)
    setup.send({ frame: 'grant', credit: 1 })
    setup.platform.advance(59_000)
    expect(setup.actives).toEqual([true])
    setup.platform.advance(20_000)
    expect(setup.actives).toEqual([true, false])
    expect(setup.left).toEqual(['s'])
    // Whoever still believes to be attached is asked to attach anew.
    const before = setup.frames.length
    setup.send({ frame: 'grant', credit: 1 })
    expect(setup.frames.slice(before)).toMatchObject([{ frame: 'hello' }])
    expect(setup.platform.timers).toBe(0)
  })

  it('numbers from where it is told to, and drops nothing that was before', () => {
    const setup = new Setup(undefined, 100)
    setup.send({ frame: 'attach', credit: 9, resume: { p: 40 } })
    setup.add(1)
    setup.outlet.flush()
    expect(setup.batches).toEqual([
      { inspect: INSPECT_VERSION, frame: 'batch', peer: 'p', first: 100, records: [1] },
    ])
  })

  it('waits a minute for an inspector that is expected', () => {
    const setup = new Setup()
    setup.outlet.expect()
    setup.add(1)
    setup.platform.advance(50_000)
    setup.send({ frame: 'attach', credit: 9 })
    expect(setup.batches).toMatchObject([{ first: 1, records: [1] }])
    const alone = new Setup()
    alone.outlet.expect()
    alone.platform.advance(90_000)
    expect(alone.actives).toEqual([true, false])
    expect(alone.platform.timers).toBe(0)
  })

  it('answers only those who are attached', async () => {
    const setup = new Setup()
    setup.send({ frame: 'ask', to: 'p', id: 1, ask: { what: 'store' } })
    await Promise.resolve()
    expect(setup.frames).toMatchObject([
      { frame: 'answer', session: 's', id: 1, error: { code: 'not_attached' } },
    ])
  })

  it('loses no record without telling, whatever inspectors do', () => {
    const session = constantFrom('a', 'b', 'c')
    const step = oneof(
      record({ do: constant('add' as const), count: integer({ min: 1, max: 40 }) }),
      record({ do: constant('wait' as const), ms: integer({ min: 1, max: 30_000 }) }),
      record({ do: constant('attach' as const), session, credit: integer({ min: 0, max: 4 }) }),
      record({ do: constant('resume' as const), session, credit: integer({ min: 0, max: 4 }) }),
      record({ do: constant('grant' as const), session, credit: integer({ min: 1, max: 4 }) }),
      record({ do: constant('detach' as const), session }),
    )
    assert(
      property(array(step, { maxLength: 60 }), (steps) => {
        const setup = new Setup({ events: 25 })
        /** What each inspector has accounted for, from where it began. */
        const next = new Map<string, number>()
        const gone = new Map<string, number>()
        let heard = 0
        let added = 0
        const hear = (): void => {
          for (; heard < setup.frames.length; heard++) {
            const frame = setup.frames[heard] as TapFrame
            if (frame.frame !== 'batch') continue
            // Records are their own numbers, as far as they were made here.
            for (const [name, at] of next) {
              const from = frame.dropped?.from ?? frame.first
              if (from <= at) next.set(name, Math.max(at, frame.first + frame.records.length))
            }
          }
        }
        for (const one of steps) {
          if (one.do === 'add') for (let i = 0; i < one.count; i++) setup.add(++added)
          else if (one.do === 'wait') setup.platform.advance(one.ms)
          else if (one.do === 'resume' || one.do === 'attach') {
            const at = one.do === 'resume' ? next.get(one.session) : undefined
            const { session, credit } = one
            setup.frames.length = heard = 0
            setup.send({ frame: 'attach', session, credit, ...(at && { resume: { p: at } }) })
            const hello = setup.frames.find((frame) => frame.frame === 'hello')
            if (!hello) return
            next.set(one.session, at ?? hello.oldest)
          } else setup.send({ ...one, frame: one.do })
          hear()
          if (one.do !== 'detach') continue
          const at = next.get(one.session)
          if (at !== undefined) gone.set(one.session, at)
          next.delete(one.session)
        }
        // Who is attached has, with all the credit there is, heard of every number there was; and so
        // has who comes back.
        const total = (): number | undefined =>
          setup.frames.findLast((frame) => frame.frame === 'hello')?.next
        for (const session of next.keys()) {
          if (!setup.outlet.has(session)) next.delete(session)
          else setup.send({ frame: 'grant', session, credit: 1_000 })
        }
        setup.outlet.flush()
        setup.outlet.hello()
        hear()
        for (const at of next.values()) expect(at).toBe(total())
        for (const [session, at] of gone) {
          setup.frames.length = heard = 0
          next.set(session, at)
          setup.send({ frame: 'attach', session, credit: 1_000, resume: { p: at } })
          hear()
          expect(next.get(session)).toBe(total())
        }
      }),
    )
  })
})
