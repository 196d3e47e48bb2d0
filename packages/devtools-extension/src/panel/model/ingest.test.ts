import { columnsOf, type HelloFrame, type InspectedEvent } from '@crosstown/bus/inspect'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { InspectSource, SourceSink } from '../../sources/source.ts'
import { createHub, type InspectorHub } from './hub.ts'
import type { Row, Session } from './model.ts'
import { createFiltered } from './query/filtered.ts'
import { makeCapture } from './testing/capture.ts'
import { CaptureSource } from './testing/capture-source.ts'
import { ChaosSource } from './testing/chaos-source.ts'
import { ManualTiming } from './testing/manual-timing.ts'
import { Random } from './testing/random.ts'

/** What is told is the same, whatever the order in which it comes. */
function facts(session: Session): string[] {
  const facts: string[] = []
  for (let row = session.rows.first; row < session.rows.next; row++) {
    const there = session.rows.at(row)!
    if (there.kind !== 'event') continue
    // Times of other devices get better with each message that is known of both its ends.
    const { row: _, ms: __, latency: ___, ...rest } = there
    const steps = session.steps(there.id).map(({ ms: _, ...step }) => JSON.stringify(step))
    facts.push(JSON.stringify([rest, steps.sort()]))
  }
  return facts.sort()
}

function notes(session: Session, kinds: readonly Row['kind'][]): string[] {
  const texts: string[] = []
  for (let row = session.rows.first; row < session.rows.next; row++) {
    const there = session.rows.at(row)!
    if (there.kind !== 'event' && kinds.includes(there.kind)) texts.push(there.text)
  }
  return texts.sort()
}

test('whatever the order, duplication and loss of frames, the rows are the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 1e6 }), (seed, way) => {
      const capture = makeCapture({ events: 120, seed, burst: 10 })
      const timing = new ManualTiming(capture.end)
      const plain = createHub([new CaptureSource(capture)], { timing })
      timing.settle()
      const sources = [
        new ChaosSource(capture, way, 'one'),
        new ChaosSource(capture, way + 1, 'other'),
      ]
      const random = new Random(way)
      const hub = createHub(sources, { timing })
      for (;;) {
        const some = sources.map((source) => source.arrive())
        if (random.chance(0.3)) timing.settle()
        if (random.chance(0.01)) random.pick(sources).reconnect()
        if (!some.includes(true)) break
      }
      for (const source of sources) {
        source.heal()
        while (source.arrive()) timing.settle()
      }
      timing.settle()
      const [got, wanted] = [facts(hub.session), facts(plain.session)]
      expect(got.find((fact, index) => fact !== wanted[index])).toBeUndefined()
      expect(got).toHaveLength(wanted.length)
      const kinds = ['gap', 'error', 'leader', 'connection', 'life'] as const
      expect(notes(hub.session, kinds)).toEqual(notes(plain.session, kinds))
      hub.close()
      plain.close()
    }),
    { numRuns: 25 },
  )
})

/** A source that is told what to say. */
class Mouth implements InspectSource {
  readonly label = 'mouth'
  readonly kind: InspectSource['kind']
  readonly sent: { readonly frame: string; readonly [key: string]: unknown }[] = []
  sink!: SourceSink

  constructor(kind: InspectSource['kind'] = 'page') {
    this.kind = kind
  }

  start(sink: SourceSink): void {
    this.sink = sink
    sink.state('open')
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text))
  }

  close(): void {}

  say(frame: unknown): void {
    this.sink.frame(typeof frame === 'string' ? frame : JSON.stringify(frame))
  }
}

function listening(): { hub: InspectorHub; mouth: Mouth; timing: ManualTiming } {
  const timing = new ManualTiming(START + 60_000)
  const mouth = new Mouth()
  return { hub: createHub([mouth], { timing, limit: 500 }), mouth, timing }
}

const hello: HelloFrame = JSON.parse(makeCapture({ events: 0 }).frames[0]!.text)
const START = Date.UTC(2026, 0, 15, 9)

function batch(first: number, records: readonly unknown[], more: object = {}): object {
  return { inspect: 2, frame: 'batch', peer: hello.peer, first, records, ...more }
}

function event(id: string, more: object = {}): object {
  return { id, type: 'cart.item_added', source: 'page', time: START, bytes: 200, ...more }
}

function published(...ids: string[]): object {
  return { at: hello.now[1] + 5, is: 'published', events: ids.map((id) => event(id)) }
}

test('what anybody may post is counted and told once, and nothing else happens', () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  const bad = [
    'no JSON',
    '[]',
    '{}',
    '{"inspect":2,"frame":"batch","peer":"__proto__","first":0,"records":[]}',
    { inspect: 2, frame: 'hello', peer: 'x'.repeat(1_000) },
    { ...hello, now: ['a', 2] },
    { ...hello, subscriptions: [{ sub: 1 }] },
    { ...hello, kind: 'constructor' },
    batch(0, [{ at: 1e300, is: 'published', events: [] }]),
    batch(1, [{ at: 1, is: 'published', events: [{ id: 7 }] }]),
    batch(1, [
      { at: 1, is: 'published', events: { ...event('a'), ids: [['a', 1, 2]], time: [1] } },
    ]),
    batch(2, [{ at: 1, is: 'handled', sub: 1, ids: [['a', 0, 1e9]], ms: [] }]),
    batch(3, [{ at: 1, is: 'handled', sub: 1, ids: [['a', 1, 9e15]], ms: [] }]),
    batch(4, [{ at: 1, is: 'handled', sub: 1, ids: Array(2e4).fill('a-1'), ms: [] }]),
    batch(5, [{ at: 1, is: '__proto__' }, 7, null, { at: 1 }]),
  ]
  for (const frame of bad) {
    expect(() => {
      mouth.say(frame)
      timing.settle()
    }).not.toThrow()
  }
  const told = notes(hub.session, ['error'])
  expect(told).toHaveLength(2)
  expect(told.join('\n')).toMatch(/frames of tab 1 · Cart cannot be read; the first: /)
  expect(hub.session.malformed.count).toBeGreaterThan(bad.length - 3)
  mouth.say(batch(10, [published('a-1')], { dropped: { count: 1, from: 9, to: 9 } }))
  timing.settle()
  expect(hub.session.event('a-1')).toMatchObject({ publisher: hello.peer })
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
})

test('frames that were changed anywhere never throw, and good ones are taken in after them', () => {
  const capture = makeCapture({ events: 40, seed: 3 })
  const texts = capture.frames.map(({ text }) => text)
  fc.assert(
    fc.property(
      fc.nat(texts.length - 1),
      fc.array(fc.nat(1_000), { minLength: 1, maxLength: 4 }),
      fc.oneof(fc.jsonValue(), fc.constantFrom('__proto__', 1e308, -1, 2 ** 53, '\u0000', [[]])),
      (which, path, value) => {
        const { hub, mouth, timing } = listening()
        mouth.say(hello)
        const frame = JSON.parse(texts[which]!)
        change(frame, path, value)
        mouth.say(frame)
        timing.settle()
        timing.pass(5_000)
        mouth.say(batch(100_000, [published('z-1')], { dropped: { count: 1, from: 1, to: 1 } }))
        timing.settle()
        expect(hub.session.event('z-1')).toBeDefined()
        // Every row can be shown, and every event's steps.
        for (let row = hub.session.rows.first; row < hub.session.rows.next; row++) {
          const there = hub.session.rows.at(row)!
          expect(Number.isFinite(there.ms)).toBe(true)
          if (there.kind === 'event') hub.session.steps(there.id)
        }
        hub.close()
      },
    ),
    { numRuns: 300 },
  )
})

/** Puts a value somewhere into another one. */
function change(into: object, path: readonly number[], value: unknown): void {
  let at = into as Record<string, unknown>
  for (const [depth, step] of path.entries()) {
    const keys = Object.keys(at)
    const key = keys[step % Math.max(1, keys.length)]
    if (key === undefined) return
    const next = at[key]
    if (depth === path.length - 1 || typeof next !== 'object' || next === null) {
      at[key] = value
      return
    }
    at = next as Record<string, unknown>
  }
}

test('records that come after a hole wait for it, and are lost when it stays', () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  mouth.say(batch(0, [published('a-1')]))
  timing.settle()
  mouth.sent.length = 0
  mouth.say(batch(2, [published('a-3')]))
  timing.settle()
  expect(hub.session.event('a-3')).toBeUndefined()
  expect(mouth.sent).toMatchObject([
    { frame: 'attach', to: hello.peer, resume: { [hello.peer]: 1 } },
  ])
  mouth.say(batch(1, [published('a-2'), published('a-3')]))
  timing.settle()
  expect(hub.session.event('a-3')).toBeDefined()
  mouth.say(batch(9, [published('a-9')]))
  timing.pass(5_000)
  expect(hub.session.event('a-9')).toBeDefined()
  expect(notes(hub.session, ['lost'])).toEqual([
    'tab 1 · Cart: 6 records were lost, the panel did not keep up',
  ])
  expect(hub.session.peers.get(hello.peer)!.lost).toBe(6)
})

test('what the tap dropped is a row, and counted', () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  mouth.say(batch(0, [published('a-1')]))
  mouth.say(batch(5, [published('a-6')], { dropped: { count: 4, from: 1, to: 4 } }))
  timing.settle()
  expect(hub.session.event('a-6')).toBeDefined()
  expect(hub.session.peers.get(hello.peer)!.lost).toBe(4)
  expect(notes(hub.session, ['lost'])).toHaveLength(1)
})

test('what records that are lost may have told is not known, and what comes after them is', () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  const at = hello.now[1]
  const late = { at: at + 50, is: 'published', events: [event('a-6')] }
  mouth.say(batch(0, [published('a-1')]))
  timing.settle()
  expect(hub.session.event('a-1')).toMatchObject({ state: 'pending', unknown: 0 })
  mouth.say(batch(5, [late], { dropped: { count: 4, from: 1, to: 4 } }))
  timing.settle()
  expect(hub.session.peers.get(hello.peer)!.missed).toEqual([{ from: at + 5, to: at + 50 }])
  expect(hub.session.event('a-1')).toMatchObject({ state: 'unknown', expected: 0, unknown: 1 })
  expect(hub.session.event('a-6')).toMatchObject({ state: 'pending', expected: 1, unknown: 0 })
})

test('what an older tap told, as a file has it, is understood', () => {
  const { hub, mouth, timing } = listening()
  mouth.say({ ...hello, inspect: 1 })
  mouth.say({ ...batch(0, [published('a-1', 'a-2')]), inspect: 1 })
  timing.settle()
  expect(hub.session.malformed.count).toBe(0)
  expect(hub.session.event('a-2')?.event).toEqual(event('a-2'))
})

test('of events told by column each has its own, and none what another one has', () => {
  const { hub, mouth, timing } = listening()
  const events = [event('a-1', { stream: 's', correlationId: 'a-1' }), event('a-2'), event('h-b')]
  const told = [...events, event('a-7', { bytes: 300, causationId: 'a-1', correlationId: 'a-1' })]
  const columns = columnsOf(told as unknown as InspectedEvent[])
  mouth.say(hello)
  mouth.say(batch(0, [{ at: hello.now[1] + 5, is: 'published', events: columns }]))
  timing.settle()
  for (const one of told as unknown as InspectedEvent[])
    expect(hub.session.event(one.id)?.event).toEqual(one)
  expect(hub.session.effects('a-1').map(({ id }) => id)).toEqual(['a-7'])
  expect(hub.session.conversation('a-1').map(({ id }) => id)).toEqual(['a-1', 'a-7'])
  const rowsOf = (query: string) => {
    const filtered = createFiltered(hub.session, query)
    timing.settle()
    return Array.from({ length: filtered.length }, (_, index) => filtered.at(index))
      .filter((row) => row?.kind === 'event')
      .map((row) => (row as { id: string }).id)
  }
  expect(rowsOf('stream:s')).toEqual(['a-1'])
  expect(rowsOf('size:>250')).toEqual(['a-7'])
  expect(rowsOf('corr:a-1')).toEqual(['a-1', 'a-7'])
})

test('a tap of another version is told apart, with the side that is to be updated', () => {
  const { hub, mouth, timing } = listening()
  mouth.say({ inspect: 3, frame: 'hello', peer: 'newer', library: '3.1.0' })
  mouth.say({ inspect: 3, frame: 'mismatch', peer: 'newer', library: '3.1.0' })
  timing.settle()
  const peer = hub.session.peers.get('newer')!
  expect(peer.state).toBe('mismatch')
  expect(peer.detail).toBe(
    'It has @crosstown/bus 3.1.0, which is newer than this panel (inspection 3, the panel speaks 2): update the panel.',
  )
  expect(notes(hub.session, ['peer'])).toEqual([peer.detail])
})

test('more is granted as batches are taken in, and none while recording is off', () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  timing.settle()
  const granted = () =>
    mouth.sent
      .filter(({ frame }) => frame === 'grant')
      .reduce((sum, { credit }) => sum + (credit as number), 0)
  for (let n = 0; n < 12; n++) mouth.say(batch(n, [published(`a-${n + 1}`)]))
  timing.settle()
  expect(granted()).toBe(12)
  hub.setRecording(false)
  for (let n = 12; n < 24; n++) mouth.say(batch(n, [published(`a-${n + 1}`)]))
  timing.settle()
  expect(granted()).toBe(12)
  expect(hub.session.event('a-13')).toBeUndefined()
  hub.setRecording(true)
  timing.settle()
  expect(granted()).toBe(24)
  expect(hub.session.event('a-24')).toBeDefined()
})

test('two inspectors that hear each other’s hellos do not attach for ever', () => {
  const { mouth, timing } = listening()
  mouth.say(hello)
  timing.settle()
  mouth.say(hello)
  timing.settle()
  mouth.sent.length = 0
  for (let n = 0; n < 10; n++) mouth.say(hello)
  timing.pass(10_000)
  expect(mouth.sent.filter(({ frame }) => frame === 'attach')).toEqual([])
})

test('an inspector that a tap does not know any more attaches anew', () => {
  const { mouth, timing } = listening()
  mouth.say(hello)
  mouth.say(hello)
  mouth.say(batch(0, [published('a-1')]))
  timing.settle()
  mouth.sent.length = 0
  // The tap was idle: it forgot the session, and says that something is missing.
  mouth.say({ ...hello, now: [hello.now[0] + 90_000, hello.now[1] + 90_000], next: 5, oldest: 3 })
  timing.pass(5_000)
  expect(mouth.sent.filter(({ frame }) => frame === 'attach')).toMatchObject([
    { to: hello.peer, resume: { [hello.peer]: 3 } },
  ])
})

test('a session keeps its limit, and what was forgotten does not come back as nameless', () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  for (let n = 0; n < 2_000; n++) mouth.say(batch(n, [published(`a-${n + 1}`)]))
  timing.settle()
  const { session } = hub
  expect(session.rows.next - session.rows.first).toBe(500)
  expect(session.forgotten).toBe(session.captured - 500)
  expect(session.event('a-1')).toBeUndefined()
  expect(session.event('a-2000')).toBeDefined()
  mouth.say(
    batch(2_000, [
      { at: hello.now[1] + 9, is: 'handled', sub: 1, ids: [['a', 1, 2_000]], ms: [1] },
    ]),
  )
  timing.settle()
  expect(session.event('a-1')).toBeUndefined()
  expect(session.steps('a-2000')).toHaveLength(2)
})

test('an event whose publisher is not inspected is asked for, and shown from when it was first heard', async () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  const at = hello.now[1] + 7
  mouth.say(batch(0, [{ at, is: 'received', via: 'tabs', origin: 'device', ids: [['far', 1, 1]] }]))
  timing.settle()
  expect(hub.session.event('far-1')).toBeUndefined()
  timing.pass(4_000)
  const ask = mouth.sent.find(({ frame }) => frame === 'ask') as unknown as {
    id: number
    session: string
    ask: object
  }
  expect(ask.ask).toEqual({ what: 'headers', ids: [['far', 1, 1]] })
  mouth.say({
    inspect: 2,
    frame: 'answer',
    peer: hello.peer,
    session: ask.session,
    id: ask.id,
    result: { events: [event('far-1')], missing: [] },
  })
  timing.settle()
  await Promise.resolve()
  await Promise.resolve()
  await Promise.resolve()
  timing.settle()
  expect(hub.session.event('far-1')).toMatchObject({ publisher: 'far', direction: 'in' })
  expect(hub.session.event('far-1')!.ms).toBeCloseTo(hello.now[0] + 7, 1)
})

test('a peer that went is said to be gone, and its questions fail at once', async () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  timing.settle()
  const asked = hub.ask(hello.peer, { what: 'store' })
  mouth.sink.gone([hello.peer])
  timing.settle()
  await expect(asked).rejects.toMatchObject({ code: 'unreachable' })
  expect(hub.session.peers.get(hello.peer)).toMatchObject({ state: 'gone' })
  expect(notes(hub.session, ['peer'])).toEqual(['tab 1 · Cart is gone', 'tab 1 · Cart is here'])
  // The same tab, loaded anew.
  mouth.say({ ...hello, peer: 'reloaded' })
  timing.settle()
  expect(hub.session.peers.get('reloaded')!.name).toBe('tab 1.2 · Cart')
})

test('a peer that does not answer is silent, and live again when it speaks', async () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  timing.pass(60_000)
  await Promise.resolve()
  await Promise.resolve()
  timing.settle()
  expect(hub.session.peers.get(hello.peer)!.state).toBe('silent')
  mouth.say(batch(0, [published('a-1')]))
  timing.settle()
  expect(hub.session.peers.get(hello.peer)!.state).toBe('live')
})

test('a question can be given up, and takes only an answer it can read', async () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  timing.settle()
  const giveUp = new AbortController()
  const first = hub.ask(hello.peer, { what: 'store' }, { signal: giveUp.signal })
  giveUp.abort()
  await expect(first).rejects.toMatchObject({ code: 'aborted' })
  const second = hub.ask(hello.peer, { what: 'payload', event: 'a-1' })
  expect(hub.session.peers.get(hello.peer)!.sources).toEqual(['mouth'])
  const { id, session } = mouth.sent.at(-1)!
  const answer = { inspect: 2, frame: 'answer', peer: hello.peer, session, id }
  mouth.say({ ...answer, session: 'another', result: { type: 'null', preview: 'null' } })
  mouth.say({ ...answer, result: { type: 'nothing', preview: 7 } })
  timing.settle()
  await expect(second).rejects.toMatchObject({ code: 'bad_frame' })
  const third = hub.ask(hello.peer, { what: 'store' })
  timing.pass(20_000)
  await expect(third).rejects.toMatchObject({ code: 'timeout' })
})

test('who sends records and never says who it is does not fill the memory', () => {
  const { hub, mouth, timing } = listening()
  for (let n = 0; n < 300; n++)
    mouth.say({
      ...batch(Math.floor(n / 150), [published(`x-${n + 1}`)]),
      peer: `stranger-${n % 150}`,
    })
  timing.settle()
  expect(hub.session.malformed.count).toBeGreaterThan(50)
  // One that says it in time loses nothing.
  mouth.say({ ...hello, peer: 'stranger-1' })
  timing.settle()
  expect(hub.session.event('x-2')).toBeDefined()
  timing.pass(20_000)
  mouth.say({ ...hello, peer: 'stranger-2' })
  timing.settle()
  expect(hub.session.event('x-3')).toBeUndefined()
})

test('a source that is taken away is listed no more, and its rows stay', () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  mouth.say(batch(0, [published('a-1')]))
  timing.settle()
  hub.remove(mouth)
  timing.settle()
  expect(hub.session.sources).toEqual([])
  expect(mouth.sent.at(-1)).toMatchObject({ frame: 'detach' })
  expect(hub.session.event('a-1')).toBeDefined()
  expect(hub.session.peers.get(hello.peer)!.state).toBe('gone')
})

test('a source that is taken away while frames of it wait brings nobody back', () => {
  const { hub, mouth, timing } = listening()
  mouth.say(hello)
  mouth.say(batch(0, [published('a-1')]))
  timing.settle()
  mouth.say(batch(1, [published('a-2')]))
  mouth.say(hello)
  mouth.say({ ...hello, peer: 'late' })
  mouth.say('no JSON')
  hub.remove(mouth)
  mouth.say({ ...hello, peer: 'later' })
  timing.settle()
  expect([...hub.session.peers.values()].map(({ id, state }) => [id, state])).toEqual([
    [hello.peer, 'gone'],
  ])
  expect(hub.session.event('a-2')).toBeUndefined()
  expect(hub.session.malformed.count).toBe(0)
})

/** Each look at the clock takes a moment, and turns come one by one. */
class SlowTiming extends ManualTiming {
  readonly turns: (() => void)[] = []
  #looks = 0

  override now(): number {
    return super.now() + this.#looks++
  }

  override soon(run: () => void): void {
    this.turns.push(run)
  }
}

test('a source that is taken away in the middle of a batch adds nothing more of it', () => {
  const timing = new SlowTiming(START + 60_000)
  const mouth = new Mouth()
  const hub = createHub([mouth], { timing })
  mouth.say(hello)
  mouth.say(
    batch(
      0,
      [...Array(2_000).keys()].map((n) => published(`a-${n + 1}`)),
    ),
  )
  while (!hub.session.event('a-1')) timing.turns.shift()!()
  expect(hub.session.event('a-2000')).toBeUndefined()
  const { captured } = hub.session
  hub.remove(mouth)
  const before = hub.session.captured
  expect(before).toBeGreaterThan(captured)
  for (let turn = timing.turns.shift(); turn; turn = timing.turns.shift()) turn()
  expect(hub.session.captured).toBe(before)
})
