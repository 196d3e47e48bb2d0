import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeValue, encodeValue } from '../codec/codec.ts'
import { offsetOf } from '../event.ts'
import type { Encoded, Log } from '../log/log.ts'
import { MemoryLog } from '../log/memory.ts'
import { sqliteLog } from '../log/sqlite.ts'
import { wholePart } from '../part.ts'
import { runtimePlatform } from '../platform.ts'
import { idsOf, sourceOf } from '../testing/read-contract.ts'
import { RoomModel, type Step, steps, take } from '../testing/room-model.ts'
import type { ProjectOptions } from '../types.ts'
import * as projector from './projector.ts'
import type { View } from './view.ts'
import { Views } from './views.ts'

const platform = runtimePlatform()

const codec = {
  encode: encodeValue,
  decode: (text: string, encoding: 'devalue' | undefined) =>
    decodeValue(text, encoding, { type: 'view', id: 'view' }),
}

/** An event of a view: its id, and whether the room has confirmed it. */
type Folded = readonly string[]
const fold = (state: Folded, { id, position }: { id: string; position?: string }): Folded => [
  ...state,
  position === undefined ? `${id}?` : id,
]

/** The views of a context, over a log that others write to as well. */
class Context {
  readonly projector: Views
  readonly #seen: () => number
  readonly #log: Log

  constructor(log: Log) {
    let asked = 0
    this.#log = log
    this.#seen = () => asked
    const { source } = sourceOf(log, true)
    this.projector = new Views({
      ended: () => false,
      part: wholePart(projector),
      platform,
      open: async () => {
        asked += 1
        return log
      },
      hasRelay: true,
      decode: source.decode,
      codec,
      leads: () => true,
      report: source.report,
    })
  }

  view(options: ProjectOptions = {}): View {
    return this.projector.project('**', fold, [], options)
  }

  /** Lets it read until it stops doing so. */
  async settle(): Promise<void> {
    for (let before = -1; before !== this.#seen(); ) {
      before = this.#seen()
      for (let turn = 0; turn < 20; turn++) await this.#log.state(false)
    }
  }
}

function entriesOf({ headers }: NonNullable<Awaited<ReturnType<typeof take>>>): Encoded[] {
  return headers.map((header) => ({
    event: { ...header, scope: header.scope ?? 'room' },
    headerText: JSON.stringify(header),
    dataText: '1',
  }))
}

/** What the context does, beside what happens to the log; in the end it may begin anew. */
type Look = 'nothing' | 'told' | 'looks' | 'waits' | 'views' | 'ends'
const script = fc.array(
  fc.tuple(steps, fc.constantFrom<Look>('nothing', 'told', 'looks', 'waits', 'views', 'ends')),
  { minLength: 1, maxLength: 30 },
)

describe.each<[string, () => Log]>([
  ['memory', () => new MemoryLog(platform)],
  ['sqlite', () => sqliteLog(':memory:').create('a', '', platform)],
])('views over %s', (_, create) => {
  it('are the order of the room, whenever they began and whatever happened meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(script, async (what: (readonly [Step, Look])[]) => {
        const log = create()
        await log.open()
        const model = new RoomModel(log)
        await model.join()
        let context = new Context(log)
        let views = [context.view({ key: 'view' })]
        for (const [step, look] of what) {
          const published = await take(model, step)
          if (published && look !== 'nothing') {
            context.projector.logged(published.batch, entriesOf(published))
          }
          if (look === 'views') views.push(context.view())
          if (look !== 'nothing' && look !== 'told') context.projector.changed()
          if (look === 'waits') await context.settle()
          if (look !== 'ends') continue
          await context.settle()
          await context.projector.close()
          context = new Context(log)
          views = [context.view({ key: 'view' }), context.view()]
        }
        context.projector.changed()
        await context.settle()
        const scratch = new Context(log)
        const anew = scratch.view()
        await anew.ready
        expect(await idsOf(log, { order: 'room' }, true)).toEqual(model.order)
        expect((anew.get() as Folded).map((id) => id.replace('?', ''))).toEqual(model.order)
        for (const view of views) expect(view.get()).toEqual(anew.get())
        await log.close()
      }),
      { numRuns: 300 },
    )
  })

  it('have an own event at once, wherever what is read stands', async () => {
    const log = create()
    await log.open()
    const model = new RoomModel(log)
    await model.join()
    const context = new Context(log)
    const view = context.view()
    await context.settle()
    const ids: string[] = []
    for (let n = 0; n < 50; n++) {
      // The room's come in between, and are not read yet.
      if (n % 3 === 0) await model.hear(1, 0, false)
      if (n % 5 === 0) context.projector.changed()
      const published = await model.publish([true])
      context.projector.logged(published.batch, entriesOf(published))
      ids.push(`${published.headers[0]?.id}?`)
      expect((view.get() as Folded).filter((id) => id.endsWith('?'))).toEqual(ids)
    }
    await log.close()
  })
})

it('offsets of a view are those of the log', async () => {
  const log = new MemoryLog(platform)
  await log.open()
  const model = new RoomModel(log)
  await model.join()
  const context = new Context(log)
  const offsets = (state: number[], event: { offset?: number }) => [...state, event.offset]
  const view = context.projector.project('**', offsets, [], {})
  await context.settle()
  const published = await model.publish([true, false, true])
  context.projector.logged(published.batch, entriesOf(published))
  expect(view.get()).toEqual([offsetOf(published.batch, 0), offsetOf(published.batch, 2)])
  await log.close()
})
