/**
 * What a peer answers. Every question is checked, and what is wrong with it is said; nothing but
 * `publish`, `replay`, `travel`, `fault`, `redrive` and `discard` changes anything.
 */
import type { Incoming } from '../dispatch/dispatch.ts'
import { type BusEvent, type EventHeader, offsetOf, utf8Length } from '../event.ts'
import type { Log } from '../log/log.ts'
import { storageQuota } from '../platform.ts'
import type { OutboxSnapshot, PublishOptions } from '../types.ts'
import {
  areTerms,
  isFault,
  isIds,
  isLimit,
  isNumber,
  isPath,
  isPublish,
  isText,
  isTexts,
} from './checks.ts'
import { type AskedConsumers, type AskedHandler, handlersOf } from './consuming.ts'
import type { Faults } from './fault.ts'
import type { Answers, Ask, DataTerm, Ids, InspectedEvent, StoreInfo, Tree } from './frames.ts'
import { packIds, unpackIds } from './ids.ts'
import { AskError } from './outlet.ts'
import { type KeptEvent, keptOf, type Source } from './recorder.ts'
import type { Redactor } from './redactor.ts'
import { fulfils } from './search.ts'
import type { TappedView } from './tap.ts'
import { type Hides, openTree } from './tree.ts'

/** A view whose state can be shown, and be another one for a while. */
export interface AskedView extends TappedView {
  /** Under which the log keeps its snapshot. */
  readonly name: string | undefined
  /** The state that it has, whatever it shows. */
  readonly state: unknown
  stateOf(events: AsyncIterable<BusEvent>): Promise<unknown>
  /** Shows this state; without one, its own again. */
  showInstead(state?: { readonly was: unknown }): void
}

/** What of the bus is asked. */
export interface AsksOptions {
  /** The log, where there is one. */
  readonly open: () => Promise<Log | undefined>
  readonly encode: (data: unknown, type: string) => { text: string; encoding?: 'devalue' }
  readonly decode: (text: string, encoding: 'devalue' | undefined) => unknown
  readonly byId: (log: Log, id: string) => Promise<Incoming | undefined>
  /** Events of the log from an offset on. */
  readonly walk: (log: Log, from: number) => AsyncIterable<readonly Incoming[]>
  /** Events of the log up to an offset, in the order in which views have them. */
  readonly past: (patterns: readonly string[], to: number) => AsyncIterable<BusEvent>
  readonly views: Iterable<AskedView>
  readonly limits: StoreInfo['limits']
  readonly outbox: () => OutboxSnapshot
  readonly publish: (type: string, data: unknown, options: PublishOptions) => Promise<BusEvent>
  /** Gives an event to live subscriptions, or to one, as one of the past; how many were called. */
  readonly again: (event: Incoming, patterns?: readonly string[], sub?: number) => number
  readonly subscriptions: Iterable<AskedHandler>
  /** Absent where it has neither durable consumers nor groups. */
  readonly consumers?: AskedConsumers | undefined
}

/** What the peer has while somebody is attached. */
export interface AsksState {
  /** What is in the ring, the newest first. */
  readonly ring: () => Iterable<Source>
  readonly redactor: () => Redactor | undefined
  /** As an `InspectedEvent`, as JSON. */
  readonly inspected: (event: KeptEvent) => string
  readonly attached: (session: string) => boolean
  readonly faults: Faults
  /** Lets others have their turn. */
  readonly pause: () => Promise<void>
}

const MAX_EVENTS = 1_000
/** Events given once more, at most. */
const MAX_AGAIN = 10_000
const CHUNK = 32
/** Events looked at in one task. */
const PAUSE_AFTER = 500

type More = (part: unknown) => void
type Of<What extends Ask['what']> = Extract<Ask, { what: What }>

export class Asks {
  readonly #options: AsksOptions & AsksState
  /** Terms by session. */
  readonly #watched = new Map<string, readonly DataTerm[]>()
  /** Counts what views were told to show, so that what took longer is not shown after it. */
  #shown = 0

  constructor(options: AsksOptions & AsksState) {
    this.#options = options
  }

  /** @throws {AskError | BusError} where it cannot be answered */
  async answer(ask: Ask, session: string, more: More): Promise<Answers[keyof Answers]> {
    switch (ask.what) {
      case 'payload':
        return this.#payload(ask)
      case 'text':
        return this.#text(ask.event)
      case 'headers':
        return this.#headers(ask.ids)
      case 'search':
        return this.#search(ask, session, more)
      case 'watch':
        check(areTerms(ask.terms))
        if (ask.terms.length > 0) this.#watched.set(session, ask.terms)
        else this.#watched.delete(session)
        return {}
      case 'store':
        return this.#store()
      case 'log':
        return this.#log(ask)
      case 'view':
        return this.#view(ask)
      case 'travel':
        return this.#travel(ask.at, session)
      case 'publish':
        return this.#publish(ask)
      case 'replay':
        return this.#replay(ask)
      case 'fault': {
        const { faults } = this.#options
        check(ask.set === undefined || ask.set === null || isFault(ask.set))
        if (ask.set !== undefined) faults.set(ask.set)
        return { fault: faults.fault }
      }
      case 'consumers': {
        const { consumers, subscriptions } = this.#options
        const none = { consumers: [], groups: [] }
        return { ...((await consumers?.consuming()) ?? none), handlers: handlersOf(subscriptions) }
      }
      case 'dead':
        check(isLimit(ask.limit))
        return this.#options.consumers?.dead(ask.limit) ?? { letters: [], total: 0 }
      case 'redrive':
      case 'discard': {
        const { what, letters } = ask
        check(letters !== undefined && isTexts(letters))
        return { letters: (await this.#options.consumers?.[what](letters)) ?? 0 }
      }
      default:
        throw new AskError('unknown_ask', 'unknown question')
    }
  }

  /** An inspector went; what it had asked for goes with it. */
  left(session: string): void {
    this.#watched.delete(session)
  }

  /** Nobody is there any more. */
  rest(): void {
    this.#watched.clear()
    this.#options.faults.set(null)
    this.#shown += 1
    for (const view of this.#options.views) view.showInstead()
  }

  /** Whether anybody watches. */
  get watches(): boolean {
    return this.#watched.size > 0
  }

  /** Those that a session watches for, for each that does. */
  found(events: Source): [session: string, ids: string[]][] {
    return Array.from(this.#watched, ([session, terms]) => [
      session,
      events.flatMap((event) => (this.#has(event, terms) ? event.id : [])),
    ])
  }

  #has(event: KeptEvent, terms: readonly DataTerm[]): boolean {
    try {
      return fulfils(this.#dataOf(event), terms, this.#hides(event.type))
    } catch {
      // Of one that cannot be read nothing is known.
      return false
    }
  }

  #dataOf(event: KeptEvent): unknown {
    const { dataText } = event
    return dataText === '' ? undefined : this.#options.decode(dataText, headerOf(event).encoding)
  }

  #hides(type: string): Hides {
    return (names) => this.#options.redactor()?.hides(type, names) ?? false
  }

  async #payload({ event: id, path, depth, from }: Of<'payload'>): Promise<Tree> {
    check(isPath(path) && isNumber(depth) && isNumber(from))
    const event = await this.#event(id)
    const hides = this.#hides(event.type)
    const tree = openTree(this.#dataOf(event), { path, depth, from, hides })
    if (path?.length) return tree
    return {
      ...tree,
      bytes: utf8Length(event.dataText),
      encoding: headerOf(event).encoding ?? 'json',
    }
  }

  async #text(id: string): Promise<Answers['text']> {
    const event = await this.#event(id)
    const redactor = this.#options.redactor()
    const { encoding } = headerOf(event)
    if (!redactor) return asText(event.dataText, encoding)
    const { data, redacted } = redactor.without(event.type, this.#dataOf(event))
    const encoded = this.#options.encode(data, event.type)
    return { ...asText(encoded.text, encoded.encoding), redacted }
  }

  async #event(id: string): Promise<KeptEvent> {
    check(isText(id))
    const event = await this.#find(id)
    if (!event) throw new AskError('not_found', 'no such event')
    return event
  }

  async #headers(ids: Ids): Promise<Answers['headers']> {
    check(isIds(ids))
    const events: InspectedEvent[] = []
    const missing: string[] = []
    for (const id of unpackIds(ids, MAX_EVENTS)) {
      const event = await this.#find(id)
      if (event) events.push(this.#inspected(event))
      else missing.push(id)
    }
    return { events, missing: packIds(missing) }
  }

  #inspected(event: KeptEvent): InspectedEvent {
    return JSON.parse(this.#options.inspected(event))
  }

  async #find(id: string): Promise<KeptEvent | undefined> {
    const { ring, open, byId } = this.#options
    for (const source of ring()) {
      const found = source.find((event) => event.id === id)
      if (found) return found
    }
    const log = await open()
    const logged = log && (await byId(log, id))
    return logged && keptOf(logged)
  }

  async #search(
    { terms, limit }: Of<'search'>,
    session: string,
    more: More,
  ): Promise<Answers['search']> {
    check(areTerms(terms) && isLimit(limit))
    const seen = new Set<string>()
    let found: string[] = []
    let searched = 0
    let left = Math.min(limit, MAX_EVENTS)
    /** Whether that is enough. */
    const look = (events: Source): boolean => {
      for (let i = events.length - 1; i >= 0 && left > 0; i--) {
        const event = events[i] as KeptEvent
        if (seen.has(event.id)) continue
        seen.add(event.id)
        searched += 1
        if (!this.#has(event, terms)) continue
        found.push(event.id)
        left -= 1
      }
      return left === 0 || !this.#options.attached(session)
    }
    let next = PAUSE_AFTER
    for (const source of [...this.#options.ring()]) {
      if (look(source)) return { ids: found, searched }
      if (searched < next) continue
      next = searched + PAUSE_AFTER
      await this.#options.pause()
    }
    const log = await this.#options.open()
    for (let to = Number.MAX_SAFE_INTEGER; log && to > 0; ) {
      const batches = await log.readBack(to, CHUNK)
      for (const { batch, headers, data } of batches) {
        if (look(headers.map((header, i) => keptOf({ header, dataText: data[i] as string }))))
          return { ids: found, searched }
        to = batch - 1
      }
      if (batches.length < CHUNK) break
      more({ ids: found, searched })
      found = []
    }
    return { ids: found, searched }
  }

  async #store(): Promise<StoreInfo> {
    const { open, views, limits, outbox } = this.#options
    const log = await open()
    const quota = await storageQuota()
    const none = { kind: 'none', head: 0, first: 0, events: 0, bytes: 0, snapshots: [] } as const
    const common = { ...none, limits, outbox: { ...outbox(), bytes: 0 }, quota }
    if (!log) return common as StoreInfo
    const { logId, head, first, totals, room } = await log.state()
    let { events, bytes, through } = totals ?? { events: 0, bytes: 0, through: 0 }
    while (through < head.batch) {
      const batches = await log.read(through + 1, CHUNK)
      for (const { batch, headers, data } of batches) {
        events += headers.length
        bytes += JSON.stringify(headers).length + data.join('\n').length
        through = batch
      }
      if (batches.length < CHUNK) break
    }
    const { cursor, confirmed, subject, gaps, pendingBytes } = room
    const snapshots: { key: string; bytes: number }[] = []
    for (const { key, name } of views) {
      const text = name === undefined ? undefined : await log.snapshot(name)
      if (text !== undefined) snapshots.push({ key: key as string, bytes: text.length })
    }
    return {
      ...common,
      kind: log.kind,
      log: logId,
      head: offsetOf(head.batch, 0),
      first: offsetOf(first, 0),
      events,
      bytes,
      outbox: { ...outbox(), bytes: outbox().pending > 0 ? pendingBytes : 0 },
      room:
        cursor === undefined
          ? undefined
          : {
              cursor,
              epoch: cursor.split('.')[0],
              confirmed: confirmed?.batch,
              subject,
              gaps: gaps.map(({ reason, from, lost }) => ({ reason, from, lost })),
            },
      snapshots,
    } as StoreInfo
  }

  async #log({ from = 0, limit }: Of<'log'>): Promise<Answers['log']> {
    check(isNumber(from) && isLimit(limit))
    const events: (InspectedEvent & { offset: number })[] = []
    const log = await this.#needLog()
    for await (const portion of this.#options.walk(log, from)) {
      for (const logged of portion) {
        const offset = logged.offset as number
        if (events.length >= Math.min(limit, MAX_EVENTS)) return { events, next: offset }
        events.push({ ...this.#inspected(keptOf(logged)), offset })
      }
    }
    return { events }
  }

  async #needLog(): Promise<Log> {
    const log = await this.#options.open()
    if (!log) throw new AskError('unreachable', 'no log')
    return log
  }

  async #view({ view: number, at, path }: Of<'view'>): Promise<Answers['view']> {
    check(isNumber(at) && isPath(path))
    const view = [...this.#options.views].find((one) => one.number === number)
    if (!view) throw new AskError('not_found', 'no such view')
    const state = at === undefined ? view.state : await this.#stateAt(view, at)
    const redactor = this.#options.redactor()
    const tree = openTree(state, { path, hides: (names) => redactor?.hidesName(names) ?? false })
    return { tree, at } as Answers['view']
  }

  #stateAt(view: AskedView, at: number): Promise<unknown> {
    return view.stateOf(this.#options.past(view.patterns, at))
  }

  async #travel(at: number | undefined, session: string): Promise<Answers['travel']> {
    check(isNumber(at))
    this.#shown += 1
    const shown = this.#shown
    const views = [...this.#options.views]
    if (at === undefined) {
      for (const view of views) view.showInstead()
      return { views: views.length }
    }
    const states = await Promise.all(views.map((view) => this.#stateAt(view, at)))
    if (shown !== this.#shown || !this.#options.attached(session))
      throw new AskError('superseded', 'views were told otherwise meanwhile')
    views.forEach((view, i) => {
      view.showInstead({ was: states[i] })
    })
    return { at, views: views.length }
  }

  async #publish(ask: Of<'publish'>): Promise<Answers['publish']> {
    check(isPublish(ask))
    const { type, data, encoding, options = {} } = ask
    const { stream, scope, persist, correlationId, causationId } = options
    const value = data === undefined ? undefined : this.#options.decode(data, encoding)
    const said = { stream, scope, persist, correlationId, causationId }
    const { id } = await this.#options.publish(type, value, {
      ...said,
      metadata: { inspector: true },
      until: 'accepted',
    })
    return { id }
  }

  async #replay({ from, to, patterns, sub }: Of<'replay'>): Promise<Answers['replay']> {
    check(isNumber(from) && isNumber(to) && isNumber(sub) && isTexts(patterns) && to - from >= 0)
    const log = await this.#needLog()
    let events = 0
    let calls = 0
    for await (const portion of this.#options.walk(log, from)) {
      for (const logged of portion) {
        if ((logged.offset as number) > to || events >= MAX_AGAIN) return { events, calls }
        const called = this.#options.again(logged, patterns, sub)
        if (called > 0) events += 1
        calls += called
      }
    }
    return { events, calls }
  }
}

function asText(text: string, encoding: 'devalue' | undefined): Answers['text'] {
  return { text: text || undefined, encoding } as Answers['text']
}

function headerOf({ header }: KeptEvent): EventHeader {
  return typeof header === 'string' ? (JSON.parse(header) as EventHeader) : header
}

function check(holds: boolean): asserts holds {
  if (!holds) throw new AskError('invalid_ask', 'malformed question')
}
