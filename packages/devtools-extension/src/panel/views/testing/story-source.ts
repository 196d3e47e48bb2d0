/** The story as a source of a panel: attaches, goes on, and answers what a panel asks. */
import {
  type Answers,
  type Ask,
  eventsOf,
  type HelloFrame,
  INSPECT_VERSION,
  type InspectedEvent,
  type InspectorFrame,
  type PeerId,
  packIds,
  type Tree,
  unpackIds,
} from '@crosstown/bus/inspect'
import type { InspectSource, SourceSink } from '../../../sources/source.ts'
import { consumingOf, keeps, LETTERS } from './consuming.ts'
import { CAST, castOf, helloOf, purchase, Teller, trouble } from './story.ts'

export interface StoryOptions {
  /** Purchases that have been made. @default 1 */
  readonly purchases?: number
  /** Who is there. @default everybody */
  readonly cast?: readonly PeerId[]
  /** Changes to what peers say of themselves. */
  readonly hello?: { readonly [peer: PeerId]: Partial<HelloFrame> }
  /** Peers that answer nothing. */
  readonly mute?: readonly PeerId[]
}

export interface StorySource extends InspectSource {
  /** Everything that was asked, for tests. */
  readonly asked: readonly { readonly peer: PeerId; readonly ask: Ask }[]
  /** All of the cast say who they are, as peers do that start. */
  hello(): void
  /** What happens next. */
  go(next: (teller: Teller) => void): void
}

export function storySource(options: StoryOptions = {}): StorySource {
  const { purchases = 1, mute = [], hello = {} } = options
  const cast = CAST.filter(({ id }) => options.cast?.includes(id) ?? true)
  const asked: { peer: PeerId; ask: Ask }[] = []
  const teller = new Teller()
  const events = new Map<string, InspectedEvent>()
  const travelling = new Map<PeerId, number>()
  let sink: SourceSink | undefined
  let now = 0

  let dead = [...LETTERS]
  const settle = (ids: readonly string[]): number => {
    const before = dead.length
    dead = dead.filter(({ id }) => !ids.includes(id))
    return before - dead.length
  }
  const send = (frame: object): void => sink?.frame(JSON.stringify(frame))
  const flush = (): void => {
    for (const frame of teller.frames()) {
      for (const record of frame.records)
        if (record.is === 'published')
          for (const event of eventsOf(record.events)) events.set(event.id, event)
      if (cast.some(({ id }) => id === frame.peer)) send(frame)
    }
  }
  const logOf = (peer: PeerId): (InspectedEvent & { offset: number })[] => {
    const { log } = castOf(peer)
    const kept = [...events.values()].filter((event) => {
      const from = event.id.slice(0, event.id.lastIndexOf('-'))
      return event.persist !== false && (castOf(from).log === log || event.scope === undefined)
    })
    return kept.map((event, i) => ({
      ...event,
      offset: (i + 1) * 4096,
      ...(event.type !== 'admin.price_changed' && { position: `e1.${i + 1}.abc` }),
    }))
  }

  const answers: {
    [What in Ask['what']]: (peer: PeerId, ask: Extract<Ask, { what: What }>) => Answers[What]
  } = {
    payload: (_, { event }) =>
      treeOf({ sku: 'A1', qty: Number(event.slice(event.lastIndexOf('-') + 1)) }),
    text: (_, { event }) =>
      event.endsWith('-2')
        ? {
            text: '[{"sku":1,"at":2,"price":3},"A1",["Date","2026-07-28T12:00:00.000Z"],["BigInt","1999"]]',
            encoding: 'devalue',
            redacted: 1,
          }
        : { text: '{"sku":"A1","qty":2}' },
    headers: (_, { ids }) => {
      const found = unpackIds(ids).flatMap((id) => events.get(id) ?? [])
      return { events: found, missing: packIds(unpackIds(ids).filter((id) => !events.has(id))) }
    },
    search: () => ({ ids: [], searched: 0 }),
    watch: () => ({}),
    store: (peer) => {
      const kept = logOf(peer)
      return {
        kind: 'disk',
        log: castOf(peer).log ?? 'none',
        head: kept.at(-1)?.offset ?? 0,
        first: kept[0]?.offset ?? 0,
        events: kept.length,
        bytes: kept.reduce((sum, { bytes }) => sum + bytes, 0),
        limits: { events: 100_000, bytes: 64 * 1024 * 1024, days: 30 },
        outbox: { pending: 2, bytes: 402, refused: 1 },
        room: {
          cursor: 'e1.412.9f3a',
          epoch: 'e1',
          confirmed: 412,
          subject: 'ada@example.org',
          gaps: [{ reason: 'trimmed', from: 'e1.90.77aa', lost: 'e1.12.0b1c' }],
        },
        snapshots: [{ key: 'cart', bytes: 2_310, offset: 40_960 }],
        quota: { usage: 41_000_000, quota: 2_000_000_000, persisted: false },
      }
    },
    log: (peer, { from = 0, limit }) => {
      const rest = logOf(peer).filter(({ offset }) => offset >= from)
      const page = rest.slice(0, limit)
      const next = rest[limit]?.offset
      return { events: page, ...(next !== undefined && { next }) }
    },
    view: (peer, { at, path = [] }) => {
      const seen = logOf(peer).filter(
        ({ offset, type }) => type.startsWith('cart.') && offset <= (at ?? Infinity),
      )
      const state = {
        items: seen.map(({ id }, i) => ({ sku: `A${i + 1}`, qty: 1 + (i % 3), added: id })),
        total: seen.length * 1999,
        open: seen.length > 0,
      }
      const inner = path.reduce<unknown>(
        (value, key) => (value as Record<string | number, unknown>)?.[key],
        state,
      )
      return { tree: treeOf(inner), ...(at !== undefined && { at }) }
    },
    travel: (peer, { at }) => {
      if (at === undefined) travelling.delete(peer)
      else travelling.set(peer, at)
      return { ...(at !== undefined && { at }), views: castOf(peer).views?.length ?? 0 }
    },
    publish: (peer, { type, options: publishing }) => {
      now += 500
      const { scope, persist, ...rest } = publishing ?? {}
      const event = teller.publish(peer, now, type, {
        ...rest,
        ...(persist === false && { persist }),
        ...(scope !== undefined && scope !== 'room' && { scope }),
        metadata: { inspector: true },
      })
      if (persist !== false) teller.commit(peer, now + 1, event)
      queueMicrotask(flush)
      return { id: event.id }
    },
    replay: (peer, { from, to }) => {
      const given = logOf(peer).filter(({ offset }) => offset >= from && offset <= to).length
      return { events: given, calls: given * 2 }
    },
    fault: (_, { set }) => ({ fault: set ?? null }),
    consumers: (peer) => consumingOf(peer, dead),
    dead: (peer, { limit }) => {
      const letters = dead.filter((letter) => keeps(peer, letter))
      return { letters: letters.slice(0, limit), total: letters.length }
    },
    redrive: (_, ask) => ({ letters: settle(ask.letters) }),
    discard: (_, ask) => ({ letters: settle(ask.letters) }),
  }

  const answer = (peer: PeerId, session: string, id: number, ask: Ask): void => {
    asked.push({ peer, ask })
    if (mute.includes(peer)) return
    const result = (answers[ask.what] as (peer: PeerId, ask: Ask) => unknown)(peer, ask)
    queueMicrotask(() =>
      send({ inspect: INSPECT_VERSION, frame: 'answer', peer, session, id, result }),
    )
  }

  return {
    label: 'this page',
    kind: 'page',
    asked,
    start(to) {
      sink = to
      for (let i = 0; i < purchases; i++) {
        purchase(teller, now)
        if (i % 10 === 3) trouble(teller, now + 150)
        now += i % 25 === 24 ? 4_000 : 300
      }
      to.state('open')
    },
    send(text) {
      const frame = JSON.parse(text) as InspectorFrame
      if (frame.frame === 'attach') {
        for (const one of cast)
          if (frame.to === undefined || frame.to === one.id) send(helloOf(one, 0, hello[one.id]))
        flush()
      } else if (frame.frame === 'ask') answer(frame.to, frame.session, frame.id, frame.ask)
    },
    close() {
      sink = undefined
    },
    hello() {
      for (const one of cast) send(helloOf(one, 0, hello[one.id]))
    },
    go(next) {
      next(teller)
      flush()
    },
  }
}

/** A plain value, opened two levels. */
export function treeOf(value: unknown, depth = 2): Tree {
  if (typeof value !== 'object' || value === null) {
    const type = value === null ? 'null' : (typeof value as Tree['type'])
    return { type, preview: typeof value === 'string' ? JSON.stringify(value) : String(value) }
  }
  const entries: (readonly [string | number, unknown])[] = Array.isArray(value)
    ? value.map((one, i) => [i, one] as const)
    : Object.entries(value)
  return {
    type: Array.isArray(value) ? 'array' : 'object',
    preview: Array.isArray(value)
      ? `Array(${entries.length})`
      : `{${entries.map(([key]) => key).join(', ')}}`,
    size: entries.length,
    ...(depth > 0 && {
      children: entries.map(([key, one]) => [key, treeOf(one, depth - 1)] as const),
    }),
  }
}
