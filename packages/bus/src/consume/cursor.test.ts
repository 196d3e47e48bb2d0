import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Cursor, type Entry, type Kept, keptAt, readKept } from './cursor.ts'
import { type Settling, settlingOf } from './options.ts'

const OPTIONS = settlingOf({ concurrency: 3 }, 'durable')

/** Reads the places from where it stands, claims them, as a consumer does. */
function reading(
  kept: Kept,
  places: readonly number[],
  settling: Settling = OPTIONS,
): Cursor<number> {
  const cursor = new Cursor<number>(settling, kept)
  for (const at of places) if (at >= cursor.next) cursor.take(at, undefined, at)
  cursor.claim(cursor.next)
  return cursor
}

function startAll(cursor: Cursor<number>, running = 0): Entry<number>[] {
  const started: Entry<number>[] = []
  for (;;) {
    const entry = cursor.startable(0, running + started.length)
    if (!entry) return started
    cursor.start(entry)
    started.push(entry)
  }
}

/** After a crash: what was written is what there is. */
function rewritten(kept: Kept): Kept {
  return readKept(JSON.stringify(kept)) as Kept
}

describe('a cursor', () => {
  it('gives nothing whose claim is not written', () => {
    const cursor = new Cursor<number>(OPTIONS, keptAt(10))
    cursor.take(12, undefined, 12)
    expect(cursor.unclaimed).toBe(true)
    expect(cursor.startable(0, 0)).toBeUndefined()
    cursor.claim(cursor.next)
    expect(cursor.startable(0, 0)?.at).toBe(12)
  })

  it('moves its floor over what is settled, and keeps the rest in ranges', () => {
    const cursor = reading(keptAt(0), [1, 3, 5, 7, 9], { ...OPTIONS, concurrency: 5 })
    const [one, three, five, seven] = startAll(cursor) as Entry<number>[]
    for (const entry of [three, five]) cursor.settle(entry as Entry<number>)
    expect(cursor.keep()).toMatchObject({ floor: 1, next: 10, settled: [[3, 5]] })
    cursor.settle(one as Entry<number>)
    expect(cursor.floor).toBe(7)
    cursor.settle(seven as Entry<number>)
    expect(cursor.keep()).toMatchObject({ floor: 9, settled: [] })
    expect(cursor.pending).toBe(1)
  })

  it('does not grow by what is settled behind one that is not', () => {
    const cursor = new Cursor<number>(OPTIONS, keptAt(0))
    for (let at = 0; at < 5_000; at++) {
      cursor.take(at, undefined, at)
      cursor.claim(cursor.next)
      const [entry] = startAll(cursor)
      if (at === 0) cursor.again(entry as Entry<number>, 1e15, true)
      else cursor.settle(entry as Entry<number>)
    }
    expect(cursor.keep()).toMatchObject({ floor: 0, settled: [[1, 4_999]], given: [[0, 1, 1e15]] })
  })

  it('lets the events of a stream wait for the one before, and others not', () => {
    const cursor = new Cursor<number>(settlingOf({ orderBy: 'stream' }, 'durable'), keptAt(0))
    for (const [at, stream] of [[1, 'a'], [2, 'a'], [3, 'b'], [4], [5]] as const)
      cursor.take(at, stream, at)
    cursor.claim(cursor.next)
    const started = startAll(cursor)
    expect(started.map(({ at }) => at)).toEqual([1, 3, 4, 5])
    cursor.again(started[0] as Entry<number>, 50, true)
    expect(startAll(cursor, 3)).toEqual([])
    expect(cursor.nextDue(0)).toBe(50)
    expect(cursor.startable(50, 3)?.at).toBe(1)
  })

  it('gives what may have killed a context alone, and before all else', () => {
    const before = reading(keptAt(0), [1, 2, 3, 4])
    const [one] = startAll(before)
    before.settle(one as Entry<number>)
    const cursor = reading(rewritten(before.keep()), [2, 3, 4, 5])
    const [suspect, ...others] = startAll(cursor)
    expect([suspect?.at, suspect?.attempts, suspect?.suspect]).toEqual([2, 2, true])
    expect(others).toEqual([])
    // It died again: that was this one, and no other.
    const again = reading(rewritten(cursor.keep()), [2, 3, 4, 5])
    expect(again.startable(0, 0)).toMatchObject({ at: 2, attempts: 2, suspect: true })
    const first = again.startable(0, 0) as Entry<number>
    again.start(first)
    again.settle(first)
    expect(again.startable(0, 0)).toMatchObject({ at: 3, attempts: 1 })
  })

  it('suspects nothing that was not given when its context let go in peace', () => {
    const before = reading(keptAt(0), [1, 2, 3, 4])
    const [one, two, three] = startAll(before)
    for (const entry of [one, two, three]) before.settle(entry as Entry<number>)
    const cursor = reading(rewritten(before.keep(true)), [4, 5])
    expect(startAll(cursor).map(({ at, attempts }) => [at, attempts])).toEqual([
      [4, 1],
      [5, 1],
    ])
  })

  it('reads no further ahead than it may', () => {
    const cursor = new Cursor<number>(settlingOf({ maxAckPending: 2 }, 'durable'), keptAt(0))
    expect([
      cursor.hasRoom,
      cursor.take(1, undefined, 1),
      cursor.take(2, undefined, 2),
    ]).toBeTruthy()
    expect(cursor.hasRoom).toBe(false)
    const once = new Cursor<number>(settlingOf({ maxDeliver: 1 }, 'durable'), keptAt(0))
    once.take(1, undefined, 1)
    expect(once.hasRoom).toBe(false)
  })

  it.each([
    '',
    'null',
    '{}',
    '{"floor":-1}',
    '[1]',
    '{"floor":1,"next":1,"settled":[[1]],"given":[]}',
  ])('takes %j for no cursor', (text) => expect(readKept(text)).toBeUndefined())

  /**
   * A consumer that is killed again and again at any moment, with writes that may or may not have
   * happened: what was settled and written is not given again, the rest is, in order by stream.
   */
  it('skips nothing and keeps streams in order, whatever dies when', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ is: fc.constant('settle' as const), nth: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant('again' as const), nth: fc.nat(9) }) },
      { weight: 4, arbitrary: fc.constant({ is: 'write' as const, nth: 0 }) },
      { weight: 1, arbitrary: fc.constant({ is: 'crash' as const, nth: 0 }) },
      { weight: 1, arbitrary: fc.constant({ is: 'let go' as const, nth: 0 }) },
    )
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 1, max: 8 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 12 }),
        (steps, concurrency, byStream, maxAckPending) => {
          const settling = {
            ...settlingOf({ maxDeliver: Number.POSITIVE_INFINITY }, 'durable'),
            concurrency,
            byStream,
            maxAckPending,
          }
          const all = Array.from({ length: 40 }, (_, n) => n * 3 + 1)
          const streamOf = (at: number): string => `s-${at % 4}`
          const handled = new Map<string, number[]>()
          const settledForGood = new Set<number>()
          const settledNow = new Set<number>()
          let kept = keptAt(0)
          let cursor = new Cursor<number>(settling, kept)
          let running: Entry<number>[] = []
          const claim = (): void => {
            kept = rewritten(cursor.keep())
            for (const at of settledNow) settledForGood.add(at)
            cursor.claim(kept.next)
          }
          const pump = (): void => {
            for (const at of all)
              if (at >= cursor.next && cursor.hasRoom) cursor.take(at, streamOf(at), at)
            for (;;) {
              const entry = cursor.startable(1, running.length)
              if (!entry) return
              expect(settledForGood.has(entry.at)).toBe(false)
              cursor.start(entry)
              if (entry.suspect) claim()
              running.push(entry)
            }
          }
          const settle = (nth: number): void => {
            const [entry] = running.splice(nth % Math.max(1, running.length), 1)
            if (!entry) return
            const of = handled.get(streamOf(entry.at)) ?? []
            handled.set(streamOf(entry.at), of)
            if (byStream && !of.includes(entry.at)) {
              const before = all.filter(
                (at) => at < entry.at && streamOf(at) === streamOf(entry.at),
              )
              expect(before.every((at) => of.includes(at))).toBe(true)
            }
            of.push(entry.at)
            settledNow.add(entry.at)
            cursor.settle(entry)
          }
          const restart = (): void => {
            running = []
            settledNow.clear()
            cursor = new Cursor<number>(settling, kept)
          }
          for (const { is, nth } of steps) {
            pump()
            if (is === 'settle') settle(nth)
            else if (is === 'write') claim()
            else if (is === 'crash') restart()
            else if (is === 'again') {
              const [entry] = running.splice(nth % Math.max(1, running.length), 1)
              if (entry) cursor.again(entry, 1, true)
            } else {
              kept = rewritten(cursor.keep(running.length === 0))
              for (const at of settledNow) settledForGood.add(at)
              restart()
            }
          }
          for (let n = 0; n < 1_000 && cursor.floor <= (all.at(-1) as number); n++) {
            claim()
            pump()
            settle(0)
          }
          expect([...handled.values()].flat().sort((a, b) => a - b)).toEqual(
            expect.arrayContaining(all),
          )
          expect(cursor.pending).toBe(0)
        },
      ),
      { numRuns: 500 },
    )
  })
})
